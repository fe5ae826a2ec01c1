//! What is read of requests.

use super::{NONCE, SHA1, SHA256, ca, cert_id, der, extension, nonce, request};
use certwright_pki::ocsp::{
    IdHash, MAX_OCSP_REQUEST_BYTES, MAX_SINGLE_REQUESTS, OcspIssuer, may_have_ocsp_nonce, read_ocsp_request,
};
use proptest::prelude::*;

const NULL: &[u8] = &[0x05, 0];
const SHA512: &[u8] = &[0x06, 9, 0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 3];

#[test]
fn identifiers_name_their_issuer() {
    let ((_, ours), (_, other)) = (ca(), ca());
    let issuer = OcspIssuer::of(&ours).unwrap();
    for (hash, parameters, known) in [
        (SHA1, NULL, IdHash::Sha1),
        (SHA1, &[][..], IdHash::Sha1),
        (SHA256, NULL, IdHash::Sha256),
        (SHA256, &[], IdHash::Sha256),
        (SHA512, NULL, IdHash::Other),
    ] {
        let id = cert_id(hash, parameters, &ours, &[0x12, 0x34]);
        let bytes = request(std::slice::from_ref(&id), &[]);
        let read = read_ocsp_request(&bytes).unwrap();
        assert_eq!((read.ids.len(), read.nonce), (1, None));
        let found = &read.ids[0];
        assert_eq!((found.raw, found.hash), (&id[..], known));
        assert_eq!(found.serial.as_ref().unwrap().to_string(), "1234");
        assert_eq!(issuer.is_named_by(found), known != IdHash::Other);
        // Same name, another key.
        assert!(!OcspIssuer::of(&other).unwrap().is_named_by(found));
    }
}

#[test]
fn serials_that_no_certificate_has_are_none() {
    let (_, ours) = ca();
    for serial in [&[0][..], &[0xff], &[0x80, 1], &[0x7f; 21], &[1; 40]] {
        let bytes = request(&[cert_id(SHA1, NULL, &ours, serial)], &[]);
        assert_eq!(read_ocsp_request(&bytes).unwrap().ids[0].serial, None, "{serial:?}");
    }
}

/// RFC 9654 section 2.1: 1 to 128 octets.
#[test]
fn nonces_of_every_length() {
    let (_, ours) = ca();
    let id = cert_id(SHA256, NULL, &ours, &[1]);
    for length in 0..=130_usize {
        let octets = vec![0xa5; length];
        let bytes = request(std::slice::from_ref(&id), &[nonce(&octets)]);
        assert!(may_have_ocsp_nonce(&bytes), "{length}");
        let read = read_ocsp_request(&bytes);
        match (1..=128).contains(&length) {
            true => assert_eq!(read.unwrap().nonce, Some(&octets[..]), "{length}"),
            false => assert_eq!(read.unwrap_err().0, "the nonce is not of 1 to 128 octets", "{length}"),
        }
    }
}

#[test]
fn a_request_without_a_nonce_is_seen_to_have_none() {
    let (_, ours) = ca();
    let ids = [cert_id(SHA1, NULL, &ours, &[1]), cert_id(SHA256, NULL, &ours, &[2])];
    for bytes in [&request(&ids, &[])[..], &[], &[0x2b]] {
        assert!(!may_have_ocsp_nonce(bytes));
    }
}

#[test]
fn forms_that_are_refused_are_named() {
    let (_, ours) = ca();
    let id = || cert_id(SHA1, NULL, &ours, &[1]);
    let single = |rest: &[u8]| der(0x30, &der(0x30, &der(0x30, &der(0x30, &[&id(), rest].concat()))));
    let tbs =
        |before: &[u8], after: &[u8]| der(0x30, &der(0x30, &[before, &der(0x30, &der(0x30, &id())), after].concat()));
    let unknown = |critical| extension(&[0x06, 1, 0x2a], critical, &[]);
    let short =
        der(0x30, &[der(0x30, &[SHA1, NULL].concat()), der(4, &[1; 19]), der(4, &[1; 20]), der(2, &[1])].concat());
    let table: &[(Vec<u8>, &str)] = &[
        (Vec::new(), "it is empty"),
        (vec![0x30, 0], "the TBSRequest is missing"),
        (request(&[], &[]), "it asks about no certificate"),
        (request(&vec![id(); MAX_SINGLE_REQUESTS + 1], &[]), "it asks about too many certificates"),
        (vec![0x30; MAX_OCSP_REQUEST_BYTES + 1], "it is too large"),
        (request(&[short], &[]), "a hash has a wrong length"),
        (request(&[cert_id(SHA1, &[0x02, 1, 1], &ours, &[1])], &[]), "a hash has parameters that are not NULL"),
        (request(&[id()], &[unknown(true)]), "it has a critical extension that is not known here"),
        (request(&[id()], &[unknown(false), unknown(false)]), "it has an extension twice"),
        (request(&[id()], &[nonce(&[1]), nonce(&[1])]), "it has an extension twice"),
        (request(&[id()], &[extension(NONCE, false, &[0x05, 0])]), "the nonce is not an OCTET STRING"),
        (single(&der(0xa0, &der(0x30, &unknown(true)))), "it has a critical extension that is not known here"),
        (single(&der(0x05, &[])), "something follows a single request"),
        (tbs(&der(0xa0, &[2, 1, 1]), &[]), "the version is not 1"),
        (tbs(&[], &der(0x05, &[])), "something follows the extensions"),
    ];
    for (bytes, what) in table {
        assert_eq!(read_ocsp_request(bytes).unwrap_err().0, *what);
    }
}

#[test]
fn what_need_not_be_understood_is_read_past() {
    let (_, ours) = ca();
    let id = cert_id(SHA1, NULL, &ours, &[1]);
    let ignored = extension(&[0x06, 1, 0x2a], false, &[1, 2, 3]);
    // A critical nonce is understood.
    let critical = extension(NONCE, true, &der(0x04, &[7; 32]));
    let bytes = request(std::slice::from_ref(&id), &[ignored.clone(), critical]);
    assert_eq!(read_ocsp_request(&bytes).unwrap().nonce, Some(&[7; 32][..]));
    // An explicit version 1, a requestor's name, an extension of the single request, and a signature.
    let single = der(0x30, &[id, der(0xa0, &der(0x30, &ignored))].concat());
    let tbs = der(0x30, &[der(0xa0, &[2, 1, 0]), der(0xa1, &der(0x82, b"a")), der(0x30, &single)].concat());
    let signed = der(0x30, &[tbs, der(0xa0, &der(0x30, &der(0x03, &[0, 1])))].concat());
    assert_eq!(read_ocsp_request(&signed).unwrap().ids.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_ocsp_request(&bytes);
        let _ = read_ocsp_request(&der(0x30, &bytes));
        let _ = read_ocsp_request(&der(0x30, &der(0x30, &der(0x30, &bytes))));
    }

    /// What is read of a damaged request is bounded as any other.
    #[test]
    fn damage_is_refused_or_bounded(at in any::<usize>(), value in any::<u8>(), cut in any::<usize>()) {
        let hashes = [[3; 20], [4; 20]].map(|hash| der(0x04, &hash)).concat();
        let id = der(0x30, &[der(0x30, &[SHA1, NULL].concat()), hashes, der(2, &[9])].concat());
        let mut bytes = request(&[id.clone(), id], &[nonce(&[1; 32])]);
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut % 3);
        if let Ok(read) = read_ocsp_request(&bytes) {
            prop_assert!((1..=MAX_SINGLE_REQUESTS).contains(&read.ids.len()));
            prop_assert!(read.nonce.is_none_or(|nonce| (1..=128).contains(&nonce.len())));
        }
    }
}
