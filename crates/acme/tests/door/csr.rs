//! CSRs made byte by byte, so that tests can make them wrong.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

pub(crate) struct Csr {
    pub(crate) key: EcdsaKeyPair,
    pub(crate) common_name: Option<String>,
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) asks_for_ca: bool,
    /// Signs something else.
    pub(crate) forged: bool,
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match contents.len() {
        short @ 0..=127 => der.push(short as u8),
        medium @ 128..=255 => der.extend([0x81, medium as u8]),
        long => der.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    der.extend(contents);
    der
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn new_key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()
}

impl Csr {
    /// For these DNS names and addresses, with a key of its own.
    pub(crate) fn new(names: &[&str]) -> Self {
        let name = |name: &&str| match name.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(v4)) => tlv(0x87, &v4.octets()),
            Ok(std::net::IpAddr::V6(v6)) => tlv(0x87, &v6.octets()),
            Err(_) => tlv(0x82, name.as_bytes()),
        };
        let names = names.iter().map(name).collect();
        Self { key: new_key(), common_name: None, names, asks_for_ca: false, forged: false }
    }

    pub(crate) fn common_name(self, name: &str) -> Self {
        Self { common_name: Some(name.to_owned()), ..self }
    }

    /// With an e-mail address as a name.
    pub(crate) fn email(mut self, address: &str) -> Self {
        self.names.push(tlv(0x81, address.as_bytes()));
        self
    }

    pub(crate) fn asking_for_ca(self) -> Self {
        Self { asks_for_ca: true, ..self }
    }

    pub(crate) fn with_key(self, key: EcdsaKeyPair) -> Self {
        Self { key, ..self }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let subject = match &self.common_name {
            Some(name) => {
                let attribute = sequence(&[tlv(6, &[0x55, 4, 3]), tlv(0x0c, name.as_bytes())]);
                sequence(&[tlv(0x31, &attribute)])
            }
            None => sequence(&[]),
        };
        let mut extensions = Vec::new();
        if !self.names.is_empty() {
            let names = tlv(4, &sequence(&self.names));
            extensions.push(sequence(&[tlv(6, &[0x55, 0x1d, 0x11]), names]));
        }
        if self.asks_for_ca {
            let ca = tlv(4, &sequence(&[tlv(1, &[0xff])]));
            extensions.push(sequence(&[tlv(6, &[0x55, 0x1d, 0x13]), tlv(1, &[0xff]), ca]));
        }
        let requested = match extensions.is_empty() {
            true => Vec::new(),
            false => {
                let oid = tlv(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14]);
                sequence(&[oid, tlv(0x31, &sequence(&extensions))])
            }
        };
        let key: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        let info = sequence(&[tlv(2, &[0]), subject, key.as_ref().to_vec(), tlv(0xa0, &requested)]);
        let signed = if self.forged { b"something else".as_slice() } else { info.as_slice() };
        let signature = self.key.sign(&SystemRandom::new(), signed).unwrap();
        let algorithm = sequence(&[tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        let bits = [&[0], signature.as_ref()].concat();
        sequence(&[info, algorithm, tlv(3, &bits)])
    }
}
