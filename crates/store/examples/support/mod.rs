//! What the benchmarks share: a store, a CA, and recordings that all differ.

use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::audit::{AuditEvent, Outcome};
use certwright_domain::ca::{Ca, CaRules, CaState, CaType, RevocationSettings};
use certwright_domain::dn::DistinguishedName;
use certwright_domain::id::{AuditId, CaId, IssuedId};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::name::ResourceName;
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::stage::VersionPointers;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::Validity;
use certwright_store::{Location, NoFaults, Recording, Store};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

const CERTIFICATE_BYTES: usize = 600;

/// A migrated store: the PostgreSQL database of the URL, or a file in the folder.
pub(crate) async fn open(url: Option<String>, folder: &Path) -> Result<Store, Box<dyn Error>> {
    let location = match url.filter(|url| url != "-") {
        Some(url) => Location::Postgres(url),
        None => Location::Sqlite(folder.join("bench.db")),
    };
    let store = Store::open(&location, Arc::new(NoFaults)).await?;
    store.migrate().await?;
    Ok(store)
}

/// Stores the CA; returns it with the epoch.
pub(crate) async fn stock(store: &Store) -> Result<(Ca, i64), Box<dyn Error>> {
    let ca = ca()?;
    let mut tx = store.begin("bench").await?;
    tx.insert_ca(&ca).await?;
    let epoch = tx.epoch().await?;
    tx.commit().await?;
    Ok((ca, epoch))
}

fn ca() -> Result<Ca, Box<dyn Error>> {
    let now = Timestamp::from_unix_s(1_795_176_000);
    Ok(Ca {
        id: CaId::new(now, [1; 10]),
        name: ResourceName::parse("bench")?,
        ca_type: CaType::Imported,
        state: CaState::Active,
        state_before_deletion: None,
        system: false,
        issuer_id: None,
        key: None,
        signature_algorithm: Some(SignatureAlgorithm::Sha256WithEcdsa),
        subject: DistinguishedName::default(),
        rules: CaRules {
            leaf_max_validity: CaRules::LEAF_MAX,
            subordinate_max_validity: CaRules::SUBORDINATE_MAX,
            path_length: None,
            name_constraints: None,
        },
        revocation: RevocationSettings::default(),
        versions: VersionPointers { current: Some(1), previous: None, latest: 1 },
        created_at: now,
        deletion_at: None,
        revision: 1,
        renewal: None,
        next_renewal_at: None,
        renewal_failures: 0,
        exportable: false,
        crl_number: None,
        publication: None,
    })
}

/// Bytes that look random and never repeat (splitmix64).
fn scatter(number: u64, round: u64) -> [u8; 8] {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(round);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)).to_be_bytes()
}

/// The recording of this number.
pub(crate) fn recording(ca: &Ca, epoch: i64, number: u64) -> Result<Recording, String> {
    let at = Timestamp::from_unix_ms(1_795_176_000_000_i64.saturating_add_unsigned(number / 8));
    let random: Vec<u8> = (0..8).flat_map(|round| scatter(number, round)).collect();
    let take = |count: usize| random.iter().copied().cycle().take(count).collect::<Vec<u8>>();
    let entropy: [u8; 10] = take(10).try_into().map_err(|_| "ten bytes")?;
    let hash: [u8; 32] = take(32).try_into().map_err(|_| "32 bytes")?;
    let serial: [u8; 20] = take(20).try_into().map_err(|_| "20 bytes")?;
    let serial = Serial::from_random(serial);
    let name = format!("service-{number}.example.com");
    let validity = Validity::new(at, at.plus(Span::from_days(90))).map_err(|error| error.to_string())?;
    let certificate = take(CERTIFICATE_BYTES);
    let request_id = format!("req_{number:026}");
    let audit = AuditEvent {
        id: AuditId::new(at, entropy),
        at,
        actor: "token:token_01JD8XK4M2W7Z3T5V9YQ6B1C0D".to_owned(),
        actor_name: "deployer".to_owned(),
        action: "certificate.issue",
        target_kind: "certificate",
        target_id: serial.to_string(),
        target_name: name.clone(),
        request_id: request_id.clone(),
        door: "token",
        address: None,
        decided_by: String::new(),
        outcome: Outcome::Succeeded,
        details: format!("{{\"ca\":\"bench\",\"profile\":\"tls-server\",\"names\":[\"{name}\"]}}"),
    };
    let issued = IssuedCertificate {
        id: IssuedId::new(at, entropy),
        kind: IssuedKind::Leaf,
        ca_id: ca.id.clone(),
        ca_name: ca.name.to_string(),
        ca_version: 1,
        serial,
        fingerprint: Sha256(hash),
        spki_sha256: Sha256(hash),
        subject: format!("O=Example, CN={name}"),
        common_name: name.clone(),
        names: vec![San::parse(&name).map_err(|error| error.to_string())?],
        profile: "tls-server".to_owned(),
        key_algorithm: "ECDSA_P256".to_owned(),
        validity,
        renew_at: at.plus(Span::from_days(60)),
        requester: audit.actor.clone(),
        requester_name: audit.actor_name.clone(),
        request_id,
        certificate,
        issued_at: at,
        revocation: None,
    };
    Ok(Recording { issued, audit, epoch, ending: None })
}
