//! Certificates made by others: what is read, and what is refused.

use crate::openssl::Folder;
use crate::support::{ca_rules, cn, p256, root, root_with};
use certwright_pki::{
    Certificate, Error, check_ca_certificate, check_issued_by, read_certificate, read_certificates,
    read_certificates_each, to_pem,
};

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign";

/// A self-signed certificate of openssl's with these extensions.
fn self_signed(folder: &Folder, options: &str, extensions: &str) -> Vec<u8> {
    folder.write("x.cnf", format!("[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nC=KR\nCN=Foreign\n[ext]\n{extensions}\n"));
    folder.run(&format!(
        "openssl req -x509 -config x.cnf -nodes -keyout x.key -outform DER -out x.der -days 30 {options}"
    ));
    folder.read("x.der")
}

fn refused(bytes: &[u8]) -> String {
    match read_certificate(bytes) {
        Err(Error::Invalid(invalid)) => invalid.detail,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_foreign_root_is_read() {
    let folder = Folder::new();
    let extensions = format!(
        "{CA}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\ncertificatePolicies=1.2.3\nsubjectAltName=dirName:dn"
    );
    for (options, known) in [(EC, true), ("-newkey rsa:2048 -sha1", false), ("-newkey ed25519", true)] {
        let root = read_certificate(&self_signed(&folder, options, &extensions)).unwrap();
        check_ca_certificate(&root).unwrap();
        assert_eq!(root.ca, Some(None));
        assert!(root.is_self_issued());
        // SHA-1 on a trust anchor proves nothing and hurts nobody.
        assert_eq!(root.signature_algorithm.is_some(), known);
        assert_eq!(check_issued_by(&root, &root).is_ok(), known);
        let text = folder.run("openssl x509 -inform DER -in x.der -text");
        assert_eq!(read_certificates(text.as_bytes()).unwrap(), [root]);
    }
}

/// OpenSSL is asked as well: what we let through is what it lets through.
#[test]
fn the_leading_dot_of_a_foreign_constraint_is_read_as_verifiers_read_it() {
    let folder = Folder::new();
    let extensions = format!("{CA}\nsubjectKeyIdentifier=hash\nnameConstraints=critical,permitted;DNS:.example.com");
    let root = read_certificate(&self_signed(&folder, EC, &extensions)).unwrap();
    let constraints = root.name_constraints.unwrap();
    assert_eq!(constraints.permitted().dns, [".example.com"]);
    for (name, fine) in [("example.com", false), ("a.example.com", true), ("*.example.com", true)] {
        let san = certwright_domain::san::San::parse(name).unwrap();
        assert_eq!(constraints.refuse(&san).is_none(), fine, "{name}");
        folder.csr(EC, "CN=leaf", "", "");
        folder.write("leaf.cnf", format!("subjectAltName=DNS:{name}\n"));
        folder.run("openssl x509 -req -in a.csr -inform DER -CA x.der -CAform DER -CAkey x.key -CAcreateserial -extfile leaf.cnf -out leaf.pem");
        folder.run("openssl x509 -in x.der -inform DER -out x.pem");
        assert_eq!(folder.try_run("openssl verify -CAfile x.pem leaf.pem").status.success(), fine, "{name}");
    }
}

/// What others wrote is there, whatever we would have said to it; asked of us, it is refused (RFC 4518 section 2.2).
#[test]
fn what_nobody_sees_in_a_name_is_read_and_not_certified() {
    let folder = Folder::new();
    let subject = "CN=a\u{200d}b";
    let csr = folder.csr(EC, subject, "-utf8", "");
    match certwright_pki::parse_csr(&csr) {
        Err(Error::Invalid(invalid)) => assert!(invalid.detail.contains("U+200D"), "{}", invalid.detail),
        other => panic!("not refused: {other:?}"),
    }
    folder.write("ca.cnf", CA);
    folder.run("openssl x509 -req -in a.csr -inform DER -signkey a.key -extfile ca.cnf -outform DER -out joined.der");
    let read = read_certificate(&folder.read("joined.der")).unwrap();
    assert_eq!(read.subject.common_name(), Some("a\u{200d}b"));
    check_issued_by(&read, &read).unwrap();
}

/// requireExplicitPolicy (RFC 5280 section 4.2.1.11): no certificate below is good without a policy.
#[test]
fn whether_policies_are_required_is_read() {
    let folder = Folder::new();
    for (extension, required) in [
        ("policyConstraints=critical,requireExplicitPolicy:0", true),
        ("policyConstraints=requireExplicitPolicy:3,inhibitPolicyMapping:0", true),
        ("policyConstraints=critical,inhibitPolicyMapping:0", false),
        ("certificatePolicies=1.2.3", false),
        // What cannot be read may say so.
        ("2.5.29.36=critical,DER:0500", true),
    ] {
        let root = read_certificate(&self_signed(&folder, EC, &format!("{CA}\n{extension}"))).unwrap();
        assert_eq!(root.requires_policies, required, "{extension}");
        check_ca_certificate(&root).unwrap();
    }
}

#[test]
fn bad_certificates_are_refused_each_for_its_reason() {
    let folder = Folder::new();
    let table = [
        (EC, "1.2.3.4=critical,DER:0500", "1.2.3.4, which is not known"),
        (EC, "2.5.29.19=DER:3003020100", "path length stands beside CA:FALSE"),
        (EC, "2.5.29.19=DER:30030101ff00", "basicConstraints extension is not well-formed"),
        (EC, "2.5.29.19=DER:3003010101", "basicConstraints extension is not well-formed"),
        (EC, "2.5.29.37=DER:3000", "extKeyUsage extension is empty"),
        (EC, "nameConstraints=permitted;otherName:1.2.3;UTF8:x", "not known here"),
        (EC, "2.5.29.30=DER:a0", "nameConstraints extension is not well-formed"),
        (EC, "2.5.29.30=DER:300fa00d300b82066d702e636f6d800101", "minimum or maximum"),
        (EC, "subjectAltName=DNS:a_b", "not a DNS name"),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", CA, "explicit parameters"),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -set_serial 0", CA, "serial number is zero"),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -set_serial -5", CA, "serial number is negative"),
        (
            "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -set_serial 0x80ffffffffffffffffffffffffffffffffffffff",
            CA,
            "longer than 20 octets",
        ),
    ];
    for (options, extensions, says) in table {
        let detail = refused(&self_signed(&folder, options, extensions));
        assert!(detail.contains(says), "{options} {extensions}: {detail}");
    }
    // Version 1: openssl x509 -req without extensions.
    folder.csr(EC, "CN=v1", "", "");
    folder.run("openssl x509 -req -in a.csr -inform DER -signkey a.key -outform DER -out v1.der");
    assert!(refused(&folder.read("v1.der")).contains("version 3"));
}

#[test]
fn repeated_extensions_are_refused() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    read_certificate(params.self_signed(&key).unwrap().der()).unwrap();
    let leaf_again = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 19], vec![0x30, 0x00]);
    params.custom_extensions.push(leaf_again);
    assert!(refused(params.self_signed(&key).unwrap().der()).contains("2.5.29.19 twice"));
}

#[test]
fn weak_signatures_below_a_root_are_refused() {
    let folder = Folder::new();
    self_signed(&folder, "-newkey rsa:2048", CA);
    folder.csr(EC, "CN=sub", "", "");
    folder.run("openssl x509 -req -in a.csr -inform DER -CA x.der -CAform DER -CAkey x.key -CAcreateserial -sha1 -extfile x.cnf -extensions ext -outform DER -out sub.der");
    assert!(refused(&folder.read("sub.der")).contains("SHA-1 with RSA"));
    folder.run("openssl x509 -req -in a.csr -inform DER -CA x.der -CAform DER -CAkey x.key -CAcreateserial -sha384 -extfile x.cnf -extensions ext -outform DER -out sub.der");
    let (sub, root) =
        (read_certificate(&folder.read("sub.der")).unwrap(), read_certificate(&folder.read("x.der")).unwrap());
    check_issued_by(&sub, &root).unwrap();
    let other = root_with(&p256(), cn("other"), ca_rules(None, None));
    assert!(check_issued_by(&sub, &other).unwrap_err().detail.contains("another issuer"));
    assert!(check_issued_by(&sub, &sub).is_err());
}

#[test]
fn a_namesake_with_another_key_is_no_issuer() {
    let (key, other) = (p256(), p256());
    let (mine, theirs) = (root(&key), root(&other));
    assert!(check_issued_by(&mine, &theirs).unwrap_err().detail.contains("key identifiers"));
    let mut nameless: Certificate = theirs;
    nameless.subject_key_id = None;
    assert!(check_issued_by(&mine, &nameless).unwrap_err().detail.contains("not made by the key"));
}

#[test]
fn what_is_no_ca_is_refused_as_one() {
    let folder = Folder::new();
    for (extensions, says) in [
        ("basicConstraints=CA:FALSE", "not a CA certificate"),
        ("keyUsage=digitalSignature", "not a CA certificate"),
        ("basicConstraints=CA:TRUE\nkeyUsage=digitalSignature", "does not allow signing"),
    ] {
        let certificate = read_certificate(&self_signed(&folder, EC, extensions)).unwrap();
        assert!(check_ca_certificate(&certificate).unwrap_err().detail.contains(says));
    }
}

#[test]
fn each_of_many_is_read_for_itself() {
    let pem = to_pem("CERTIFICATE", &root(&p256()).der);
    assert_eq!(read_certificates_each(pem.repeat(100).as_bytes(), 100).unwrap().len(), 100);
    let mixed = format!("{pem}{}{pem}", to_pem("CERTIFICATE", &[0x30, 0]));
    let read = read_certificates_each(mixed.as_bytes(), 3).unwrap();
    assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    for (text, most, says) in [
        (pem.repeat(4), 3, "4 certificates in the PEM, 3 are allowed"),
        (String::new(), 3, "neither PEM nor DER"),
        (pem.clone() + &p256().pem, 3, "is a private key"),
    ] {
        match read_certificates_each(text.as_bytes(), most) {
            Err(Error::Invalid(invalid)) => assert!(invalid.detail.contains(says), "{}", invalid.detail),
            other => panic!("not refused: {other:?}"),
        }
    }
}

#[test]
fn bundles_are_bounded_and_of_one_kind() {
    let pem = to_pem("CERTIFICATE", &root(&p256()).der);
    assert_eq!(read_certificates(pem.repeat(10).as_bytes()).unwrap().len(), 10);
    let wrong = |text: String| match read_certificates(text.as_bytes()) {
        Err(Error::Invalid(invalid)) => invalid.detail,
        other => panic!("not refused: {other:?}"),
    };
    assert!(wrong(pem.repeat(11)).contains("11 certificates"));
    assert!(wrong(pem.clone() + &p256().pem).contains("is a private key"));
    assert!(wrong(to_pem("CERTIFICATE REQUEST", b"x")).contains("certificate request"));
    assert!(refused(pem.repeat(2).as_bytes()).contains("more than one"));
}
