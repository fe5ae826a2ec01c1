//! PEM (RFC 7468), both ways. Text around the blocks is passed over, so that `openssl x509 -text` output can be read.

use crate::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::violation::Invalid;
use zeroize::Zeroizing;

/// Reads a private key from PEM (`PRIVATE KEY`, `RSA PRIVATE KEY`, `EC PRIVATE KEY`) to DER. Encrypted PEM is refused
/// with a hint. Certificates and EC parameters beside the key are passed over; a second key is refused.
pub fn read_private_key_pem(text: &str) -> Result<SecretBytes, Error> {
    let mut found: Option<SecretBytes> = None;
    for block in blocks(text)? {
        match block.label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" if !block.encrypted => {
                let der = SecretBytes::new(block.decode()?);
                if found.replace(der).is_some() {
                    return Err(key_error("There are several private keys in the PEM.", "Give exactly one."));
                }
            }
            "ENCRYPTED PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "PRIVATE KEY" => {
                return Err(key_error(
                    "The private key is encrypted.",
                    "Decrypt it first: `openssl pkey -in key.pem -out plain.pem`.",
                ));
            }
            "OPENSSH PRIVATE KEY" | "DSA PRIVATE KEY" => {
                return Err(key_error(
                    &format!("A `{}` cannot be used here.", block.label),
                    "Give PKCS#8, PKCS#1 or SEC1: `openssl pkey -in key.pem -out pkcs8.pem`.",
                ));
            }
            _ => {}
        }
    }
    found.ok_or_else(|| {
        key_error("There is no private key in the PEM.", "It begins with `-----BEGIN PRIVATE KEY-----`.")
    })
}

/// PEM with the given label (`CERTIFICATE`, `PRIVATE KEY`, `CERTIFICATE REQUEST`, `PUBLIC KEY`), 64 columns, LF.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    // 48 octets are a line of 65 characters. It may be a private key: room for all of it, so that no copy is left behind.
    let lines = der.len().div_ceil(48);
    let mut pem = String::with_capacity(lines.saturating_mul(65).saturating_add(96));
    pem.push_str("-----BEGIN ");
    pem.push_str(label);
    pem.push_str("-----\n");
    for line in der.chunks(48) {
        STANDARD.encode_string(line, &mut pem);
        pem.push('\n');
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}

/// One block, not yet decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// Between `BEGIN` and the dashes.
    pub(crate) label: &'a str,
    /// Base64 with line breaks.
    body: &'a str,
    /// An encryption header (RFC 1421) stands in it.
    encrypted: bool,
}

impl Block<'_> {
    /// The block as it stands in the text.
    pub(crate) fn to_pem(self) -> SecretText {
        SecretText::new(["-----BEGIN ", self.label, "-----", self.body, "-----END ", self.label, "-----\n"].concat())
    }

    /// The DER inside.
    pub(crate) fn decode(&self) -> Result<Vec<u8>, Invalid> {
        let mut text = Zeroizing::new(String::with_capacity(self.body.len()));
        text.extend(self.body.chars().filter(|symbol| !symbol.is_ascii_whitespace()));
        STANDARD.decode(text.as_bytes()).map_err(|_| {
            pem_error(
                &format!("The PEM block `{}` is not base64.", self.label),
                "Send the file as it is, with line breaks.",
            )
        })
    }
}

/// The DER of every block of PEM, or the one DER structure that the bytes are. Every block must carry one of `labels`;
/// a private key among them is called out.
pub(crate) fn unarmor(bytes: &[u8], labels: &[&str], wanted: &str) -> Result<Vec<Vec<u8>>, Invalid> {
    if is_der(bytes) {
        return Ok(vec![bytes.to_vec()]);
    }
    let blocks = blocks(text(bytes, wanted)?)?;
    if let Some(key) = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) {
        return Err(wrong_kind(key.label, wanted));
    }
    if let Some(other) = blocks.iter().find(|block| !labels.contains(&block.label)) {
        return Err(wrong_kind(other.label, wanted));
    }
    if blocks.is_empty() {
        return Err(neither(wanted));
    }
    blocks.iter().map(Block::decode).collect()
}

/// Is this a SEQUENCE whose length takes more than one octet? No text begins like that, and nothing shorter is read here.
pub(crate) fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0xff, ..])
}

/// The blocks of a text, in order.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block<'_>>, Invalid> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after
            .split_once("-----")
            .filter(|(label, _)| {
                label.len() <= 64 && label.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ')
            })
            .ok_or_else(|| pem_error("A PEM block's first line is not complete.", WHOLE))?;
        let (body, after) = after
            .split_once("-----END ")
            .ok_or_else(|| pem_error(&format!("The PEM block `{label}` has no end."), WHOLE))?;
        let after = after
            .strip_prefix(label)
            .and_then(|after| after.strip_prefix("-----"))
            .ok_or_else(|| pem_error(&format!("The PEM block `{label}` does not end as it began."), WHOLE))?;
        // RFC 1421 headers end with an empty line; only encrypted keys carry them today.
        let headed = body.contains(':');
        found.push(Block { label, body, encrypted: headed && body.contains("ENCRYPTED") });
        rest = after;
    }
    Ok(found)
}

pub(crate) fn text<'a>(bytes: &'a [u8], wanted: &str) -> Result<&'a str, Invalid> {
    std::str::from_utf8(bytes).map_err(|_| neither(wanted))
}

pub(crate) fn neither(wanted: &str) -> Invalid {
    pem_error(&format!("This is neither PEM nor DER of {wanted}."), "Send the file as it is, PEM or DER.")
}

/// A refusal of PEM of another kind than `wanted`, with what it is.
pub(crate) fn wrong_kind(label: &str, wanted: &str) -> Invalid {
    let (is, hint) = match label {
        "CERTIFICATE" | "X509 CERTIFICATE" => ("a certificate", String::new()),
        "TRUSTED CERTIFICATE" => (
            "a certificate with OpenSSL's own trust settings",
            "`openssl x509 -in file.pem` takes them off. ".to_owned(),
        ),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => ("a certificate request (CSR)", String::new()),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => ("a bare public key", String::new()),
        "PKCS7" | "CMS" => ("a PKCS#7 bundle", String::new()),
        "X509 CRL" => ("a certificate revocation list", String::new()),
        label if label.ends_with("PRIVATE KEY") => {
            ("a private key", "Never send a private key; this one should be replaced. ".to_owned())
        }
        _ => ("something else", String::new()),
    };
    pem_error(&format!("The PEM block `{label}` is {is}, not {wanted}."), &format!("{hint}Send {wanted}."))
}

const WHOLE: &str = "Send the whole file, from `-----BEGIN` to the end of the `-----END` line.";

fn pem_error(detail: &str, hint: &str) -> Invalid {
    Invalid::new("invalid_pem", detail, hint)
}

fn key_error(detail: &str, hint: &str) -> Error {
    Invalid::new("invalid_private_key", detail, hint).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(result: Result<SecretBytes, Error>) -> (&'static str, String) {
        match result {
            Err(Error::Invalid(invalid)) => (invalid.code, invalid.detail),
            _ => panic!("not refused"),
        }
    }

    #[test]
    fn private_keys_are_picked_out() {
        let pem = format!("{}text\n{}", to_pem("EC PARAMETERS", &[6, 0]), to_pem("EC PRIVATE KEY", b"key"));
        assert_eq!(read_private_key_pem(&pem).unwrap().expose().as_slice(), b"key");
        let crlf = to_pem("PRIVATE KEY", &[7; 100]).replace('\n', "\r\n");
        assert_eq!(read_private_key_pem(&crlf).unwrap().expose().as_slice(), [7; 100]);
    }

    #[test]
    fn unusable_private_keys_are_refused() {
        let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let two = to_pem("PRIVATE KEY", b"a").repeat(2);
        for (pem, says) in [
            (encrypted.to_owned(), "is encrypted"),
            (to_pem("ENCRYPTED PRIVATE KEY", b"a"), "is encrypted"),
            (to_pem("OPENSSH PRIVATE KEY", b"a"), "cannot be used"),
            (two, "several"),
            (to_pem("CERTIFICATE", b"a"), "no private key"),
            (String::new(), "no private key"),
            ("-----BEGIN PRIVATE KEY-----\nA".to_owned(), "has no end"),
            ("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----".to_owned(), "not base64"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END CERTIFICATE-----".to_owned(), "does not end as it began"),
        ] {
            let (_, detail) = code(read_private_key_pem(&pem));
            assert!(detail.contains(says), "{detail}");
        }
    }

    #[test]
    fn a_private_key_in_the_wrong_place_is_called_out() {
        let refusal = wrong_kind("EC PRIVATE KEY", "a CSR");
        assert!(refusal.detail.contains("is a private key, not a CSR"), "{}", refusal.detail);
        assert!(refusal.hint.starts_with("Never send a private key"));
    }

    proptest! {
        #[test]
        fn round_trip(der in proptest::collection::vec(any::<u8>(), 0..300)) {
            let pem = to_pem("CERTIFICATE", &der);
            prop_assert!(pem.lines().all(|line| line.len() <= 64));
            let found = blocks(&pem).unwrap();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].decode().unwrap(), der);
        }

        #[test]
        fn garbage_does_not_panic(text in "(-----BEGIN |-----END |-----|[A-Z ]|\\PC){0,40}") {
            let _ = blocks(&text);
            let _ = read_private_key_pem(&text);
        }
    }
}
