//! What responses say, and that nothing else is released.

use super::{SHA1, SHA256, ca, cert_id, request};
use crate::support::{TestKey, cn, facts, now, p256, serial};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::rules::{KeyStanding, ResponderRequest, ServiceLimits, decide_responder};
use certwright_domain::time::Span;
use certwright_pki::ocsp::{
    CertStatus, OcspContent, OcspError, OcspResponder, SignatureCheck, SingleStatus, read_ocsp_request,
    read_ocsp_response,
};
use certwright_pki::{Certificate, Error, Issuer, Urls, prepare, read_certificate, verify_signature};

/// A delegated responder's certificate under this CA.
pub(super) fn responder(ca: &Certificate, ca_key: &TestKey, key: &TestKey) -> Certificate {
    let request = ResponderRequest {
        subject: cn("OCSP Root OCSP responder"),
        public_key: key.public.clone(),
        lifetime: Span::from_days(7),
    };
    let decision = decide_responder(&facts(ca), request, KeyStanding::Free, &ServiceLimits::default(), now());
    let approved = decision.into_result().unwrap();
    let prepared = prepare(approved, serial(), &Issuer::Ca(ca), ca_key.algorithm, &Urls::default()).unwrap();
    let signature = ca_key.sign(ca_key.algorithm, prepared.tbs());
    prepared.finish(&signature).unwrap()
}

fn revoked(reason: RevocationReason) -> CertStatus {
    CertStatus::Revoked(Revocation { at: now().minus(Span::from_hours(5)), reason })
}

#[test]
fn a_response_says_what_was_meant() {
    let (ca_key, ca) = ca();
    let key = p256();
    let certificate = responder(&ca, &ca_key, &key);
    let responder = OcspResponder::delegated(&certificate, key.algorithm).unwrap();
    let statuses = [
        CertStatus::Good,
        CertStatus::Unknown,
        revoked(RevocationReason::Unspecified),
        revoked(RevocationReason::KeyCompromise),
        revoked(RevocationReason::AaCompromise),
    ];
    let ids: Vec<Vec<u8>> =
        (1..6_u8).map(|n| cert_id(if n == 1 { SHA1 } else { SHA256 }, &[5, 0], &ca, &[n])).collect();
    let bytes = request(&ids, &[]);
    let asked = read_ocsp_request(&bytes).unwrap();
    let singles: Vec<SingleStatus<'_>> =
        asked.ids.iter().zip(statuses).map(|(id, status)| SingleStatus { id, status }).collect();
    let (this_update, next_update) = (now(), now().plus(Span::from_hours(12)));
    let content = OcspContent { singles: &singles, this_update, next_update, nonce: Some(&[9; 32]) };
    let prepared = responder.prepare(content);
    let signature = key.sign(key.algorithm, prepared.tbs());
    let der = prepared.finish(&signature, SignatureCheck::Verified).unwrap();

    let read = read_ocsp_response(&der).unwrap();
    assert_eq!(read.produced_at, now());
    assert_eq!(read.nonce, Some(&[9; 32][..]));
    assert_eq!(read.responder_certificate(), Some(&certificate.der[..]));
    verify_signature(&key.public.spki, key.algorithm, read.signed, read.signature).unwrap();
    for ((found, id), status) in read.singles.iter().zip(&ids).zip(statuses) {
        assert_eq!((found.id, found.status), (&id[..], status));
        assert_eq!((found.this_update, found.next_update), (this_update, Some(next_update)));
    }
}

#[test]
fn a_responder_may_sign_answers_and_nothing_else() {
    let (ca_key, ca) = ca();
    let key = p256();
    let certificate = responder(&ca, &ca_key, &key);
    assert_eq!(certificate.ca, None);
    assert!(!certificate.may_sign_certificates);
    let hex = hex::encode(&certificate.der);
    // extKeyUsage with OCSPSigning alone; id-pkix-ocsp-nocheck with a NULL.
    assert!(hex.contains("0603551d25040c300a06082b06010505070309"));
    assert!(hex.contains("300f06092b060105050730010504020500"));
    read_certificate(&certificate.der).unwrap();
}

#[test]
fn another_keys_signature_is_not_released() {
    let (key, ca) = ca();
    let responder = OcspResponder::issuer(&ca, key.algorithm).unwrap();
    let bytes = request(&[cert_id(SHA1, &[5, 0], &ca, &[1])], &[]);
    let asked = read_ocsp_request(&bytes).unwrap();
    let singles = [SingleStatus { id: &asked.ids[0], status: CertStatus::Good }];
    let content = || OcspContent { singles: &singles, this_update: now(), next_update: now(), nonce: None };
    let prepared = responder.prepare(content());
    let wrong = p256().sign(key.algorithm, prepared.tbs());
    assert!(matches!(prepared.finish(&wrong, SignatureCheck::Verified), Err(Error::SelfCheck(_))));
    // The CA's own answers carry no certificate: whoever asks has it.
    let prepared = responder.prepare(content());
    let signature = key.sign(key.algorithm, prepared.tbs());
    let der = prepared.finish(&signature, SignatureCheck::Verified).unwrap();
    let read = read_ocsp_response(&der).unwrap();
    assert_eq!((read.responder_certificate(), read.nonce), (None, None));
}

#[test]
fn errors_are_five_octets() {
    for (error, code) in [
        (OcspError::MalformedRequest, 1),
        (OcspError::InternalError, 2),
        (OcspError::TryLater, 3),
        (OcspError::Unauthorized, 6),
    ] {
        assert_eq!(error.der(), [0x30, 3, 0x0a, 1, code], "{}", error.as_str());
        assert!(read_ocsp_response(error.der()).is_err());
    }
}
