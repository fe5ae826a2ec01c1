//! Chains of ours before other people's verifiers: OpenSSL (strict), GnuTLS and rustls-webpki.

use crate::openssl::Folder;
use crate::support::*;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::constraints::RawSubtrees;
use certwright_pki::{Certificate, to_pem};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

struct Chain {
    name: &'static str,
    root: Certificate,
    sub: Certificate,
    leaf: Certificate,
}

/// A chain per key algorithm of the CAs, with leaves of other kinds, each with all that can stand in a certificate.
fn chains() -> Vec<Chain> {
    [
        ("p256", KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384),
        ("p384", KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP256),
        ("p521", KeyAlgorithm::EcdsaP521, KeyAlgorithm::EcdsaP521),
        ("ed25519", KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519),
        ("rsa", KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa2048),
    ]
    .into_iter()
    .map(|(name, ca_kind, leaf_kind)| {
        let (root_key, sub_key, leaf_key) = (TestKey::new(ca_kind), TestKey::new(ca_kind), TestKey::new(leaf_kind));
        let root_name = dn(&[("domainComponent", "com"), ("domainComponent", "example"), ("commonName", "Root")]);
        let root = root_with(&root_key, root_name, ca_rules(Some(1), None));
        let permitted = RawSubtrees {
            dns: vec!["example.com".to_owned()],
            ip: vec!["10.0.0.0/8".to_owned()],
            ..RawSubtrees::default()
        };
        let rules = ca_rules(Some(0), Some(constraints(permitted, RawSubtrees::default())));
        let sub_name = dn(&[("organization", "DDIM"), ("organizationalUnit", "one"), ("organizationalUnit", "two")]);
        let sub = issue(approve_subordinate(&root, sub_name, &sub_key.public, rules), &root, &root_key, &urls());
        let wanted = names(&["service-a.example.com", "10.0.0.5"]);
        let subject = dn(&[("country", "KR"), ("organization", "DDIM"), ("commonName", "service-a.example.com")]);
        let approved = approve_leaf(&sub, &["serverAuth", "clientAuth"], subject, wanted, &leaf_key.public);
        let leaf = issue(approved, &sub, &sub_key, &urls());
        Chain { name, root, sub, leaf }
    })
    .collect()
}

/// Also leaves one specimen of every kind for the linters that `scripts/test` runs.
#[test]
fn openssl_gnutls_and_webpki_accept_our_chains() {
    for chain in chains() {
        let folder = Folder::new();
        let pem = |certificate: &Certificate| to_pem("CERTIFICATE", &certificate.der);
        folder
            .write("root.pem", pem(&chain.root))
            .write("sub.pem", pem(&chain.sub))
            .write("leaf.pem", pem(&chain.leaf));
        folder.write("chain.pem", pem(&chain.leaf) + &pem(&chain.sub));
        let at = now().unix_s() + 86_400;
        let verify = format!("openssl verify -x509_strict -attime {at} -CAfile root.pem -untrusted sub.pem");
        folder.run(&format!("{verify} -purpose sslserver -verify_hostname service-a.example.com leaf.pem"));
        folder.run(&format!("{verify} -purpose sslclient -verify_ip 10.0.0.5 leaf.pem"));
        assert!(!folder.try_run(&format!("{verify} -verify_hostname service-b.example.com leaf.pem")).status.success());
        assert!(!folder.try_run(&format!("{verify} -attime 1 leaf.pem")).status.success());
        folder.run("certtool --verify --load-ca-certificate root.pem --infile chain.pem --verify-hostname service-a.example.com");
        webpki_accepts(&chain);
        keep_specimens(chain.name, &[("root", &chain.root), ("sub", &chain.sub), ("leaf", &chain.leaf)]);
    }
}

fn webpki_accepts(chain: &Chain) {
    let root = chain.root.der.as_slice().into();
    let sub = chain.sub.der.as_slice().into();
    let leaf = chain.leaf.der.as_slice().into();
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    let entity = EndEntityCert::try_from(&leaf).unwrap();
    let at = std::time::Duration::from_secs(u64::try_from(now().unix_s()).unwrap() + 86_400);
    let at = rustls_pki_types::UnixTime::since_unix_epoch(at);
    entity
        .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[sub], at, KeyUsage::server_auth(), None, None)
        .unwrap();
    let name = rustls_pki_types::ServerName::try_from("service-a.example.com").unwrap();
    entity.verify_is_valid_for_subject_name(&name).unwrap();
    let other = rustls_pki_types::ServerName::try_from("service-b.example.com").unwrap();
    assert!(entity.verify_is_valid_for_subject_name(&other).is_err());
}

/// Writes PEM files below the build's own folder for temporary files.
fn keep_specimens(group: &str, certificates: &[(&str, &Certificate)]) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("specimens");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, certificate) in certificates {
        std::fs::write(folder.join(format!("{group}-{name}.pem")), to_pem("CERTIFICATE", &certificate.der)).unwrap();
    }
}

#[test]
fn specimens_of_every_profile_and_extension() {
    let key = p256();
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let all = RawSubtrees {
        dns: owned(&["example.com"]),
        ip: owned(&["10.0.0.0/8", "2001:db8::/32"]),
        email: owned(&["example.com"]),
        uri: owned(&[".example.com"]),
        directory: vec![dn(&[("country", "KR")])],
    };
    let name = dn(&[("country", "KR"), ("commonName", "Constrained Root")]);
    let root = root_with(&key, name, ca_rules(None, Some(constraints(all, RawSubtrees::default()))));
    keep_specimens("constrained", &[("root", &root)]);
    let plain = crate::support::root(&key);
    let ec = p256();
    for (name, usages, subject, wanted, leaf) in [
        ("empty-subject", &["serverAuth"][..], dn(&[]), &["a.example.com"][..], &ec),
        ("rsa-server", &["serverAuth"], cn("a.example.com"), &["a.example.com"], rsa()),
        (
            "email",
            &["emailProtection"],
            dn(&[("emailAddress", "a@example.com"), ("commonName", "A")]),
            &["a@example.com"],
            rsa(),
        ),
        ("code", &["codeSigning"], dn(&[("organization", "DDIM"), ("commonName", "Code")]), &[], &ec),
        ("uri", &["clientAuth"], cn("db"), &["https://example.com/x"], &ec),
        ("ip", &["serverAuth"], cn("10.0.0.5"), &["10.0.0.5", "2001:db8::1"], &ec),
    ] {
        let certificate =
            issue(approve_leaf(&plain, usages, subject, names(wanted), &leaf.public), &plain, &key, &urls());
        keep_specimens("profile", &[(name, &certificate)]);
    }
}
