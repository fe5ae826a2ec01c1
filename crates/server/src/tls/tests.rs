//! Handshakes in memory against our configuration, and files that are and are not fit for it.

use super::*;
use crate::config::{Origin, Settings, Sources};
use crate::{background, wiring};
use rustls::client::ClientConnection;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, ServerConnection, SupportedProtocolVersion};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::watch;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The pair of files of this name, with modes as an operator would set them.
fn pair(home: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (home.join(format!("{name}.pem")), home.join(format!("{name}.key")));
    std::fs::copy(data(&format!("{name}.pem")), &certificate).unwrap();
    std::fs::copy(data(&format!("{name}.key")), &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    (certificate, key)
}

fn load(home: &Path, name: &str) -> CertifiedKey {
    let (certificate, key) = pair(home, name);
    from_files(&certificate, &key).unwrap()
}

fn der(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(data(&format!("{name}.pem"))).unwrap()
}

/// A finished handshake, seen from the client.
fn handshake(server: &Arc<ServerConfig>, versions: &[&'static SupportedProtocolVersion]) -> ClientConnection {
    handshake_trusting(server, versions, der("root"))
}

fn handshake_trusting(
    server: &Arc<ServerConfig>,
    versions: &[&'static SupportedProtocolVersion],
    root: CertificateDer<'static>,
) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() {
            server.read_tls(&mut bytes).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    client
}

fn leaf(client: &ClientConnection) -> CertificateDer<'static> {
    client.peer_certificates().unwrap()[0].clone().into_owned()
}

#[test]
fn tls_1_3_with_a_hybrid_key_exchange_and_http2_is_what_a_new_client_gets() {
    let home = tempfile::tempdir().unwrap();
    let config = server_config(HotCertificate::new(load(home.path(), "one"))).unwrap();
    let client = handshake(&config, &[&rustls::version::TLS13, &rustls::version::TLS12]);
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
    let old = handshake(&config, &[&rustls::version::TLS12]);
    assert_eq!(old.protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[test]
fn a_swapped_certificate_is_served_from_the_next_handshake_on() {
    let home = tempfile::tempdir().unwrap();
    let hot = HotCertificate::new(load(home.path(), "one"));
    let config = server_config(Arc::clone(&hot)).unwrap();
    let before = handshake(&config, &[&rustls::version::TLS13]);
    assert_eq!(leaf(&before), der("one"));
    hot.swap(load(home.path(), "two"));
    assert_eq!(leaf(&handshake(&config, &[&rustls::version::TLS13])), der("two"));
    assert_eq!(leaf(&before), der("one"), "what is open stays as it was");
}

#[test]
fn files_that_do_not_fit_are_refused_with_their_name() {
    let home = tempfile::tempdir().unwrap();
    let (one, one_key) = pair(home.path(), "one");
    let (_, two_key) = pair(home.path(), "two");
    let garbage = home.path().join("garbage.pem");
    std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
    let empty = home.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o600)).unwrap();
    for (certificate, key, named) in [
        (&one, &two_key, "one.pem with"),
        (&garbage, &one_key, "garbage.pem"),
        (&empty, &one_key, "empty.pem"),
        (&one, &empty, "empty.pem"),
        (&one_key, &one_key, "one.key"),
    ] {
        let error = from_files(certificate, key).unwrap_err();
        assert!(matches!(error, Error::Tls { .. }), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(matches!(from_files(&one, &home.path().join("missing")), Err(Error::File { .. })));
}

#[test]
fn a_key_that_everybody_can_read_is_refused_and_one_for_a_group_is_not() {
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = pair(home.path(), "one");
    for (mode, fine) in [(0o600, true), (0o640, true), (0o604, false), (0o644, false)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        match (from_files(&certificate, &key), fine) {
            (Ok(_), true) => {}
            (Err(Error::Exposed { mode: found, .. }), false) => assert_eq!(found & 0o777, mode),
            (other, _) => panic!("{mode:o}: {:?}", other.map(|_| ())),
        }
    }
}

fn settings(home: &Path) -> Settings {
    let data = home.join("data").display().to_string();
    Sources::new()
        .with("data", data, Origin::Flag("data"))
        .load()
        .unwrap_or_else(|faults| panic!("{faults:?}"))
        .settings
}

/// A handshake that succeeds only when the served chain leads to this root.
fn trusts(config: &Arc<ServerConfig>, root: &Path) -> CertificateDer<'static> {
    let root = CertificateDer::from_pem_file(root).unwrap();
    leaf(&handshake_trusting(config, &[&rustls::version::TLS13], root))
}

#[tokio::test]
async fn the_service_cas_certificate_is_trusted_by_its_file_and_renewed_when_due() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path());
    crate::folder::prepare(settings.data()).unwrap();
    let store = wiring::open_store(&settings).await.unwrap();
    assert!(!wiring::migrate(&settings, &store).await.unwrap().is_empty());
    let wired = wiring::wire(&settings, store.clone()).await.unwrap();

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let (own, renew_at) = OwnCertificate::begin(wired.app.clone(), &settings, &names).await.unwrap();
    assert!(renew_at > wired.app.now());
    let hot = own.hot();
    let config = server_config(Arc::clone(&hot)).unwrap();
    let first = trusts(&config, &settings.tls_root_path());
    let root = std::fs::read(settings.tls_root_path()).unwrap();

    // Due at once: the next certificate takes the place of the first, below the same root.
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(background::renewal(own, wired.entropy.clone(), wired.app.now(), stopped));
    let before = hot.current();
    while Arc::ptr_eq(&before, &hot.current()) {
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    worker.await.unwrap();
    assert_ne!(trusts(&config, &settings.tls_root_path()), first);
    assert_eq!(std::fs::read(settings.tls_root_path()).unwrap(), root);
    store.close().await;
}

/// Randomness that counts, so that spreads are known.
struct Counting(AtomicU8);

impl certwright_domain::ambient::Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

#[tokio::test]
async fn background_work_ends_when_it_is_told_to() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path());
    crate::folder::prepare(settings.data()).unwrap();
    let store = wiring::open_store(&settings).await.unwrap();
    wiring::migrate(&settings, &store).await.unwrap();
    let wired = wiring::wire(&settings, store.clone()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    // No spread: the first round begins at once.
    let entropy = Arc::new(Counting(AtomicU8::new(0)));
    let jobs = tokio::spawn(background::jobs(wired.app.clone(), entropy, stopped.clone()));
    let deliveries = tokio::spawn(crate::deliveries::run(wired.app.clone(), wired.trust, stopped));
    tokio::task::yield_now().await;
    stop.send_replace(true);
    jobs.await.unwrap();
    deliveries.await.unwrap();
    wired.app.release_leases().await.unwrap();
    store.close().await;
}
