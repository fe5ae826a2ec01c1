//! Cursors: where a page ended, as opaque text that names its list.

use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longer texts are not ours: the longest parts are a name (255) and an id.
const MAX_TEXT: usize = 1024;
/// Ids, names and decimal numbers never hold a line feed.
const SEPARATOR: &str = "\n";

/// The cursor of `list` for these parts.
pub(crate) fn encode(list: &'static str, parts: &[&str]) -> String {
    let mut text = list.to_owned();
    for part in parts {
        text.push_str(SEPARATOR);
        text.push_str(part);
    }
    URL_SAFE_NO_PAD.encode(text)
}

/// The parts of a cursor of `list`; anything else is [`Error::BadCursor`].
pub(crate) fn decode<const N: usize>(list: &'static str, cursor: &str) -> Result<[String; N], Error> {
    if cursor.len() > MAX_TEXT {
        return Err(Error::BadCursor);
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Error::BadCursor)?;
    let text = String::from_utf8(bytes).map_err(|_| Error::BadCursor)?;
    let mut parts = text.split(SEPARATOR);
    if parts.next() != Some(list) {
        return Err(Error::BadCursor);
    }
    let parts: Vec<String> = parts.map(str::to_owned).collect();
    parts.try_into().map_err(|_| Error::BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_list_alone() {
        let cursor = encode("vaults", &["name", "vault_01"]);
        assert_eq!(decode("vaults", &cursor), Ok(["name".to_owned(), "vault_01".to_owned()]));
        assert_eq!(decode::<2>("keys", &cursor), Err(Error::BadCursor));
        assert_eq!(decode::<1>("vaults", &cursor), Err(Error::BadCursor));
        for bad in ["", "!", "AAAA", &"A".repeat(2000)] {
            assert_eq!(decode::<2>("vaults", bad), Err(Error::BadCursor), "{bad:.20}");
        }
    }
}
