//! What a CSR asks for beside its names (A7): nothing of it is certified.

use crate::kit::*;
use certwright_app::{Call, EnrollRequest, NewEnrollmentToken, NewRules, SignRequest, Subject};
use certwright_domain::san::San;
use certwright_domain::validity::RequestedValidity;

/// Extensions that others honour: usages, the CA's bits, policies, constraints, where to ask for revocation, and what domain
/// controllers read.
const EXTRAS: [(&str, &str); 12] = [
    (
        "extendedKeyUsage",
        "extendedKeyUsage=anyExtendedKeyUsage,clientAuth,codeSigning,OCSPSigning,1.3.6.1.4.1.311.20.2.2",
    ),
    ("keyUsage", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
    ("nameConstraints", "nameConstraints=critical,permitted;DNS:example.org"),
    ("certificatePolicies", "certificatePolicies=2.5.29.32.0"),
    ("crlDistributionPoints", "crlDistributionPoints=URI:http://evil.example.org/crl"),
    ("authorityInfoAccess", "authorityInfoAccess=OCSP;URI:http://evil.example.org/ocsp"),
    ("subjectKeyIdentifier", "subjectKeyIdentifier=DE:AD:BE:EF"),
    ("no revocation check", "noCheck=ignored"),
    ("a template by name", "1.3.6.1.4.1.311.20.2=ASN1:BMPSTRING:DomainController"),
    ("a template by number", "1.3.6.1.4.1.311.21.7=ASN1:OID:1.3.6.1.4.1.311.21.8.1"),
    ("a security identifier", "1.3.6.1.4.1.311.25.2=ASN1:UTF8String:S-1-5-21-1-2-3-500"),
    ("an unknown critical one", "1.2.3.4.5=critical,ASN1:UTF8String:x"),
];

/// A CSR of openssl for `web.example.com` with these extensions beside the name.
fn csr(names: &str, extensions: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let extensions: String = extensions.iter().map(|one| format!("{one}\n")).collect();
    let configuration = format!(
        "[req]\ndistinguished_name=dn\nreq_extensions=ext\nprompt=no\n[dn]\nCN=web.example.com\n[ext]\n\
         subjectAltName=@alt\n{extensions}[alt]\n{names}\n"
    );
    std::fs::write(folder.path().join("req.cnf"), configuration).unwrap();
    openssl(
        folder.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -config req.cnf -out csr.pem",
    );
    std::fs::read(folder.path().join("csr.pem")).unwrap()
}

/// What openssl reads in a certificate, without what is new in each.
fn read(der: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("leaf.der"), der).unwrap();
    let text = openssl(
        folder.path(),
        "x509 -in leaf.der -noout -text -certopt no_serial,no_pubkey,no_sigdump,no_validity,ext_dump",
    );
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    let mut kept = Vec::new();
    while let Some(line) = lines.next() {
        kept.push(line.trim().to_owned());
        if line.contains("Subject Key Identifier") {
            lines.next();
        }
    }
    kept
}

fn signing(csr: Vec<u8>) -> SignRequest {
    let profile = Some(to("tls-server"));
    SignRequest { csr, subject: Subject::default(), profile, validity: RequestedValidity::DEFAULT }
}

const NAME: &str = "DNS.1=web.example.com";

#[tokio::test]
async fn extras_of_a_csr_are_not_in_the_certificate() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    let sign = async |csr| app.app.sign(&call(), &to("root"), signing(csr)).await;
    let plain = sign(csr(NAME, &[])).await.unwrap();
    let expected = read(&plain.row.certificate);
    assert!(expected.iter().any(|line| line.contains("TLS Web Server Authentication")), "{expected:?}");
    assert!(plain.ignored_extensions.is_empty());
    let new = NewEnrollmentToken {
        name: name("web"),
        ca: to("root"),
        profile: Some(to("tls-server")),
        names: vec![San::parse("web.example.com").unwrap()],
        uses: Some(100),
        expires_at: None,
        lifetime: None,
    };
    let token = app.app.create_enrollment_token(&call(), new).await.unwrap().1;
    let all: Vec<&str> = EXTRAS.iter().map(|(_, extension)| *extension).collect();
    let mut cases: Vec<(&str, Vec<&str>)> = EXTRAS.iter().map(|(what, one)| (*what, vec![*one])).collect();
    cases.push(("all of them", all));
    for (what, extensions) in cases {
        let csr = csr(NAME, &extensions);
        let signed = sign(csr.clone()).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(read(&signed.row.certificate), expected, "{what}");
        assert_eq!(
            signed.ignored_extensions.len(),
            extensions.len(),
            "{what} is told: {:?}",
            signed.ignored_extensions
        );
        let caller = app.app.authenticate_enrollment(token.expose()).await.unwrap();
        let request = EnrollRequest { csr, validity: RequestedValidity::DEFAULT };
        let enrolled = app.app.enroll(&Call::new(caller, "enroll"), request).await.unwrap();
        assert_eq!(read(&enrolled.row.certificate), expected, "{what} by enrolment");
    }
}

#[tokio::test]
async fn names_that_no_rule_can_judge_and_the_wish_to_be_a_ca_are_refused() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    for (what, names, extensions) in [
        ("a principal of a domain", "otherName.1=1.3.6.1.4.1.311.20.2.3;UTF8:administrator@example.com", &[][..]),
        ("a mail box", "otherName.1=1.3.6.1.5.5.7.8.9;UTF8:administrator@example.com", &[]),
        ("a name of Kerberos", "otherName.1=1.3.6.1.5.2.2;UTF8:administrator", &[]),
        ("a directory name", "dirName.1=who\n[who]\nCN=administrator", &[]),
        ("a registered ID", "RID.1=1.2.3.4", &[]),
        ("a CA", "", &["basicConstraints=critical,CA:TRUE"]),
        ("a CA with a path", "", &["basicConstraints=critical,CA:TRUE,pathlen:0"]),
    ] {
        let names = format!("{NAME}\n{names}");
        let signed = app.app.sign(&call(), &to("root"), signing(csr(&names, extensions))).await;
        assert!(signed.is_err(), "{what} was signed");
    }
    // Said not to be one, it is a leaf as any other.
    let csr = csr(NAME, &["basicConstraints=CA:FALSE"]);
    app.app.sign(&call(), &to("root"), signing(csr)).await.unwrap();
}
