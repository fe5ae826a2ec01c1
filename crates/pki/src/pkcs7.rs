//! Certificates as PKCS#7.

use crate::Error;
use crate::tlv;

/// id-data, 1.2.840.113549.1.7.1, whole element.
const DATA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// id-signedData, 1.2.840.113549.1.7.2, whole element.
const SIGNED_DATA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

/// A degenerate PKCS#7 (certs-only SignedData, RFC 2315 section 9.1) of these certificates. DER sorts the members of a
/// SET OF, so the order given is not kept.
pub fn to_pkcs7(certificates: &[&[u8]]) -> Result<Vec<u8>, Error> {
    for certificate in certificates {
        tlv::check(certificate).map_err(|at| Error::Encoding(format!("a certificate is not DER: {}", at.0)))?;
    }
    let mut sorted = certificates.to_vec();
    sorted.sort_unstable();
    let version = tlv::element(tlv::INTEGER, &[&[1]]);
    let no_digests = tlv::element(tlv::SET, &[]);
    let content = tlv::element(tlv::SEQUENCE, &[DATA]);
    let members = tlv::element(0xa0, &sorted);
    let no_signers = tlv::element(tlv::SET, &[]);
    let signed = tlv::element(tlv::SEQUENCE, &[&version, &no_digests, &content, &members, &no_signers]);
    Ok(tlv::element(tlv::SEQUENCE, &[SIGNED_DATA, &tlv::element(0xa0, &[&signed])]))
}
