//! The text of a token: making and reading it. Each kind of token has a prefix of its own.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::ambient::Entropy;
use certwright_domain::secret::SecretText;
use certwright_domain::serial::Sha256;
use zeroize::Zeroizing;

/// What stands before the ULID of an API token.
pub(crate) const API_TOKEN: &str = "cwt_";
/// What stands before the ULID of an enrolment token.
pub(crate) const ENROLLMENT_TOKEN: &str = "cwe_";
/// 32 bytes in base64url without padding.
const SECRET_CHARS: usize = 43;
const CHECK_CHARS: usize = 6;

/// Makes the text of the token with this id (`<kind>_<ULID>`), and the SHA-256 of its secret part.
pub(crate) fn mint(prefix: &'static str, id: &str, entropy: &dyn Entropy) -> (Sha256, SecretText) {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    entropy.fill(&mut *bytes);
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    let ulid = id.split_once('_').map_or("", |(_, ulid)| ulid);
    let body = Zeroizing::new(format!("{prefix}{ulid}_{}", &*secret));
    let text = SecretText::new(format!("{}{}", &*body, checksum(&body)));
    (sha256(secret.as_bytes()), text)
}

/// Reads a token's text: its ULID, and the SHA-256 of its secret part. `None`: it is not one of these tokens.
pub(crate) fn parse<'t>(prefix: &'static str, text: &'t str) -> Option<(&'t str, Sha256)> {
    // Longer texts are not looked at.
    let body_length = text.len().checked_sub(CHECK_CHARS).filter(|length| *length <= 128)?;
    let (body, check) = text.split_at_checked(body_length)?;
    let (ulid, secret) = body.strip_prefix(prefix)?.split_once('_')?;
    let well_formed = secret.len() == SECRET_CHARS
        && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && checksum(body) == check;
    well_formed.then(|| (ulid, sha256(secret.as_bytes())))
}

/// Is this the secret part of the token whose hash is stored? The one place where tokens are compared, in constant time. Where there is
/// no such token the same comparison is made: no SHA-256 is all zero.
pub(crate) fn fits(secret: &Sha256, stored: Option<&Sha256>) -> bool {
    let stored = stored.map_or([0; 32], |stored| stored.0);
    verify_slices_are_equal(&secret.0, &stored).is_ok()
}

/// 36 bits of the SHA-256 of everything before it. It guards against typing errors, not against forgery.
fn checksum(body: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(body.as_bytes()).0).chars().take(CHECK_CHARS).collect()
}

fn sha256(bytes: &[u8]) -> Sha256 {
    let mut out = [0; 32];
    out.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    Sha256(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token's text built by hand, without the code under test's `mint`.
    fn text_of(ulid: &str, secret: &str) -> String {
        let body = format!("cwt_{ulid}_{secret}");
        format!("{body}{}", checksum(&body))
    }

    const ULID: &str = "01JD8XK4M2W7Z3T5V9YQ6B1C0D";
    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd_-8";

    #[test]
    fn reads_id_and_hash_of_the_secret_part() {
        let text = text_of(ULID, SECRET);
        assert_eq!(parse(API_TOKEN, &text), Some((ULID, sha256(SECRET.as_bytes()))));
    }

    #[test]
    fn a_secret_fits_its_own_hash_alone() {
        let (one, other) = (sha256(b"one"), sha256(b"other"));
        assert!(fits(&one, Some(&one)));
        assert!(!fits(&one, Some(&other)) && !fits(&one, None) && !fits(&other, Some(&Sha256([0; 32]))));
        for at in 0..32 {
            let mut close = one;
            close.0[at] ^= 1;
            assert!(!fits(&close, Some(&one)), "{at}");
        }
    }

    #[test]
    fn one_kind_of_token_is_not_another() {
        assert!(parse(ENROLLMENT_TOKEN, &text_of(ULID, SECRET)).is_none());
        let body = format!("{ENROLLMENT_TOKEN}{ULID}_{SECRET}");
        let text = format!("{body}{}", checksum(&body));
        assert!(parse(ENROLLMENT_TOKEN, &text).is_some());
        assert!(parse(API_TOKEN, &text).is_none());
    }

    #[test]
    fn anything_else_is_not_a_token() {
        let good = text_of(ULID, SECRET);
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(parse(API_TOKEN, &changed).is_none(), "changed at {at}: {changed}");
        }
        for wrong in [
            "",
            "cwt_",
            "Bearer",
            "ééé",
            "cwt_\u{e9}\u{e9}",
            good.split_at(good.len() - 1).0,
            &format!("{good}A"),
            &format!(" {good}"),
            &text_of(ULID, SECRET.split_at(SECRET_CHARS - 1).0),
            &text_of(ULID, &format!("{SECRET}A")),
            &"A".repeat(1_000_000),
        ] {
            assert!(parse(API_TOKEN, wrong).is_none(), "{}", wrong.chars().take(80).collect::<String>());
        }
    }
}
