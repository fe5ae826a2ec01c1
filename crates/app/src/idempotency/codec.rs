//! Stored responses as bytes: a version byte, the status (u16), the number of headers (u16), each header's name and value
//! with their lengths (u16), then the body. All numbers big-endian.

use super::StoredResponse;
use crate::Error;
use certwright_domain::secret::SecretBytes;
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// Writes a response; the buffer is wiped when dropped.
pub(super) fn encode(response: &StoredResponse) -> Result<Zeroizing<Vec<u8>>, Error> {
    let body = response.body.expose();
    let headers: usize =
        response.headers.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(4)).sum();
    // The capacity is exact, so that the buffer never grows and leaves no copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(headers.saturating_add(body.len()).saturating_add(5)));
    out.push(VERSION);
    out.extend(response.status.to_be_bytes());
    out.extend(length(response.headers.len())?);
    for text in response.headers.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(length(text.len())?);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(body);
    Ok(out)
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(bytes: &SecretBytes) -> Result<StoredResponse, Error> {
    parse(bytes.expose()).ok_or_else(|| Error::Internal("a stored response is malformed".to_owned()))
}

fn parse(mut rest: &[u8]) -> Option<StoredResponse> {
    let (&version, after) = rest.split_first()?;
    if version != VERSION {
        return None;
    }
    rest = after;
    let status = number(&mut rest)?;
    let count = number(&mut rest)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((text(&mut rest)?, text(&mut rest)?));
    }
    Some(StoredResponse { status, headers, body: SecretBytes::new(rest.to_vec()) })
}

fn length(value: usize) -> Result<[u8; 2], Error> {
    u16::try_from(value)
        .map(u16::to_be_bytes)
        .map_err(|_| Error::Internal("a response has a header that is too long to be kept".to_owned()))
}

fn number(rest: &mut &[u8]) -> Option<u16> {
    let (bytes, after) = rest.split_first_chunk::<2>()?;
    *rest = after;
    Some(u16::from_be_bytes(*bytes))
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::from(number(rest)?);
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> StoredResponse {
        StoredResponse {
            status: 201,
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("location".to_owned(), String::new()),
            ],
            body: SecretBytes::new(vec![0, 1, 2, 255]),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        for body in [vec![], vec![7; 100_000], vec![0, 255]] {
            let mut written = response();
            written.body = SecretBytes::new(body);
            let read = decode(&SecretBytes::new(encode(&written).unwrap().to_vec())).unwrap();
            assert_eq!((read.status, &read.headers), (written.status, &written.headers));
            assert_eq!(read.body.expose(), written.body.expose());
        }
    }

    #[test]
    fn a_cut_or_foreign_record_is_refused() {
        let whole = encode(&response()).unwrap().to_vec();
        let head = whole.len() - 4;
        for cut in 0..head {
            assert!(parse(&whole[..cut]).is_none(), "cut at {cut}");
        }
        assert!(parse(&whole[..head]).is_some(), "an empty body is fine");
        let mut other_version = whole;
        other_version[0] = 2;
        assert!(parse(&other_version).is_none());
    }

    #[test]
    fn a_header_that_is_too_long_is_an_error_not_a_broken_record() {
        let mut long = response();
        long.headers.push(("x".to_owned(), "y".repeat(70_000)));
        assert!(encode(&long).is_err());
    }
}
