//! The crate `instant-acme`, unmodified, against the real binary: the newest parts of the protocol.

#![expect(clippy::unwrap_used, reason = "helpers of a test")]

#[path = "../benches/issue/csr.rs"]
mod csr;
#[path = "../benches/acme/servers.rs"]
#[expect(dead_code, reason = "the bench measures other servers, and memory")]
mod servers;
#[path = "../benches/acme/world.rs"]
#[expect(dead_code, reason = "the bench hides what it has shown")]
mod world;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy, RevocationReason, RevocationRequest,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use servers::{Kind, Server};
use world::World;

const NEW: NewAccount<'_> =
    NewAccount { contact: &["mailto:ops@example.com"], terms_of_service_agreed: true, only_return_existing: false };

/// Shows proofs, waits, hands in a CSR: the chain.
async fn certificate(world: &World, order: &mut Order, name: &str) -> Vec<CertificateDer<'static>> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.unwrap();
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(ChallengeType::Http01).unwrap();
        world.show(&challenge.token.clone(), challenge.key_authorization().as_str().to_owned());
        challenge.set_ready().await.unwrap();
    }
    assert_eq!(order.poll_ready(&RetryPolicy::default()).await.unwrap(), OrderStatus::Ready);
    let pem = csr::pem(name).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    order.finalize_csr(&STANDARD.decode(body).unwrap()).await.unwrap();
    let chain = order.poll_certificate(&RetryPolicy::default()).await.unwrap();
    CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect()
}

/// What RFC 9773 names a certificate by, as openssl sees it.
fn identifier(certificate: &CertificateDer<'_>) -> CertificateIdentifier<'static> {
    let openssl = |option: &[&str]| {
        let mut command = std::process::Command::new("openssl");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("certificate");
        std::fs::write(&path, certificate).unwrap();
        let out = command.args(["x509", "-inform", "DER", "-noout", "-in"]).arg(&path).args(option).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let bytes = |hex: &str| {
        let digits: Vec<u8> = hex.bytes().filter_map(|byte| char::from(byte).to_digit(16)).map(|it| it as u8).collect();
        digits.chunks(2).map(|pair| pair.iter().fold(0, |so_far, digit| so_far << 4 | digit)).collect::<Vec<u8>>()
    };
    let serial = openssl(&["-serial"]);
    let mut serial = bytes(serial.trim().strip_prefix("serial=").unwrap());
    // DER writes a zero where the number would look negative (RFC 9773 section 4.1); openssl prints the number.
    if serial.first().is_some_and(|first| first & 0x80 != 0) {
        serial.insert(0, 0);
    }
    let authority = openssl(&["-ext", "authorityKeyIdentifier"]);
    let authority = bytes(authority.lines().nth(1).unwrap().trim().trim_start_matches("keyid:"));
    CertificateIdentifier::new(authority.as_slice().into(), serial.as_slice().into()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_instant_acme_orders_renews_replaces_changes_its_key_and_revokes() {
    let world = World::start().await.unwrap();
    let server = Server::start(Kind::Sqlite, &world).await.unwrap();
    let builder = || Account::builder_with_root(&server.root).unwrap();
    let (mut account, _) = builder().create(&NEW, server.directory.clone(), None).await.unwrap();
    let profiles: Vec<String> = account.profiles().map(|profile| profile.name.to_owned()).collect();
    assert_eq!(profiles, ["acme"]);

    let names = [Identifier::Dns("instant.example.com".to_owned())];
    let mut order = account.new_order(&NewOrder::new(&names).profile("acme")).await.unwrap();
    let chain = certificate(&world, &mut order, "instant.example.com").await;
    assert_eq!(chain.len(), 2);

    // Renewal information, and an order that replaces.
    let id = identifier(chain.first().unwrap());
    let (before, _) = account.renewal_info(&id).await.unwrap();
    assert!(before.suggested_window.start < before.suggested_window.end);
    let mut order = account.new_order(&NewOrder::new(&names).replaces(id.clone())).await.unwrap();
    let renewed = certificate(&world, &mut order, "instant.example.com").await;
    assert_ne!(chain.first(), renewed.first());
    let Err(instant_acme::Error::Api(twice)) = account.new_order(&NewOrder::new(&names).replaces(id)).await else {
        panic!("a certificate is replaced once");
    };
    assert_eq!(twice.r#type.as_deref(), Some("urn:ietf:params:acme:error:alreadyReplaced"));

    // Another key, and the account goes on.
    let credentials = account.update_key().await.unwrap();
    let account = builder().from_credentials(credentials).await.unwrap();
    let revocation =
        RevocationRequest { certificate: renewed.first().unwrap(), reason: Some(RevocationReason::Superseded) };
    account.revoke(&revocation).await.unwrap();
    let (info, _) = account.renewal_info(&identifier(renewed.first().unwrap())).await.unwrap();
    assert!(info.suggested_window.end < before.suggested_window.start, "it is over");
    let found = server.ask("/v1/issued-certificates?san=instant.example.com").await.unwrap();
    let newest = found.pointer("/items/0/revocationReason").and_then(|reason| reason.as_str());
    assert_eq!(newest, Some("superseded"));
    account.update_contacts(&["mailto:other@example.com"]).await.unwrap();
    account.deactivate().await.unwrap();
    server.stop().unwrap();
}
