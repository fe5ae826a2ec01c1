//! CAs brought along with their keys and taken away again, with openssl at both ends.

use crate::foreign::{foreign_root, import};
use crate::kit::*;
use crate::ocsp::status;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certwright_app::{
    AuditFilter, Brought, CaExport, CaExportFormat, Call, Error, ImportCa, NewCa, NewCaKind, NewRules, PageRequest,
    RevocationTarget, Revoke, RevokedNamed,
};
use certwright_domain::ca::{CaType, RevocationSettings};
use certwright_domain::crl::{CrlKind, Shards};
use certwright_domain::known_serial::parse_known_serials;
use certwright_domain::revocation::{EntryKind, RevocationReason};
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::serial::Serial;
use certwright_pki::ocsp::CertStatus;
use certwright_pki::{read_certificate, read_crl};
use std::fs;
use std::path::Path;

/// A root, a subordinate below it (`sub.pem`, `sub.key`), and PKCS#12 files of the subordinate.
fn hierarchy(folder: &Path) {
    foreign_root(folder);
    fs::write(
        folder.join("sub.ext"),
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    )
    .unwrap();
    for command in [
        "req -new -newkey rsa:2048 -nodes -keyout sub.key -out sub.csr -subj /O=Old/CN=Old-Issuing",
        "x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3000 -extfile sub.ext -out sub.pem",
        "pkcs12 -export -inkey sub.key -in sub.pem -certfile root.pem -passout pass:golden -out modern.p12",
        "pkcs12 -export -legacy -inkey sub.key -in sub.pem -certfile root.pem -passout pass:golden -out legacy.p12",
        "pkcs12 -export -nokeys -in sub.pem -passout pass:golden -out nokey.p12",
        "pkey -in sub.key -aes256 -passout pass:golden -out sub-encrypted.key",
    ] {
        openssl(folder, command);
    }
}

fn bytes(folder: &Path, file: &str) -> Option<SecretBytes> {
    Some(SecretBytes::new(fs::read(folder.join(file)).unwrap()))
}

fn text(text: &str) -> Option<SecretBytes> {
    Some(SecretBytes::new(text.as_bytes().to_vec()))
}

fn pkcs12(content: &[u8], password: &str) -> Brought {
    Brought { pkcs12: text(&STANDARD.encode(content)), password: text(password), ..Brought::default() }
}

async fn brought(app: &TestApp, brought: Brought) -> Result<ImportCa, Error> {
    Ok(ImportCa {
        vault: to("v"),
        key: name("imported-key"),
        brought: app.app.read_brought(brought).await?,
        signature_algorithm: None,
        known_serials: Vec::new(),
        crl_number: None,
    })
}

fn exportable(import: ImportCa) -> NewCa {
    NewCa { exportable: true, ..ca("old", NewCaKind::Imported(import), NewRules::default()) }
}

fn export(format: CaExportFormat) -> CaExport {
    CaExport { format, password: SecretText::new("silver".into()) }
}

fn code<T>(result: Result<T, Error>) -> (String, &'static str) {
    match result {
        Err(Error::Invalid(mut faults)) => {
            let fault = faults.remove(0);
            (fault.pointer, fault.invalid.code)
        }
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("was not refused"),
    }
}

/// Issues a certificate and has openssl verify it with the root that everybody knows.
async fn verified_leaf(app: &TestApp, folder: &Path) {
    let issued = app.app.issue(&call(), &to("old"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
    fs::write(folder.join("leaf.der"), issued.chain().first().unwrap()).unwrap();
    openssl(folder, "x509 -inform DER -in leaf.der -out leaf.pem");
    openssl(folder, "verify -x509_strict -no_check_time -CAfile root.pem -untrusted sub.pem leaf.pem");
}

#[tokio::test]
async fn an_openssl_ca_comes_as_pkcs12_issues_leaves_and_comes_again() {
    for app in TestApp::on_every_database().await {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        hierarchy(folder);
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let mut import = brought(&app, pkcs12(&fs::read(folder.join("modern.p12")).unwrap(), "golden")).await.unwrap();
        import.known_serials = parse_known_serials(&["0a".to_owned()], "").unwrap();
        import.crl_number = Some(41);
        let made = app.app.create_ca(&call(), exportable(import)).await.unwrap().ca;
        assert_eq!((made.ca_type, made.exportable, made.crl_number), (CaType::Imported, true, Some(41)));
        assert_eq!(app.app.ca(&call(), &to("old")).await.unwrap().ca, made);
        verified_leaf(&app, folder).await;

        let elsewhere = TestApp::sqlite().await;
        elsewhere.app.create_vault(&call(), name("v")).await.unwrap();
        for format in [CaExportFormat::Pkcs12, CaExportFormat::Pkcs12Compat] {
            let file = app.app.export_ca(&call(), &to("old"), export(format)).await.unwrap().unwrap();
            assert_eq!(file.name, name("old"));
            fs::write(folder.join("out.p12"), file.content.expose()).unwrap();
            openssl(folder, "pkcs12 -in out.p12 -legacy -passin pass:silver -nodes -nocerts -out out.key");
            let same = [openssl(folder, "pkey -in out.key -pubout"), openssl(folder, "pkey -in sub.key -pubout")];
            let [exported, original] = same;
            assert_eq!(exported, original);
            let import = brought(&elsewhere, pkcs12(file.content.expose(), "silver")).await.unwrap();
            assert_eq!(import.brought.certificates.len(), 2);
            let mut new = exportable(import);
            new.name = name(if format == CaExportFormat::Pkcs12 { "old" } else { "second" });
            let taken = elsewhere.app.create_ca(&call(), new).await;
            match format {
                CaExportFormat::Pkcs12 => assert_eq!(taken.unwrap().version.unwrap().version.chain.len(), 1),
                _ => assert_eq!(conflict(taken), "name_taken", "the name of the key in the vault"),
            }
        }
        verified_leaf(&elsewhere, folder).await;

        let file = app.app.export_ca(&call(), &to("old"), export(CaExportFormat::Pem)).await.unwrap().unwrap();
        fs::write(folder.join("out.pem"), file.content.expose()).unwrap();
        openssl(folder, "pkey -in out.pem -passin pass:silver -out out.key");
        openssl(folder, "x509 -in out.pem -noout");
        let filter = AuditFilter { action: Some("ca.export".to_owned()), ..AuditFilter::default() };
        let page = PageRequest { limit: 10, after: None };
        assert_eq!(app.app.audit_events(&call(), &filter, &page).await.unwrap().items.len(), 3);
        let trial_run = app.app.export_ca(&trial(), &to("old"), export(CaExportFormat::Pem)).await.unwrap();
        assert!(trial_run.is_none());
    }
}

#[tokio::test]
async fn old_files_and_encrypted_keys_are_taken_and_wrong_passwords_named() {
    let app = TestApp::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    hierarchy(folder);
    app.app.create_vault(&call(), name("v")).await.unwrap();
    let legacy = fs::read(folder.join("legacy.p12")).unwrap();
    assert_eq!(code(brought(&app, pkcs12(&legacy, "Golden")).await), ("/password".into(), "wrong_password"));
    let nokey = fs::read(folder.join("nokey.p12")).unwrap();
    assert_eq!(code(brought(&app, pkcs12(&nokey, "golden")).await), ("/pkcs12".into(), "no_private_key"));
    let parts = |passphrase: Option<&str>| Brought {
        // The chain comes first, on purpose.
        certificate: text(
            &[fs::read(folder.join("root.pem")), fs::read(folder.join("sub.pem"))]
                .map(|file| String::from_utf8(file.unwrap()).unwrap())
                .concat(),
        ),
        private_key: bytes(folder, "sub-encrypted.key"),
        passphrase: passphrase.and_then(text),
        ..Brought::default()
    };
    assert_eq!(code(brought(&app, parts(None)).await), ("/privateKey".into(), "password_needed"));
    assert_eq!(code(brought(&app, parts(Some("wrong"))).await), ("/passphrase".into(), "wrong_password"));

    for import in [brought(&app, pkcs12(&legacy, "golden")).await, brought(&app, parts(Some("golden"))).await] {
        let new = NewCa { exportable: false, ..exportable(import.unwrap()) };
        let made = app.app.create_ca(&trial(), new).await.unwrap();
        assert_eq!(made.version.unwrap().version.chain.len(), 1);
    }
    let import = brought(&app, parts(Some("golden"))).await.unwrap();
    app.app.create_ca(&call(), NewCa { exportable: false, ..exportable(import) }).await.unwrap();
    let refused = app.app.export_ca(&call(), &to("old"), export(CaExportFormat::Pkcs12)).await;
    assert_eq!(conflict(refused.map(drop)), "ca_not_exportable");
}

#[tokio::test]
async fn a_serial_that_the_ca_gave_away_before_is_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    foreign_root(folder.path());
    // Every application draws the same random numbers.
    let first_serial = async |known: &[Serial]| {
        let app = TestApp::sqlite().await;
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let mut import = import(folder.path(), "root.pem", "root.key", b"");
        let known: Vec<String> = known.iter().map(Serial::to_string).collect();
        import.known_serials = parse_known_serials(&known, "").unwrap();
        app.app.create_ca(&call(), ca("old", NewCaKind::Imported(import), NewRules::default())).await.unwrap();
        app.app.issue(&call(), &to("old"), leaf(&["a.example.com"], lasting(1))).await.unwrap().row.serial
    };
    let drawn = first_serial(&[]).await;
    assert_eq!(first_serial(&[]).await, drawn);
    assert_ne!(first_serial(std::slice::from_ref(&drawn)).await, drawn);
}

/// Nothing is known of it but its serial, and yet it must be possible to revoke it.
#[tokio::test]
async fn what_the_ca_gave_away_before_can_be_revoked_by_serial_and_ca() {
    for app in TestApp::on_every_database().await {
        let folder = tempfile::tempdir().unwrap();
        foreign_root(folder.path());
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let mut import = import(folder.path(), "root.pem", "root.key", b"");
        let index = "V\t270101000000Z\t\t1000\tunknown\t/CN=a\nR\t270101000000Z\t261101000000Z,superseded\t1001\tunknown\t/CN=b\n";
        import.known_serials = parse_known_serials(&["1002".to_owned()], index).unwrap();
        let made =
            app.app.create_ca(&call(), ca("old", NewCaKind::Imported(import), NewRules::default())).await.unwrap();
        let revoke = async |call: &Call, serial: &Serial, revoke: Revoke| {
            let target = RevocationTarget::Serial(serial.clone(), to("old"));
            app.app.revoke_named(call, &target, revoke).await
        };
        let serial = |text: &str| Serial::parse(text).unwrap();
        let listed = async || {
            app.clock.advance(RevocationSettings::INTERVAL);
            app.app.run_crls().await.unwrap();
            let list = app.app.crl(&to("old"), None, CrlKind::Full, Shards::ONE, 0).await.unwrap();
            let issuer = read_certificate(&app.app.ca_certificate(&to("old"), None).await.unwrap()).unwrap();
            let entries = read_crl(&list.der, &issuer).unwrap();
            let mut entries: Vec<_> = entries.entries().map(|entry| (entry.serial.to_string(), entry.kind)).collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            entries
        };
        use RevocationReason as Reason;
        let by_index = ("1001".to_owned(), EntryKind::Revoked(Reason::Superseded));
        assert_eq!(listed().await, std::slice::from_ref(&by_index));
        assert_eq!(status(&app, "old", &serial("1000")).await, CertStatus::Good);

        let superseded = Revoke::because(Reason::CessationOfOperation);
        revoke(&trial(), &serial("1000"), superseded).await.unwrap();
        assert_eq!(status(&app, "old", &serial("1000")).await, CertStatus::Good);
        let RevokedNamed::Known(revoked) = revoke(&call(), &serial("1000"), superseded).await.unwrap() else {
            panic!()
        };
        let revocation = revoked.known.revocation.unwrap();
        assert_eq!((revocation.reason, revocation.at), (Reason::CessationOfOperation, app.clock_now()));
        assert!(
            matches!(status(&app, "old", &serial("1000")).await, CertStatus::Revoked(found) if found == revocation)
        );
        let first = ("1000".to_owned(), EntryKind::Revoked(Reason::CessationOfOperation));
        assert_eq!(listed().await, [first, by_index.clone()]);
        // Twice is once; a second reason only makes it worse.
        let again = revoke(&call(), &serial("1000"), superseded).await.unwrap();
        assert_eq!(again, RevokedNamed::Known(revoked));
        let other = revoke(&call(), &serial("1001"), superseded).await;
        assert_eq!(conflict(other), "already_revoked");
        revoke(&call(), &serial("1000"), Revoke::because(Reason::KeyCompromise)).await.unwrap();
        revoke(&call(), &serial("1002"), superseded).await.unwrap();
        let worse = ("1000".to_owned(), EntryKind::Revoked(Reason::KeyCompromise));
        let last = ("1002".to_owned(), EntryKind::Revoked(Reason::CessationOfOperation));
        assert_eq!(listed().await, [worse, by_index, last]);

        // What cannot be.
        assert_eq!(
            conflict(revoke(&call(), &serial("1002"), Revoke::because(Reason::CertificateHold)).await),
            "hold_of_a_known_serial"
        );
        let siblings = Revoke { siblings: true, ..Revoke::because(Reason::KeyCompromise) };
        assert_eq!(code(revoke(&call(), &serial("1002"), siblings).await), ("/siblings".into(), "siblings_not_known"));
        let own = made.version.unwrap().version.serial.unwrap();
        assert_eq!(conflict(revoke(&call(), &own, superseded).await), "not_revocable");
        assert!(matches!(revoke(&call(), &serial("1003"), superseded).await, Err(Error::NotFound { .. })));

        let filter = AuditFilter { action: Some("issued-certificate.revoke".to_owned()), ..AuditFilter::default() };
        let page = PageRequest { limit: 10, after: None };
        assert_eq!(app.app.audit_events(&call(), &filter, &page).await.unwrap().items.len(), 3);
    }
}
