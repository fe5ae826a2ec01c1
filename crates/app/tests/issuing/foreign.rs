//! CAs whose certificates come from elsewhere, with openssl as the other side.

use crate::kit::*;
use crate::ocsp::{responders, status};
use certwright_app::{
    Error, ImportCa, ImportedCertificate, Install, IssueRequest, NewCaKind, NewRules, RenewCa, sha256,
};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::{CaState, CaType};
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::secret::SecretBytes;
use certwright_domain::stage::Stage;
use certwright_domain::time::Span;
use certwright_pki::ocsp::CertStatus;
use certwright_pki::{check_issued_by, read_certificate, read_certificates, read_private_key_pem};
use std::fs;
use std::path::Path;

/// A root made by openssl: `root.pem`, `root.key`.
pub(crate) fn foreign_root(folder: &Path) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -days 3650 \
         -subj /O=Old/CN=Old-Root -addext keyUsage=critical,keyCertSign,cRLSign",
    );
}

/// Signs `in.csr` as a CA below the foreign root: `out.pem`.
fn sign_as_ca(folder: &Path) {
    sign_with(folder, "CA:TRUE,pathlen:0");
}

fn sign_with(folder: &Path, basic_constraints: &str) {
    let extensions = format!(
        "basicConstraints=critical,{basic_constraints}\nkeyUsage=critical,keyCertSign,cRLSign\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    );
    fs::write(folder.join("ca.ext"), extensions).unwrap();
    openssl(
        folder,
        "x509 -req -in in.csr -inform DER -CA root.pem -CAkey root.key -CAcreateserial -days 1000 -extfile ca.ext -out out.pem",
    );
}

pub(crate) fn import(folder: &Path, certificate: &str, key: &str, chain: &[u8]) -> ImportCa {
    let key_pem = fs::read_to_string(folder.join(key)).unwrap();
    let heap = [&fs::read(folder.join(certificate)).unwrap(), chain].concat();
    ImportCa {
        vault: to("v"),
        key: name("imported-key"),
        brought: ImportedCertificate {
            certificates: read_certificates(&heap).unwrap().into_iter().map(|one| one.der).collect(),
            private_key: read_private_key_pem(&key_pem).unwrap(),
        },
        signature_algorithm: None,
        known_serials: Vec::new(),
        crl_number: None,
    }
}

/// Many an issuer leaves out what a CSR asks for.
#[tokio::test]
async fn limits_that_a_foreign_issuer_left_out_hold_all_the_same() {
    for app in TestApp::on_every_database().await {
        let folder = tempfile::tempdir().unwrap();
        foreign_root(folder.path());
        app.app.create_vault(&call(), name("v")).await.unwrap();
        key(&app, "key", KeyAlgorithm::EcdsaP256).await;
        let permitted = RawSubtrees { dns: vec!["example.com".into()], ..RawSubtrees::default() };
        let constraints = NameConstraints::parse(permitted, RawSubtrees::default()).unwrap();
        let rules = NewRules { path_length: Some(0), name_constraints: Some(constraints), ..NewRules::default() };
        let kind = NewCaKind::SubordinateExternal(own("key", "Issuing"));
        app.app.create_ca(&call(), ca("issuing", kind, rules.clone())).await.unwrap();
        fs::write(folder.path().join("in.csr"), app.app.ca_csr(&call(), &to("issuing")).await.unwrap()).unwrap();
        sign_with(folder.path(), "CA:TRUE");
        let chain = fs::read(folder.path().join("root.pem")).unwrap();
        let install = Install { certificate: fs::read(folder.path().join("out.pem")).unwrap(), chain };

        // Nor does a certificate that comes late end a deletion.
        app.app.schedule_ca_deletion(&call(), &to("issuing"), None).await.unwrap();
        assert_eq!(conflict(app.app.install_ca(&call(), &to("issuing"), install.clone()).await), "ca_not_active");
        app.app.cancel_ca_deletion(&call(), &to("issuing")).await.unwrap();

        let installed = app.app.install_ca(&call(), &to("issuing"), install).await.unwrap().ca.rules;
        assert_eq!((installed.path_length, &installed.name_constraints), (Some(0), &rules.name_constraints));
        let ask = async |host| app.app.issue(&call(), &to("issuing"), leaf(&[host], lasting(1))).await;
        let refused = violations(ask("evil.example.org").await);
        assert_eq!(refused.len(), 1, "{refused:?}");
        ask("good.example.com").await.unwrap();
        key(&app, "below", KeyAlgorithm::EcdsaP256).await;
        let kind = NewCaKind::Subordinate(own("below", "Below"), lasting(10), to("issuing"));
        violations(app.app.create_ca(&call(), ca("below", kind, NewRules::default())).await);
    }
}

/// Verifiers take a certificate for nothing that a CA above it is not for.
#[tokio::test]
async fn extended_key_usages_of_cas_from_elsewhere_limit_what_they_issue() {
    for app in TestApp::on_every_database().await {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        foreign_root(folder);
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let ask = async |ca: &str, profile: &str| {
            let request = IssueRequest { profile: Some(to(profile)), ..leaf(&["a.example.com"], lasting(1)) };
            app.app.issue(&call(), &to(ca), request).await
        };
        let refuses = async |ca: &str, profile: &str, value: &str, limit: &str| {
            let refused = violations(ask(ca, profile).await.map(drop));
            let [one] = refused.as_slice() else { panic!("{refused:?}") };
            assert_eq!((one.code, one.rule), ("usage_outside_issuer", "extendedKeyUsage"));
            assert_eq!(
                (one.value.as_str(), one.limit.as_str(), one.owner.as_str()),
                (value, limit, format!("CA {ca}").as_str())
            );
        };

        // Brought along.
        for (brought, usages) in
            [("any", "anyExtendedKeyUsage,serverAuth"), ("servers", "serverAuth"), ("mail", "1.2.3.4")]
        {
            openssl(
                folder,
                &format!(
                    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {brought}.key -out {brought}.pem \
                     -days 3650 -subj /CN={brought} -addext keyUsage=critical,keyCertSign,cRLSign \
                     -addext extendedKeyUsage={usages}"
                ),
            );
            let import = import(folder, &format!("{brought}.pem"), &format!("{brought}.key"), b"");
            let kind = NewCaKind::Imported(ImportCa { key: name(brought), ..import });
            app.app.create_ca(&call(), ca(brought, kind, NewRules::default())).await.unwrap();
        }
        ask("any", "tls-server-or-client").await.unwrap();
        refuses("servers", "tls-server-or-client", "clientAuth", "serverAuth").await;
        refuses("mail", "tls-server", "serverAuth", "none that a profile gives").await;
        let issued = ask("servers", "tls-server").await.unwrap();
        fs::write(folder.join("leaf.der"), issued.chain().first().unwrap()).unwrap();
        openssl(folder, "x509 -inform DER -in leaf.der -out leaf.pem");
        openssl(folder, "verify -purpose sslserver -no_check_time -CAfile servers.pem leaf.pem");

        // Installed, and what we make below it: what is left is what each of them leaves.
        key(&app, "key", KeyAlgorithm::EcdsaP256).await;
        let kind = NewCaKind::SubordinateExternal(own("key", "Clients"));
        app.app.create_ca(&call(), ca("clients", kind, NewRules::default())).await.unwrap();
        fs::write(folder.join("in.csr"), app.app.ca_csr(&call(), &to("clients")).await.unwrap()).unwrap();
        sign_with(folder, "CA:TRUE\nextendedKeyUsage=clientAuth,emailProtection");
        let chain = fs::read(folder.join("root.pem")).unwrap();
        let install = Install { certificate: fs::read(folder.join("out.pem")).unwrap(), chain };
        app.app.install_ca(&call(), &to("clients"), install).await.unwrap();
        key(&app, "below", KeyAlgorithm::EcdsaP256).await;
        let kind = NewCaKind::Subordinate(own("below", "Below"), lasting(500), to("clients"));
        app.app.create_ca(&call(), ca("below", kind, NewRules::default())).await.unwrap();
        for ca in ["clients", "below"] {
            refuses(ca, "tls-server", "serverAuth", "clientAuth, emailProtection").await;
            let issued = ask(ca, "tls-client").await.unwrap();
            // A delegated responder is looked at by itself.
            assert_eq!(status(&app, ca, &issued.row.serial).await, CertStatus::Good);
        }
        assert_eq!(responders(&app).await, 2);
    }
}

#[tokio::test]
async fn a_subordinate_of_a_foreign_root_is_asked_for_installed_renewed_and_issues() {
    for app in TestApp::on_every_database().await {
        let folder = tempfile::tempdir().unwrap();
        foreign_root(folder.path());
        app.app.create_vault(&call(), name("v")).await.unwrap();
        key(&app, "key", KeyAlgorithm::EcdsaP256).await;
        let kind = NewCaKind::ExternalRoot(fs::read(folder.path().join("root.pem")).unwrap());
        let anchor = app.app.create_ca(&call(), ca("old-root", kind, NewRules::default())).await.unwrap();
        assert_eq!(anchor.ca.ca_type, CaType::ExternalRoot);
        let refused = app.app.issue(&call(), &to("old-root"), leaf(&["a.example.com"], lasting(1))).await;
        assert_eq!(conflict(refused), "ca_has_no_key");

        let kind = NewCaKind::SubordinateExternal(own("key", "Issuing"));
        let made = app.app.create_ca(&call(), ca("issuing", kind, NewRules::default())).await.unwrap();
        assert_eq!(made.ca.state, CaState::PendingActivation);
        let refused = app.app.issue(&call(), &to("issuing"), leaf(&["a.example.com"], lasting(1))).await;
        assert_eq!(conflict(refused), "ca_pending_activation");

        fs::write(folder.path().join("in.csr"), app.app.ca_csr(&call(), &to("issuing")).await.unwrap()).unwrap();
        sign_as_ca(folder.path());
        let root = fs::read(folder.path().join("root.pem")).unwrap();
        let wrong = Install { certificate: root.clone(), chain: Vec::new() };
        assert!(matches!(app.app.install_ca(&call(), &to("issuing"), wrong).await, Err(Error::Invalid(_))));
        let install = Install { certificate: fs::read(folder.path().join("out.pem")).unwrap(), chain: Vec::new() };
        let installed = app.app.install_ca(&call(), &to("issuing"), install.clone()).await.unwrap();
        assert_eq!(installed.ca.state, CaState::Active);
        assert_eq!(installed.ca.rules.path_length, Some(0), "what the certificate says");
        assert_eq!(conflict(app.app.install_ca(&call(), &to("issuing"), install).await), "nothing_to_install");
        let issued = app.app.issue(&call(), &to("issuing"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
        assert_eq!(issued.above.der().len(), 2, "the root registered before completes the chain");
        let chain: Vec<_> = issued.above.der().iter().map(|der| read_certificate(der).unwrap()).collect();
        check_issued_by(&read_certificate(issued.chain()[0]).unwrap(), &chain[0]).unwrap();
        check_issued_by(&chain[0], &chain[1]).unwrap();

        let renew = RenewCa { validity: lasting(10), rotate_key: true, make_current: true };
        let renewed = app.app.renew_ca(&call(), &to("issuing"), renew).await.unwrap().version.unwrap();
        assert!(renewed.version.certificate.is_none() && renewed.stages.contains(&Stage::Pending));
        let early = app.app.make_ca_version_current(&call(), &to("issuing"), 2).await;
        assert_eq!(conflict(early), "ca_without_certificate");
        fs::write(folder.path().join("in.csr"), app.app.ca_csr(&call(), &to("issuing")).await.unwrap()).unwrap();
        sign_as_ca(folder.path());
        let install = Install { certificate: fs::read(folder.path().join("out.pem")).unwrap(), chain: root };
        app.app.install_ca(&call(), &to("issuing"), install).await.unwrap();
        app.app.make_ca_version_current(&call(), &to("issuing"), 2).await.unwrap();
        let after = app.app.issue(&call(), &to("issuing"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
        assert_eq!(after.row.ca_version, 2);
        let revoke = app.app.revoke_ca_version(&call(), &to("issuing"), 1, RevocationReason::Superseded).await;
        assert_eq!(conflict(revoke), "not_revocable", "its issuer is elsewhere");
    }
}

#[tokio::test]
async fn an_openssl_ca_is_brought_along_and_goes_on_issuing() {
    for app in TestApp::on_every_database().await {
        let folder = tempfile::tempdir().unwrap();
        foreign_root(folder.path());
        app.app.create_vault(&call(), name("v")).await.unwrap();
        openssl(folder.path(), "ecparam -name prime256v1 -genkey -noout -out other.key");
        let mismatch = NewCaKind::Imported(import(folder.path(), "root.pem", "other.key", b""));
        let refused = app.app.create_ca(&call(), ca("old", mismatch, NewRules::default())).await;
        assert!(matches!(&refused, Err(Error::Invalid(faults)) if faults[0].invalid.code == "key_mismatch"));
        assert!(matches!(app.app.key(&call(), &to("v"), &to("imported-key")).await, Err(Error::NotFound { .. })));

        let kind = NewCaKind::Imported(import(folder.path(), "root.pem", "root.key", b""));
        let made = app.app.create_ca(&call(), ca("old", kind, NewRules::default())).await.unwrap();
        assert_eq!((made.ca.ca_type, made.ca.state), (CaType::Imported, CaState::Active));
        let issued = app.app.issue(&call(), &to("old"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
        fs::write(folder.path().join("leaf.der"), issued.chain()[0]).unwrap();
        openssl(folder.path(), "x509 -inform DER -in leaf.der -out leaf.pem");
        openssl(folder.path(), "verify -x509_strict -no_check_time -CAfile root.pem leaf.pem");
        let renew = RenewCa { validity: lasting(10), rotate_key: false, make_current: true };
        assert_eq!(conflict(app.app.renew_ca(&call(), &to("old"), renew).await), "ca_not_renewable");
    }
}

#[tokio::test]
async fn foreign_certificates_that_are_no_cas_expired_or_misplaced_are_refused() {
    let app = TestApp::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    foreign_root(folder.path());
    openssl(
        folder.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.pem -days 30 \
         -subj /CN=leaf -addext basicConstraints=critical,CA:FALSE",
    );
    openssl(
        folder.path(),
        "req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.pem -days 30 -subj /CN=weak \
         -addext keyUsage=critical,keyCertSign",
    );
    app.app.create_vault(&call(), name("v")).await.unwrap();
    let no_ca = NewCaKind::Imported(import(folder.path(), "leaf.pem", "leaf.key", b""));
    assert!(matches!(app.app.create_ca(&call(), ca("x", no_ca, NewRules::default())).await, Err(Error::Invalid(_))));
    let weak = NewCaKind::Imported(import(folder.path(), "weak.pem", "weak.key", b""));
    assert!(matches!(
        app.app.create_ca(&call(), ca("x", weak, NewRules::default())).await,
        Err(Error::Rejected(_) | Error::Invalid(_))
    ));
    let stranger = fs::read(folder.path().join("leaf.pem")).unwrap();
    let broken = NewCaKind::Imported(import(folder.path(), "root.pem", "root.key", &stranger));
    assert!(matches!(app.app.create_ca(&call(), ca("x", broken, NewRules::default())).await, Err(Error::Invalid(_))));
    let mut garbage = import(folder.path(), "root.pem", "root.key", b"");
    garbage.brought.private_key = SecretBytes::new(vec![1, 2, 3]);
    let garbage = NewCaKind::Imported(garbage);
    assert!(matches!(app.app.create_ca(&call(), ca("x", garbage, NewRules::default())).await, Err(Error::Invalid(_))));
    app.clock.advance(Span::from_days(5000));
    let expired = NewCaKind::Imported(import(folder.path(), "root.pem", "root.key", b""));
    assert!(matches!(app.app.create_ca(&call(), ca("x", expired, NewRules::default())).await, Err(Error::Invalid(_))));
    assert!(matches!(app.app.ca(&call(), &to("x")).await, Err(Error::NotFound { .. })), "nothing half-made");
}

/// requireExplicitPolicy (RFC 5280 section 4.2.1.11): what we issue carries no policies, so nobody would take it.
#[tokio::test]
async fn a_ca_below_which_policies_are_required_is_not_brought_here() {
    let app = TestApp::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    foreign_root(folder.path());
    app.app.create_vault(&call(), name("v")).await.unwrap();
    key(&app, "key", KeyAlgorithm::EcdsaP256).await;
    let code = |result: Result<_, Error>| match result {
        Err(Error::Invalid(faults)) => (faults[0].pointer.to_string(), faults[0].invalid.code.to_string()),
        other => panic!("{other:?}"),
    };
    let kind = NewCaKind::SubordinateExternal(own("key", "Issuing"));
    app.app.create_ca(&call(), ca("issuing", kind, NewRules::default())).await.unwrap();
    fs::write(folder.path().join("in.csr"), app.app.ca_csr(&call(), &to("issuing")).await.unwrap()).unwrap();
    let root = fs::read(folder.path().join("root.pem")).unwrap();
    let sign = |policies: &str| {
        sign_with(folder.path(), &format!("CA:TRUE\npolicyConstraints=critical,{policies}"));
        Install { certificate: fs::read(folder.path().join("out.pem")).unwrap(), chain: root.clone() }
    };
    let refused = app.app.install_ca(&call(), &to("issuing"), sign("requireExplicitPolicy:0")).await;
    assert_eq!(code(refused), ("/certificate".to_owned(), "policies_required".to_owned()));
    app.app.install_ca(&call(), &to("issuing"), sign("inhibitPolicyMapping:0")).await.unwrap();

    // An imported one, and one with such a CA above it.
    openssl(
        folder.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout mid.key -subj /CN=Mid -outform DER -out in.csr",
    );
    sign_with(folder.path(), "CA:TRUE\npolicyConstraints=critical,requireExplicitPolicy:2");
    fs::copy(folder.path().join("out.pem"), folder.path().join("mid.pem")).unwrap();
    let kind = NewCaKind::Imported(import(folder.path(), "mid.pem", "mid.key", &root));
    let refused = app.app.create_ca(&call(), ca("mid", kind, NewRules::default())).await;
    assert_eq!(code(refused), ("/certificate".to_owned(), "policies_required".to_owned()));
    openssl(
        folder.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout low.key -subj /CN=Low -out low.csr",
    );
    let plain = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    fs::write(folder.path().join("plain.ext"), plain).unwrap();
    openssl(
        folder.path(),
        "x509 -req -in low.csr -CA mid.pem -CAkey mid.key -CAcreateserial -days 1000 -extfile plain.ext -out low.pem",
    );
    let above = [fs::read(folder.path().join("mid.pem")).unwrap(), root].concat();
    let kind = NewCaKind::Imported(import(folder.path(), "low.pem", "low.key", &above));
    let refused = app.app.create_ca(&call(), ca("low", kind, NewRules::default())).await;
    assert_eq!(code(refused), ("/chain".to_owned(), "policies_required".to_owned()));
}

/// However a CA is made: a key that others know becomes none of its keys, and a trial says so.
#[tokio::test]
async fn no_ca_is_made_with_a_blocked_key() {
    for app in TestApp::on_every_database().await {
        root(&app, NewRules::default()).await;
        key(&app, "known", KeyAlgorithm::EcdsaP256).await;
        let key = app.app.key(&call(), &to("v"), &to("known")).await.unwrap().key;
        let mut tx = app.store.begin("t").await.unwrap();
        let epoch = tx.bump_epoch().await.unwrap();
        let spki = tx.key_version(&key.id, 1).await.unwrap().unwrap().public_key.unwrap();
        tx.block_key(&sha256(&[&spki]), epoch, app.clock_now()).await.unwrap();
        tx.commit().await.unwrap();
        let kinds: [fn() -> NewCaKind; 3] = [
            || NewCaKind::Root(own("known", "A"), lasting(100)),
            || NewCaKind::Subordinate(own("known", "A"), lasting(100), to("root")),
            || NewCaKind::SubordinateExternal(own("known", "A")),
        ];
        for (place, kind) in kinds.into_iter().enumerate() {
            for call in [trial(), call()] {
                let refused = app.app.create_ca(&call, ca("a", kind(), NewRules::default())).await;
                assert_eq!(conflict(refused), "key_compromised", "{place}");
            }
        }
        assert!(matches!(app.app.ca(&call(), &to("a")).await, Err(Error::NotFound { .. })));
    }
}
