//! OCSP requests as a client writes them, from hashes that the test has made.

/// A DER element; contents below 64 KiB.
pub fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(low),
        0x80..0x100 => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}

/// AlgorithmIdentifier of SHA-1.
pub const SHA1: &[u8] = &[0x30, 9, 0x06, 5, 0x2b, 14, 3, 2, 26, 0x05, 0];
/// AlgorithmIdentifier of SHA-256.
pub const SHA256: &[u8] = &[0x30, 13, 0x06, 9, 0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 1, 0x05, 0];

/// What a certificate identifies its holder by as an issuer: the DER of its subject and the bits of its key.
pub fn issuer_parts(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, certificate, _) = take(certificate)?;
    let (_, mut rest, _) = take(certificate)?;
    // version, serial, signature, issuer, validity
    for _ in 0..5 {
        (_, _, rest) = take(rest)?;
    }
    let (_, _, after) = take(rest)?;
    let subject = rest.get(..rest.len().checked_sub(after.len())?)?;
    let (_, spki, _) = take(after)?;
    let (_, _, bits) = take(spki)?;
    let (_, bits, _) = take(bits)?;
    Some((subject, bits.get(1..)?))
}

/// Tag, contents and what follows.
fn take(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        _ => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0_usize, |length, octet| (length << 8) | usize::from(*octet)), rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

/// A CertID. `serial`: the contents of its INTEGER.
pub fn cert_id(algorithm: &[u8], name_hash: &[u8], key_hash: &[u8], serial: &[u8]) -> Vec<u8> {
    der(0x30, &[algorithm, &der(0x04, &[name_hash]), &der(0x04, &[key_hash]), &der(0x02, &[serial])])
}

/// A request about these CertIDs.
pub fn request(ids: &[Vec<u8>], nonce: Option<&[u8]>) -> Vec<u8> {
    let list: Vec<Vec<u8>> = ids.iter().map(|id| der(0x30, &[id])).collect();
    let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
    let extensions = nonce.map(|nonce| {
        let oid: &[u8] = &[0x06, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
        let value = der(0x04, &[&der(0x04, &[nonce])]);
        der(0xa2, &[&der(0x30, &[&der(0x30, &[oid, &value])])])
    });
    let tbs = der(0x30, &[&der(0x30, &list), extensions.as_deref().unwrap_or_default()]);
    der(0x30, &[&tbs])
}
