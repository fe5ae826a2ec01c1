//! Nothing that comes from outside makes the readers panic, and nothing damaged passes for sound.

use crate::crl::{delta, every_reason};
use crate::support::{approve_leaf, ca_rules, cn, constraints, dn, issue, names, p256, root_with, urls};
use certwright_domain::constraints::RawSubtrees;
use certwright_pki::{
    CrlBuilder, CrlHeader, check_issued_by, parse_csr, prepare_ca_csr, read_certificate, read_certificates, read_crl,
    read_public_key, to_pem,
};
use proptest::prelude::*;
use std::sync::OnceLock;

struct Seeds {
    ca: certwright_pki::Certificate,
    leaf: Vec<u8>,
    csr: Vec<u8>,
    crl: Vec<u8>,
}

fn seeds() -> &'static Seeds {
    static SEEDS: OnceLock<Seeds> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let key = p256();
        let permitted = RawSubtrees {
            dns: vec!["example.com".to_owned()],
            ip: vec!["10.0.0.0/8".to_owned()],
            ..RawSubtrees::default()
        };
        let nc = constraints(permitted, RawSubtrees::default());
        let ca = root_with(&key, dn(&[("country", "KR"), ("commonName", "R")]), ca_rules(Some(2), Some(nc.clone())));
        let approved = approve_leaf(
            &ca,
            &["serverAuth"],
            cn("a.example.com"),
            names(&["a.example.com", "10.0.0.5"]),
            &p256().public,
        );
        let leaf = issue(approved, &ca, &key, &urls()).der;
        let prepared = prepare_ca_csr(&cn("S"), &key.public, Some(1), Some(&nc), key.algorithm).unwrap();
        let signature = key.sign(key.algorithm, prepared.info());
        let csr = prepared.finish(&signature).unwrap();
        let header = CrlHeader { distribution_point: urls().crl, ..delta() };
        let mut builder = CrlBuilder::new(&ca, key.algorithm, header).unwrap();
        every_reason().iter().for_each(|entry| builder.push(entry).unwrap());
        let prepared = builder.finish_tbs().unwrap();
        let signature = key.sign(key.algorithm, prepared.tbs());
        let crl = prepared.finish(&signature).unwrap().into_der();
        Seeds { ca, leaf, csr, crl }
    })
}

/// Up to four edits: overwrite, insert, remove, cut off.
fn edits() -> impl Strategy<Value = Vec<(u8, usize, u8)>> {
    proptest::collection::vec((0..4_u8, any::<usize>(), any::<u8>()), 1..5)
}

fn edited(seed: &[u8], edits: &[(u8, usize, u8)]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (kind, at, value) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = at % bytes.len();
        match kind {
            0 => bytes[at] = *value,
            1 => bytes.insert(at, *value),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(bytes.len() - (at % 8)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_certificates(edits in edits()) {
        for seed in [&seeds().ca.der, &seeds().leaf] {
            let bytes = edited(seed, &edits);
            if let Ok(read) = read_certificate(&bytes) && bytes != *seed {
                // The reader may accept other content, but it is not content that the CA signed.
                prop_assert!(check_issued_by(&read, &seeds().ca).is_err());
            }
        }
    }

    #[test]
    fn damaged_csrs(edits in edits()) {
        let bytes = edited(&seeds().csr, &edits);
        prop_assert!(bytes == seeds().csr || parse_csr(&bytes).is_err());
    }

    #[test]
    fn damaged_crls(edits in edits()) {
        let bytes = edited(&seeds().crl, &edits);
        prop_assert!(bytes == seeds().crl || read_crl(&bytes, &seeds().ca).is_err());
        let pem = edited(to_pem("X509 CRL", &seeds().crl).as_bytes(), &edits);
        prop_assert!(read_crl(&pem, &seeds().ca).map_or(true, |read| read.der() == seeds().crl));
    }

    #[test]
    fn noise(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let framed = [&[0x30, 0x82, u8::try_from(bytes.len() / 256).unwrap(), u8::try_from(bytes.len() % 256).unwrap()], &bytes[..]].concat();
        for bytes in [&bytes, &framed] {
            let _ = parse_csr(bytes);
            let _ = read_certificates(bytes);
            let _ = read_public_key(bytes);
            let _ = read_crl(bytes, &seeds().ca);
        }
    }
}
