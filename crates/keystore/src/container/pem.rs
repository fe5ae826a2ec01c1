//! The private key in a PEM text. Whatever else stands there is passed over; certificates are others' business.

use super::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// How a private key stands in PEM.
pub(super) enum Found<'a> {
    /// In the clear: PKCS#8, PKCS#1 or SEC1.
    Clear(Zeroizing<Vec<u8>>),
    /// PKCS#8 EncryptedPrivateKeyInfo.
    Pkcs8(Zeroizing<Vec<u8>>),
    /// Traditional, encrypted: the cipher's name and the IV in hex of `DEK-Info`.
    Traditional { cipher: &'a str, iv: &'a str, body: Zeroizing<Vec<u8>> },
}

const BROKEN: Error = Error::Malformed("a PEM block is not whole");

/// The one private key of a text.
pub(super) fn private_key(text: &str) -> Result<Found<'_>, Error> {
    let mut found = None;
    let mut keys = 0usize;
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(BROKEN)?;
        let (body, after) = after.split_once("-----END ").ok_or(BROKEN)?;
        rest = after.strip_prefix(label).and_then(|after| after.strip_prefix("-----")).ok_or(BROKEN)?;
        match label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => found = Some(clear_or_traditional(body)?),
            "ENCRYPTED PRIVATE KEY" => found = Some(Found::Pkcs8(decode(body)?)),
            label if label.ends_with("PRIVATE KEY") => {
                return Err(Error::Unsupported(format!("the form `{}`", label.escape_default())));
            }
            _ => continue,
        }
        keys = keys.saturating_add(1);
    }
    match (found, keys) {
        (Some(found), 1) => Ok(found),
        (_, 0) => Err(Error::NoPrivateKey),
        (_, several) => Err(Error::SeveralPrivateKeys(several)),
    }
}

/// RFC 1421 headers, where there are any, end with an empty line.
fn clear_or_traditional(body: &str) -> Result<Found<'_>, Error> {
    if !body.contains(':') {
        return decode(body).map(Found::Clear);
    }
    let mut encrypted = false;
    let mut cipher = None;
    let mut lines = body.split_inclusive('\n');
    let mut header_bytes = 0usize;
    // The first line ends the BEGIN line.
    for (number, line) in lines.by_ref().enumerate() {
        header_bytes = header_bytes.saturating_add(line.len());
        match line.trim().split_once(':') {
            Some(("Proc-Type", value)) => encrypted = value.trim() == "4,ENCRYPTED",
            Some(("DEK-Info", value)) => cipher = value.trim().split_once(','),
            Some(_) => {}
            None if number == 0 => {}
            None => break,
        }
    }
    let body = decode(body.get(header_bytes..).unwrap_or_default())?;
    match (encrypted, cipher) {
        (true, Some((cipher, iv))) => Ok(Found::Traditional { cipher, iv, body }),
        (true, None) => Err(Error::Malformed("the PEM block does not say how it is encrypted (DEK-Info)")),
        (false, _) => Ok(Found::Clear(body)),
    }
}

fn decode(body: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut text = Zeroizing::new(String::with_capacity(body.len()));
    text.extend(body.chars().filter(|symbol| !symbol.is_ascii_whitespace()));
    STANDARD.decode(text.as_bytes()).map(Zeroizing::new).map_err(|_| Error::Malformed("a PEM block is not base64"))
}

/// PEM of these bytes, 64 columns, LF.
pub(super) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let lines = body.len().div_ceil(64);
    let mut pem = Zeroizing::new(String::with_capacity(body.len().saturating_add(lines).saturating_add(96)));
    pem.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.extend([line, "\n"]);
        rest = after;
    }
    pem.extend(["-----END ", label, "-----\n"]);
    pem
}
