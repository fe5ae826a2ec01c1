//! PKCS#10 requests (RFC 2986) for P-256 keys, as `openssl req` would make them: subject with a common name, one DNS name.

use anyhow::{Result, anyhow};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// pkcs-9-at-extensionRequest
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// A request with a new key, PEM.
pub(crate) fn pem(name: &str) -> Result<String> {
    let failed = |_| anyhow!("the crypto library failed");
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(failed)?;

    let attribute = sequence(&[&oid(COMMON_NAME), &element(0x0c, &[name.as_bytes()])]);
    let subject = sequence(&[&element(0x31, &[&attribute])]);
    let names = sequence(&[&element(0x82, &[name.as_bytes()])]);
    let extension = sequence(&[&oid(SUBJECT_ALT_NAME), &element(0x04, &[&names])]);
    let extensions = element(0x31, &[&sequence(&[&extension])]);
    let attributes = element(0xa0, &[&sequence(&[&oid(EXTENSION_REQUEST), &extensions])]);
    let version = element(0x02, &[&[0]]);
    let information = sequence(&[&version, &subject, public.as_ref(), &attributes]);

    let signature = key.sign(&SystemRandom::new(), &information).map_err(failed)?;
    let request =
        sequence(&[&information, &sequence(&[&oid(ECDSA_WITH_SHA256)]), &element(0x03, &[&[0], signature.as_ref()])]);
    let mut pem = String::from("-----BEGIN CERTIFICATE REQUEST-----\n");
    for line in base64::engine::general_purpose::STANDARD.encode(request).as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line)?);
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE REQUEST-----\n");
    Ok(pem)
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    element(0x06, &[bytes])
}

/// A DER element of at most 65,535 bytes.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let [high, low] = u16::try_from(contents.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut bytes = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    bytes.extend(contents);
    bytes
}
