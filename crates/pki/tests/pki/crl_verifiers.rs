//! CRLs of ours before other people's verifiers, OpenSSL, GnuTLS and rustls-webpki, and OpenSSL's before us.

use crate::crl::{Ca, delta, entry, every_reason, full, texts};
use crate::openssl::Folder;
use crate::support::*;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationReason};
use certwright_domain::time::Span;
use certwright_pki::{Certificate, Crl, CrlHeader, CrlKind, Urls, read_certificate, read_crl, to_pem};
use webpki::CertRevocationList;

const HOLD: EntryKind = EntryKind::Revoked(RevocationReason::CertificateHold);

/// Full, delta and shard.
fn kinds() -> Vec<(&'static str, CrlHeader, Vec<CrlEntry>)> {
    let freshest = texts(&["http://ca.example.com/pki/issuing-1/delta.crl"]);
    let mut changes = every_reason();
    changes.push(entry("0a", EntryKind::Removed));
    let kinds = [
        ("full", CrlHeader { kind: CrlKind::Full { freshest }, ..full() }, every_reason()),
        ("empty", full(), Vec::new()),
        ("delta", delta(), changes),
        ("shard", CrlHeader { distribution_point: urls().crl, ..full() }, every_reason()),
    ];
    // certtool looks at the clock on the wall.
    let next_update = now().plus(Span::from_days(5000));
    kinds.map(|(name, header, entries)| (name, CrlHeader { next_update, ..header }, entries)).into()
}

fn write(folder: &Folder, name: &str, crl: &Crl) {
    folder.write(name, to_pem("X509 CRL", crl.der()));
}

/// Also leaves one specimen of every kind for linters.
#[test]
fn openssl_gnutls_and_webpki_read_our_crls() {
    let specimens = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("specimens");
    std::fs::create_dir_all(&specimens).unwrap();
    for (name, algorithm) in [
        ("p256", KeyAlgorithm::EcdsaP256),
        ("p384", KeyAlgorithm::EcdsaP384),
        ("p521", KeyAlgorithm::EcdsaP521),
        ("ed25519", KeyAlgorithm::Ed25519),
        ("rsa", KeyAlgorithm::Rsa2048),
    ] {
        let (ca, other) = (Ca::new(algorithm), Ca::new(algorithm));
        let folder = Folder::new();
        folder
            .write("ca.pem", to_pem("CERTIFICATE", &ca.certificate.der))
            .write("other.pem", to_pem("CERTIFICATE", &other.certificate.der));
        for (kind, header, entries) in kinds() {
            let crl = ca.issue(&header, &entries);
            write(&folder, "a.crl", &crl);
            std::fs::write(specimens.join(format!("{name}-{kind}.crl")), to_pem("X509 CRL", crl.der())).unwrap();
            let text = folder.run("openssl crl -in a.crl -noout -text -verify -CAfile ca.pem");
            assert_eq!(text.matches("Serial Number:").count(), entries.len(), "{text}");
            assert!(!text.contains("<UNSUPPORTED>") && !text.contains("Unknown"), "{text}");
            // OpenSSL 3 tells a wrong signature by its words alone.
            let wrong = folder.try_run("openssl crl -in a.crl -noout -verify -CAfile other.pem");
            assert!(!String::from_utf8_lossy(&wrong.stderr).contains("verify OK"));

            let text = folder.run("certtool --crl-info --infile a.crl");
            let count = format!("Revoked certificates ({}):", entries.len());
            assert!(text.contains(if entries.is_empty() { "No revoked certificates." } else { &count }), "{text}");
            folder.run("certtool --verify-crl --load-ca-certificate ca.pem --infile a.crl");

            // webpki has no deltas.
            let read = webpki::BorrowedCertRevocationList::from_der(crl.der());
            assert_eq!(read.is_ok(), kind != "delta", "{kind}");
            if let Ok(read) = read {
                let read = CertRevocationList::from(read);
                for entry in &entries {
                    // As it stands in DER: a sign octet where it is needed.
                    let serial = entry.serial.as_bytes();
                    let sign: &[u8] = if serial[0] < 0x80 { &[] } else { &[0] };
                    assert!(read.find_serial(&[sign, serial].concat()).unwrap().is_some());
                }
            }
        }
    }
}

fn leaf(ca: &Ca, urls: &Urls) -> Certificate {
    let approved = approve_leaf(&ca.certificate, &["serverAuth"], cn("a"), names(&["a.example.com"]), &p256().public);
    issue(approved, &ca.certificate, &ca.key, urls)
}

#[test]
fn openssl_takes_them_for_its_decisions() {
    let ca = Ca::new(KeyAlgorithm::EcdsaP256);
    let (good, bad) = (leaf(&ca, &urls()), leaf(&ca, &urls()));
    let folder = Folder::new();
    let pem = |certificate: &Certificate| to_pem("CERTIFICATE", &certificate.der);
    folder.write("ca.pem", pem(&ca.certificate)).write("good.pem", pem(&good)).write("bad.pem", pem(&bad));
    let of = |kind| [CrlEntry { serial: bad.serial.clone(), revoked_at: now(), kind }];
    let at = now().unix_s() + 86_400;
    let verdict = |options: &str, leaf: &str| {
        let verify = format!("openssl verify -x509_strict -attime {at} -CAfile ca.pem -crl_check");
        let output = folder.try_run(&format!("{verify} {options} {leaf}.pem"));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), text.contains("error 23"))
    };
    let (accepted, revoked, unanswered) = ((true, false), (false, true), (false, false));

    write(&folder, "full.crl", &ca.issue(&full(), &of(HOLD)));
    assert_eq!(verdict("-CRLfile full.crl", "good"), accepted);
    assert_eq!(verdict("-CRLfile full.crl", "bad"), revoked);

    // A shard answers for the certificates that name it, and for no others.
    let shard = |url: &str| CrlHeader { distribution_point: texts(&[url]), ..full() };
    write(&folder, "shard.crl", &ca.issue(&shard(&urls().crl[0]), &of(HOLD)));
    write(&folder, "other.crl", &ca.issue(&shard("http://ca.example.com/other"), &of(HOLD)));
    for (file, good, bad) in [("shard", accepted, revoked), ("other", unanswered, unanswered)] {
        let options = format!("-extended_crl -CRLfile {file}.crl");
        assert_eq!((verdict(&options, "good"), verdict(&options, "bad")), (good, bad), "{file}");
    }

    // A delta puts on hold, or takes the hold back.
    let freshest = texts(&["http://ca.example.com/delta.crl"]);
    let base = CrlHeader { number: 5, kind: CrlKind::Full { freshest }, ..full() };
    for (base_entries, changes, expected) in
        [(&[][..], of(HOLD), revoked), (&of(HOLD)[..], of(EntryKind::Removed), accepted)]
    {
        let crls = [ca.issue(&base, base_entries), ca.issue(&delta(), &changes)];
        folder.write("both.crl", crls.map(|crl| to_pem("X509 CRL", crl.der())).concat());
        assert_eq!(verdict("-use_deltas -extended_crl -CRLfile both.crl", "bad"), expected);
        assert_eq!(verdict("-use_deltas -extended_crl -CRLfile both.crl", "good"), accepted);
    }
}

/// An offline root that lives in `openssl ca`: the CRL of a CA with and without CRL extensions.
#[test]
fn crls_of_openssl_are_read() {
    let folder = Folder::new();
    let config = "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n";
    let extensions = "crl_extensions=e\ncrlnumber=number\n[e]\nauthorityKeyIdentifier=keyid:always,issuer:always\n";
    folder
        .write("plain.cnf", config)
        .write("whole.cnf", format!("{config}{extensions}"))
        .write("number", "0fff\n")
        .write("root.cnf", "[req]\ndistinguished_name=d\nx509_extensions=e\nprompt=no\n[d]\nCN=Offline Root\n[e]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n")
        .write(
            "index.txt",
            "R\t350101000000Z\t260203040506Z,keyCompromise\t1001\tunknown\t/CN=a\n\
             R\t350101000000Z\t260203040506Z,holdInstruction,holdInstructionReject\t1002\tunknown\t/CN=b\n\
             R\t350101000000Z\t260203040507Z,keyTime,20260101000000Z\t1003\tunknown\t/CN=c\n\
             R\t350101000000Z\t260203040506Z\tFF\tunknown\t/CN=d\n\
             V\t350101000000Z\t\t1004\tunknown\t/CN=e\n",
        );
    folder.run("openssl req -x509 -config root.cnf -nodes -keyout ca.key -out ca.pem -days 30 -newkey rsa:2048");
    let root = read_certificate(&folder.read("ca.pem")).unwrap();
    let revoked = EntryKind::Revoked;
    let expected = [
        ("1001", revoked(RevocationReason::KeyCompromise)),
        ("1002", HOLD),
        ("1003", revoked(RevocationReason::KeyCompromise)),
        ("ff", revoked(RevocationReason::Unspecified)),
    ];
    for (config, number) in [("plain", None), ("whole", Some("fff"))] {
        folder.run(&format!("openssl ca -gencrl -config {config}.cnf -keyfile ca.key -cert ca.pem -out a.crl"));
        let crl = read_crl(&folder.read("a.crl"), &root).unwrap();
        assert_eq!(crl.number().map(|number| number.to_string()).as_deref(), number);
        assert_eq!((crl.base(), crl.scope()), (None, None));
        assert_eq!(crl.next_update().ms_since(crl.this_update()), 30 * 86_400_000);
        let mut entries: Vec<_> = crl.entries().map(|entry| (entry.serial.to_string(), entry.kind)).collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(entries, expected.map(|(serial, kind)| (serial.to_owned(), kind)));
    }
}
