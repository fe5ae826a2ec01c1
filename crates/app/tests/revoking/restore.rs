//! Lists that are sent to us: of our own from before a backup was restored, and of roots that are not ours.

use crate::support::*;
use certwright_app::{Error, NewCaKind, NewRules, RenewCa, UploadedCrl};
use certwright_domain::crl::CrlKind;
use certwright_domain::revocation::{EntryKind, RevocationReason as R};
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use std::fs;
use std::path::Path;

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Invalid(invalid)) => invalid[0].invalid.code.to_string(),
        Err(Error::Conflict { code, .. }) => code.to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Row F16: the last published list brings back what an old backup does not know.
#[tokio::test]
async fn a_list_of_ours_brings_revocations_back() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    let sub = subordinate(&app, NewRules::default()).await.version.unwrap().version.serial.unwrap();
    offer(&app, "root", |settings| settings.hold_enabled = true).await;
    let rows = [
        leaf(&app, "root", "before.example.com").await,
        leaf(&app, "root", "superseded.example.com").await,
        leaf(&app, "root", "compromised.example.com").await,
        leaf(&app, "root", "held.example.com").await,
        leaf(&app, "root", "good.example.com").await,
    ];
    revoke(&app, &rows[0], R::Superseded).await;
    revoke(&app, &rows[3], R::CertificateHold).await;
    publish(&app).await;
    let restored = app.restored_copy(77).await;

    revoke(&app, &rows[1], R::Superseded).await;
    revoke(&app, &rows[2], R::KeyCompromise).await;
    revoke(&app, &rows[3], R::CessationOfOperation).await;
    let later = leaf(&app, "root", "later.example.com").await;
    revoke(&app, &later, R::PrivilegeWithdrawn).await;
    app.app.revoke_ca_version(&call(), &to("issuing"), 1, R::CaCompromise).await.unwrap();
    for _ in 0..3 {
        publish(&app).await;
        app.clock.advance(Span::from_days(4));
    }
    let last = served(&app, "root", CrlKind::Full, WHOLE).await.unwrap();

    assert_eq!(listed(&restored, "root").await.len(), 2);
    let upload = async || restored.app.upload_crl(&call(), &to("root"), &last.der).await;
    assert_eq!(upload().await.unwrap(), UploadedCrl { entries: 6, restored: 5, served: false });
    assert_eq!(upload().await.unwrap(), UploadedCrl { entries: 6, restored: 0, served: false }, "twice does no harm");
    publish(&restored).await;
    assert!(number(&restored, "root", CrlKind::Full).await > last.crl.number.unwrap());
    for (serial, reason) in [
        (&rows[0].serial, R::Superseded),
        (&rows[1].serial, R::Superseded),
        (&rows[2].serial, R::KeyCompromise),
        (&rows[3].serial, R::CessationOfOperation),
        (&later.serial, R::PrivilegeWithdrawn),
        (&sub, R::CaCompromise),
    ] {
        assert_eq!(listed_for(&restored, "root", serial).await, Some(EntryKind::Revoked(reason)), "{serial}");
    }
    assert_eq!(listed_for(&restored, "root", &rows[4].serial).await, None);
    let row = restored.app.issued_certificate(&call(), rows[1].id.as_str()).await.unwrap();
    let original = app.app.issued_certificate(&call(), rows[1].id.as_str()).await.unwrap();
    assert_eq!(
        row.revocation.unwrap().at.floor_to_second(),
        original.revocation.unwrap().at.floor_to_second(),
        "the time is that of the list"
    );

    // OCSP says what the list says, also of a serial that the inventory lost.
    let answered = async |serial: &Serial| {
        let mut read = restored.store.read().await.unwrap();
        let id = read.ca(&to("root")).await.unwrap().unwrap().id;
        read.serial_standing(&id, serial).await.unwrap()
    };
    let lost = answered(&later.serial).await.unwrap().revocation.unwrap();
    let original = app.app.issued_certificate(&call(), later.id.as_str()).await.unwrap().revocation.unwrap();
    assert_eq!((lost.at, lost.reason), (original.at.floor_to_second(), R::PrivilegeWithdrawn));
    assert_eq!(answered(&rows[4].serial).await.unwrap().revocation, None);
    assert_eq!(answered(&Serial::from_bytes(&[0x66]).unwrap()).await, None);

    // What a compromise forbids is forbidden again.
    let mut read = restored.store.read().await.unwrap();
    assert!(read.key_is_blocked(&rows[2].spki_sha256).await.unwrap());
    assert!(!read.key_is_blocked(&rows[1].spki_sha256).await.unwrap());
    drop(read);
    let refused = restored.app.issue(&call(), &to("issuing"), crate::kit::leaf(&["a.example.com"], lasting(1))).await;
    assert!(refused.is_err(), "the CA is revoked");
    let renew = RenewCa { rotate_key: false, validity: lasting(100), make_current: true };
    assert_eq!(conflict(restored.app.renew_ca(&call(), &to("issuing"), renew).await), "key_compromised");
}

/// An `openssl ca` with a root of its own.
struct Openssl(tempfile::TempDir);

impl Openssl {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        crate::kit::openssl(
            folder.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -days 3650 \
             -subj /O=Old/CN=Old-Root -addext keyUsage=critical,keyCertSign,cRLSign",
        );
        fs::write(folder.path().join("index.txt"), "").unwrap();
        fs::write(folder.path().join("number"), "0F\n").unwrap();
        let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n";
        fs::write(folder.path().join("ca.cnf"), config).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn revoked(&self, serial: &str) {
        let line = format!("R\t370101000000Z\t261101000000Z,keyCompromise\t{serial}\tunknown\t/CN=x\n");
        let index = fs::read_to_string(self.path().join("index.txt")).unwrap();
        fs::write(self.path().join("index.txt"), index + &line).unwrap();
    }

    /// A list that begins and ends at these times (`YYYYMMDDHHMMSSZ`), in PEM.
    fn list(&self, from: &str, to: &str) -> Vec<u8> {
        let arguments = format!(
            "ca -config ca.cnf -gencrl -keyfile root.key -cert root.pem -crl_lastupdate {from} -crl_nextupdate {to}"
        );
        crate::kit::openssl(self.path(), &arguments)
    }
}

#[tokio::test]
async fn the_list_of_a_foreign_root_is_served_when_it_is_good() {
    for app in TestApp::on_every_database().await {
        let (ca, stranger) = (Openssl::new(), Openssl::new());
        let kind = NewCaKind::ExternalRoot(fs::read(ca.path().join("root.pem")).unwrap());
        app.app.create_ca(&call(), crate::kit::ca("anchor", kind, NewRules::default())).await.unwrap();
        let upload = async |list: &[u8]| app.app.upload_crl(&call(), &to("anchor"), list).await;
        ca.revoked("1001");
        let old = ca.list("20261120000000Z", "20261220000000Z");
        assert!(served(&app, "anchor", CrlKind::Full, WHOLE).await.is_err());
        assert_eq!(upload(&old).await.unwrap(), UploadedCrl { entries: 1, restored: 0, served: true });
        let first = served(&app, "anchor", CrlKind::Full, WHOLE).await.unwrap();
        assert_eq!((first.crl.number, first.crl.uploaded), (Some(15), true));
        upload(&old).await.unwrap();
        assert_eq!(served(&app, "anchor", CrlKind::Full, WHOLE).await.unwrap().crl.id, first.crl.id, "the same again");

        ca.revoked("1002");
        upload(&ca.list("20261121000000Z", "20261221000000Z")).await.unwrap();
        assert_eq!(listed(&app, "anchor").await.len(), 2);
        assert_eq!(code(upload(&old).await), "crl_is_older");
        assert_eq!(code(upload(&ca.list("20261001000000Z", "20261101000000Z")).await), "crl_lapsed");
        assert_eq!(code(upload(&ca.list("20270101000000Z", "20270201000000Z")).await), "crl_in_future");
        assert_eq!(code(upload(&ca.list("20261120120000Z", "20261221000000Z")).await), "crl_is_older");
        let foreign = code(upload(&stranger.list("20261121000000Z", "20261221000000Z")).await);
        assert_eq!(foreign, "not_issued_by");
        assert_eq!(listed(&app, "anchor").await.len(), 2, "what was refused changed nothing");
    }
}
