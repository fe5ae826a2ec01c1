//! Certificates that we make: what they say, and that nothing else can be made.

use crate::openssl::Folder;
use crate::support::*;
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::constraints::RawSubtrees;
use certwright_domain::serial::Serial;
use certwright_pki::{
    Certificate, Error, Issuer, Prepared, Urls, check_issued_by, prepare, read_certificate, read_certificates, to_pem,
    to_pkcs7,
};

fn text(certificate: &Certificate) -> String {
    let folder = Folder::new();
    folder.write("a.der", &certificate.der);
    folder.run("openssl x509 -in a.der -inform DER -noout -text -nameopt utf8,sep_comma_plus_space -certopt ext_parse")
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "`{line}` is missing in\n{text}");
    }
}

#[test]
fn a_root_says_what_rfc_5280_asks() {
    let key = p256();
    let root = root_with(
        &key,
        dn(&[("country", "KR"), ("emailAddress", "ca@example.com"), ("commonName", "R")]),
        ca_rules(Some(1), None),
    );
    let text = text(&root);
    has(
        &text,
        &[
            "Version: 3 (0x2)",
            "Issuer: C=KR, emailAddress=ca@example.com, CN=R",
            "Subject: C=KR, emailAddress=ca@example.com, CN=R",
            "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:1",
            "X509v3 Key Usage: critical\n                Digital Signature, Certificate Sign, CRL Sign",
            "X509v3 Subject Key Identifier",
            "X509v3 Authority Key Identifier",
            "Not Before: Jun  1 11:59:00 2025 GMT",
        ],
    );
    assert_eq!(root.ca, Some(Some(1)));
    assert_eq!(root.subject_key_id, root.authority_key_id);
    assert_eq!(root.subject_key_id.as_ref().unwrap().len(), 20);
    check_issued_by(&root, &root).unwrap();
    assert_eq!(read_certificate(&root.der).unwrap(), root);
    assert_eq!(read_certificate(to_pem("CERTIFICATE", &root.der).as_bytes()).unwrap(), root);
}

#[test]
fn a_leaf_says_what_was_approved() {
    let key = p256();
    let ca = root(&key);
    let leaf = p256();
    let subject = dn(&[
        ("country", "KR"),
        ("stateOrProvince", "Seongnam-si"),
        ("organizationalUnit", "one"),
        ("organizationalUnit", "two"),
        ("emailAddress", "example@example.com"),
        ("commonName", "service-a.example.com"),
    ]);
    let wanted = names(&[
        "service-a.example.com",
        "*.b.example.com",
        "10.0.0.5",
        "2001:db8::1",
        "example@example.com",
        "spiffe://corp/db",
    ]);
    let approved = approve_leaf(&ca, &["serverAuth", "clientAuth"], subject.clone(), wanted.clone(), &leaf.public);
    let certificate = issue(approved, &ca, &key, &urls());
    has(
        &text(&certificate),
        &[
            "Subject: C=KR, ST=Seongnam-si, OU=one, OU=two, emailAddress=example@example.com, CN=service-a.example.com",
            "X509v3 Basic Constraints: critical\n                CA:FALSE",
            "X509v3 Key Usage: critical\n                Digital Signature\n",
            "X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication",
            "X509v3 Subject Alternative Name: \n                DNS:service-a.example.com, DNS:*.b.example.com, IP Address:10.0.0.5, IP Address:2001:DB8:0:0:0:0:0:1, email:example@example.com, URI:spiffe://corp/db",
            "OCSP - URI:http://ca.example.com/pki/issuing-1/ocsp",
            "CA Issuers - URI:http://ca.example.com/pki/issuing-1/ca.crt",
            "URI:http://ca.example.com/pki/issuing-1/crl",
        ],
    );
    assert_eq!(certificate.names, wanted);
    assert_eq!(certificate.subject, subject);
    assert_eq!(certificate.ca, None);
    assert!(!certificate.may_sign_certificates);
    assert_eq!(certificate.authority_key_id, ca.subject_key_id);
    assert_eq!(certificate.issuer_der, ca.subject_der);
    assert_eq!(certificate.public_key, leaf.public);
    assert_eq!(read_certificate(&certificate.der).unwrap(), certificate);
    check_issued_by(&certificate, &ca).unwrap();
}

#[test]
fn key_usage_follows_the_key_and_the_purpose() {
    let key = p256();
    let ca = root(&key);
    let (ec, ed25519) = (p256(), TestKey::new(KeyAlgorithm::Ed25519));
    let signing = "Digital Signature\n";
    let both = "Digital Signature, Key Encipherment\n";
    for (leaf, usages, expected) in [
        (&ec, &["serverAuth"][..], signing),
        (&ed25519, &["serverAuth"], signing),
        (rsa(), &["serverAuth", "clientAuth"], both),
        (rsa(), &["clientAuth"], signing),
        (rsa(), &["codeSigning"], signing),
        (rsa(), &["emailProtection"], both),
        (&ec, &["emailProtection"], signing),
    ] {
        let approved = approve_leaf(&ca, usages, cn("a"), names(&["a.example.com"]), &leaf.public);
        let text = text(&issue(approved, &ca, &key, &Urls::default()));
        has(&text, &[&format!("X509v3 Key Usage: critical\n                {expected}")]);
        assert!(!text.contains("Authority Information Access") && !text.contains("CRL Distribution"), "{text}");
    }
}

#[test]
fn the_name_is_critical_when_the_subject_is_empty() {
    let key = p256();
    let ca = root(&key);
    let approved = approve_leaf(&ca, &["serverAuth"], dn(&[]), names(&["a.example.com"]), &p256().public);
    let text = text(&issue(approved, &ca, &key, &Urls::default()));
    has(&text, &["X509v3 Subject Alternative Name: critical", "Subject: \n"]);
}

#[test]
fn name_constraints_of_every_kind_are_written() {
    let key = p256();
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let constraints = constraints(
        RawSubtrees {
            dns: owned(&["example.com"]),
            ip: owned(&["10.0.0.0/8", "2001:db8::/32"]),
            email: owned(&["example.com"]),
            uri: owned(&[".example.com"]),
            directory: vec![dn(&[("country", "KR"), ("organization", "DDIM")])],
        },
        RawSubtrees { dns: owned(&["bad.example.com"]), ..RawSubtrees::default() },
    );
    let subject = dn(&[("country", "KR"), ("organization", "DDIM"), ("commonName", "R")]);
    let root = root_with(&key, subject, ca_rules(None, Some(constraints.clone())));
    assert_eq!(root.name_constraints.as_ref(), Some(&constraints));
    has(
        &text(&root),
        &[
            "X509v3 Name Constraints: critical",
            "DNS:example.com",
            "IP:10.0.0.0/255.0.0.0",
            "IP:2001:DB8:0:0:0:0:0:0/FFFF:FFFF:0:0:0:0:0:0",
            "email:example.com",
            "URI:.example.com",
            "DirName:C = KR, O = DDIM",
            "Excluded:\n                  DNS:bad.example.com",
        ],
    );
}

#[test]
fn serials_and_dates_are_encoded_as_der_wants() {
    let key = p256();
    let ca = root(&key);
    let leaf = p256();
    for (serial, shown) in
        [("01", "1 (0x1)"), ("80", "128 (0x80)"), ("7fffffffffffffffffffffffffffffffffffffff", "7f:ff:ff")]
    {
        let approved = approve_leaf(&ca, &["serverAuth"], cn("a"), names(&["a.example.com"]), &leaf.public);
        let serial = Serial::parse(serial).unwrap();
        let prepared = prepare(approved, serial.clone(), &Issuer::Ca(&ca), key.algorithm, &Urls::default()).unwrap();
        let signature = key.sign(key.algorithm, prepared.tbs());
        let certificate = prepared.finish(&signature).unwrap();
        assert_eq!(certificate.serial, serial);
        has(&text(&certificate), &[shown]);
    }
    let far = approve_root(cn("far"), &key.public, ca_rules(None, None));
    assert!(far.validity().not_after().to_string().starts_with("2050-01"), "{}", far.validity().not_after());
    has(&text(&root(&key)), &["Not After : Jan 21 11:58:59 2050 GMT"]);
}

#[test]
fn every_signature_algorithm_signs_and_verifies() {
    let rsa_algorithms =
        [SignatureAlgorithm::Sha256WithRsa, SignatureAlgorithm::Sha384WithRsa, SignatureAlgorithm::Sha512WithRsa];
    for algorithm in rsa_algorithms {
        let approved = approve_root(cn("R"), &rsa().public, ca_rules(None, None));
        let prepared = prepare(approved, serial(), &Issuer::Itself, algorithm, &Urls::default()).unwrap();
        let signature = rsa().sign(algorithm, prepared.tbs());
        let root = prepared.finish(&signature).unwrap();
        assert_eq!(root.signature_algorithm, Some(algorithm));
        check_issued_by(&root, &root).unwrap();
    }
    for kind in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Ed25519] {
        let key = TestKey::new(kind);
        let root = root(&key);
        assert_eq!(root.signature_algorithm, Some(key.algorithm));
        check_issued_by(&root, &root).unwrap();
    }
}

type Sign<'a> = dyn Fn(&Prepared) -> Vec<u8> + 'a;

#[test]
fn only_a_true_signature_is_released() {
    let key = p256();
    let ca = root(&key);
    let leaf = p256();
    let approved = approve_leaf(&ca, &["serverAuth"], cn("a"), names(&["a.example.com"]), &leaf.public);
    let prepared = || prepare(approved.clone(), serial(), &Issuer::Ca(&ca), key.algorithm, &Urls::default()).unwrap();
    let by_another = |p: &Prepared| leaf.sign(leaf.algorithm, p.tbs());
    let of_another = |_: &Prepared| key.sign(key.algorithm, b"something else");
    let empty = |_: &Prepared| Vec::new();
    let signatures: [&Sign<'_>; 3] = [&by_another, &of_another, &empty];
    for signature in signatures {
        let prepared = prepared();
        let signature = signature(&prepared);
        assert!(matches!(prepared.finish(&signature), Err(Error::SelfCheck(why)) if why.contains("signature")));
    }
}

#[test]
fn what_contradicts_the_issuer_is_not_even_prepared() {
    let key = p256();
    let ca = root_with(&key, cn("R"), ca_rules(Some(0), None));
    let leaf = p256();
    let approved = || approve_leaf(&ca, &["serverAuth"], cn("a"), names(&["a.example.com"]), &leaf.public);
    let wide = root(&key);
    let sub = p256();
    let approved_sub = approve_subordinate(&wide, cn("S"), &sub.public, ca_rules(None, None));
    let certificate = issue(approved(), &ca, &key, &Urls::default());
    let attempts = [
        prepare(approved(), serial(), &Issuer::Itself, leaf.algorithm, &urls()),
        prepare(approved(), serial(), &Issuer::Ca(&certificate), key.algorithm, &urls()),
        prepare(approved(), serial(), &Issuer::Ca(&ca), SignatureAlgorithm::Sha384WithEcdsa, &urls()),
        prepare(approved(), serial(), &Issuer::Ca(&ca), SignatureAlgorithm::Sha256WithRsa, &urls()),
        prepare(approved_sub, serial(), &Issuer::Ca(&ca), key.algorithm, &urls()),
        prepare(
            approve_root(cn("X"), &sub.public, ca_rules(None, None)),
            serial(),
            &Issuer::Ca(&wide),
            key.algorithm,
            &urls(),
        ),
    ];
    for attempt in attempts {
        assert!(matches!(attempt, Err(Error::SelfCheck(_))), "{attempt:?}");
    }
    let urls = Urls { crl: vec!["http://é.example.com".to_owned()], ..Urls::default() };
    assert!(prepare(approved(), serial(), &Issuer::Ca(&ca), key.algorithm, &urls).is_err());
}

#[test]
fn pkcs7_is_what_openssl_reads() {
    let key = p256();
    let root = root(&key);
    let sub_key = p256();
    let sub =
        issue(approve_subordinate(&root, cn("S"), &sub_key.public, ca_rules(Some(0), None)), &root, &key, &urls());
    let folder = Folder::new();
    folder.write("a.p7", to_pkcs7(&[&sub.der, &root.der]).unwrap());
    let printed = folder.run("openssl pkcs7 -in a.p7 -inform DER -print_certs");
    let read = read_certificates(printed.as_bytes()).unwrap();
    assert_eq!(read.len(), 2);
    assert!(read.contains(&sub) && read.contains(&root));
    folder.write("root.pem", to_pem("CERTIFICATE", &root.der));
    folder.run("certtool --p7-info --inder --infile a.p7");
    assert!(to_pkcs7(&[b"x"]).is_err());
}
