use super::{conflict, fresh};
use crate::fixtures::*;
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::serial::Serial;

#[tokio::test]
async fn known_serials_belong_to_their_ca() {
    let store = fresh().await;
    let (one, other) = (ca(1, "one"), ca(2, "other"));
    let serials: Vec<KnownSerial> = (1..=2500_u32)
        .map(|number| KnownSerial {
            serial: Serial::from_bytes(&number.to_be_bytes()).unwrap(),
            expires_at: (number % 2 == 0).then(now),
            revocation: (number % 3 == 0).then(|| Revocation { at: now(), reason: RevocationReason::Superseded }),
        })
        .collect();
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&one).await.unwrap();
    tx.insert_ca(&other).await.unwrap();
    tx.insert_known_serials(&one.id, &serials).await.unwrap();
    tx.insert_known_serials(&other.id, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let mut read = store.read().await.unwrap();
    let mut found = read.known_serials(&one.id).await.unwrap();
    found.sort_by(|a, b| a.serial.as_bytes().len().cmp(&b.serial.as_bytes().len()).then(a.serial.cmp(&b.serial)));
    assert_eq!(found, serials);
    assert_eq!(read.known_serials(&other.id).await.unwrap(), []);
    let mut tx = store.begin("t").await.unwrap();
    let again = tx.insert_known_serials(&one.id, &serials[..1]).await;
    assert_eq!(again, Err(conflict("ca_known_serials.serial")));
}
