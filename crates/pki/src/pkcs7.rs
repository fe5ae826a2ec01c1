//! Certificates as PKCS#7, both ways.

use crate::Error;
use crate::tlv::{self, Malformed, Reader};
use certwright_domain::violation::Invalid;

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

/// Does this begin as a PKCS#7 SignedData, and not as a certificate?
pub(crate) fn looks_like(der: &[u8]) -> bool {
    Reader::new(der)
        .expect(tlv::SEQUENCE, "")
        .and_then(|outer| Reader::new(outer.content).expect(tlv::OID, ""))
        .is_ok_and(|kind| kind.raw == SIGNED_DATA)
}

/// The certificates of a PKCS#7 SignedData, as they stand there. Signers and CRLs are passed over: the certificates speak
/// for themselves.
pub(crate) fn certificates(der: &[u8]) -> Result<Vec<Vec<u8>>, Invalid> {
    read(der).map_err(|malformed| {
        malformed.refuse(
            "invalid_pkcs7",
            "PKCS#7 bundle",
            "Write it with `openssl crl2pkcs7 -nocrl -certfile certs.pem`, or send the certificates as PEM.",
        )
    })
}

fn read(der: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    tlv::check(der)?;
    let mut outer = Reader::only(der, tlv::SEQUENCE, "it is not a SEQUENCE")?;
    if outer.expect(tlv::OID, "the content's type is missing")?.raw != SIGNED_DATA {
        return Err(Malformed("it is no SignedData"));
    }
    let explicit = outer.expect(0xa0, "the content is missing")?;
    let mut signed = Reader::only(explicit.content, tlv::SEQUENCE, "the content is not a SEQUENCE")?;
    signed.expect(tlv::INTEGER, "the version is missing")?;
    signed.expect(tlv::SET, "the digests are missing")?;
    signed.expect(tlv::SEQUENCE, "the signed content is missing")?;
    let mut found = Vec::new();
    if let Some(members) = signed.optional(0xa0)? {
        let mut members = Reader::new(members.content);
        while let Some(member) = members.next()? {
            // Others are attribute certificates and the like.
            if member.tag == tlv::SEQUENCE {
                found.push(member.raw.to_vec());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (a, b) = (tlv::element(tlv::SEQUENCE, &[&[2, 1, 2]]), tlv::element(tlv::SEQUENCE, &[&[2, 1, 1]]));
        let der = to_pkcs7(&[&a, &b]).unwrap();
        assert!(looks_like(&der));
        assert!(!looks_like(&a));
        assert_eq!(certificates(&der).unwrap(), [b, a]);
        assert_eq!(certificates(&to_pkcs7(&[]).unwrap()).unwrap(), Vec::<Vec<u8>>::new());
        for at in 0..der.len() {
            assert_eq!(certificates(&der[..at]).unwrap_err().code, "invalid_pkcs7");
        }
    }
}
