use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::access::{Compartment, PlacedKind, Placement};
use certwright_domain::id::{CaId, CompartmentId, VaultId};
use certwright_store::Error;

fn compartment(number: u32, called: &str, parent: &CompartmentId) -> Compartment {
    Compartment {
        id: CompartmentId::new(now(), entropy(number)),
        parent: Some(parent.clone()),
        name: name(called),
        description: format!("compartment {number}"),
        created_at: now(),
        revision: 1,
    }
}

#[tokio::test]
async fn compartments_are_kept_moved_and_deleted_by_revision() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let root = CompartmentId::tenancy();
    let mut prod = compartment(1, "prod", &root);
    let web = compartment(2, "Web", &prod.id);
    tx.insert_compartment(&prod).await.unwrap();
    tx.insert_compartment(&web).await.unwrap();
    assert_eq!(tx.compartment(&reference("prod")).await.unwrap().as_ref(), Some(&prod));
    assert_eq!(tx.compartment(&reference(web.id.as_str())).await.unwrap().as_ref(), Some(&web));
    assert_eq!(tx.compartment(&reference("none")).await.unwrap(), None);
    let mut moved = Compartment { parent: Some(root.clone()), name: name("web"), description: String::new(), ..web };
    tx.update_compartment(&moved).await.unwrap();
    assert_eq!(tx.update_compartment(&moved).await, Err(stale("compartments")));
    moved.revision = 2;
    assert_eq!(tx.compartment(&reference("web")).await.unwrap().as_ref(), Some(&moved));
    let all = tx.all_compartments().await.unwrap();
    assert_eq!(all.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["prod", "tenancy", "web"]);
    assert_eq!(tx.access_snapshot().await.unwrap().compartments, all);
    let one = tx.compartments(&first(2)).await.unwrap();
    let two = tx.compartments(&after(2, one.next.clone())).await.unwrap();
    assert_eq!((one.items, two.items, two.next), (all[..2].to_vec(), all[2..].to_vec(), None));
    assert_eq!(tx.delete_compartment(&moved.id, 1).await, Err(stale("compartments")));
    tx.delete_compartment(&moved.id, 2).await.unwrap();
    assert_eq!(tx.compartment(&reference("web")).await.unwrap(), None);
    prod.description = "x".into();
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_compartment(&compartment(3, "prod", &root)).await, Err(conflict("compartments.name")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    let second_root = Compartment { parent: None, ..compartment(4, "other", &root) };
    assert!(matches!(tx.insert_compartment(&second_root).await, Err(Error::Driver(_))), "there is one root");
}

#[tokio::test]
async fn a_compartment_with_something_in_it_stays() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let prod = compartment(1, "prod", &CompartmentId::tenancy());
    tx.insert_compartment(&prod).await.unwrap();
    let vault = VaultId::new(now(), entropy(1));
    tx.place(&placement(vault.as_str(), PlacedKind::Vault, &prod.id)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert!(matches!(tx.delete_compartment(&prod.id, 1).await, Err(Error::Driver(_))));
}

fn placement(id: &str, kind: PlacedKind, compartment: &CompartmentId) -> Placement {
    Placement { resource_id: id.to_owned(), kind, compartment: compartment.clone() }
}

#[tokio::test]
async fn resources_lie_in_the_tenancy_until_they_are_moved() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let root = CompartmentId::tenancy();
    let (prod, test) = (compartment(1, "prod", &root), compartment(2, "test", &root));
    tx.insert_compartment(&prod).await.unwrap();
    tx.insert_compartment(&test).await.unwrap();
    let vaults: Vec<String> = (1..=3).map(|number| VaultId::new(now(), entropy(number)).to_string()).collect();
    let ca = CaId::new(now(), entropy(1)).to_string();
    assert_eq!(tx.compartment_of(&ca).await.unwrap(), root);
    for vault in &vaults {
        tx.place(&placement(vault, PlacedKind::Vault, &prod.id)).await.unwrap();
    }
    tx.place(&placement(&ca, PlacedKind::CertificateAuthority, &prod.id)).await.unwrap();
    tx.place(&placement(&vaults[2], PlacedKind::Vault, &test.id)).await.unwrap();
    assert_eq!(tx.compartment_of(&ca).await.unwrap(), prod.id);
    assert_eq!(tx.compartment_of(&vaults[2]).await.unwrap(), test.id);
    assert_eq!((tx.count_placed(&prod.id).await.unwrap(), tx.count_placed(&test.id).await.unwrap()), (3, 1));

    let unknown = VaultId::new(now(), entropy(9)).to_string();
    let found = tx.compartments_of(&[&ca, &vaults[2], &unknown]).await.unwrap();
    let expected = [(ca.clone(), prod.id.clone()), (vaults[2].clone(), test.id.clone())];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    assert!(tx.compartments_of(&[]).await.unwrap().is_empty());

    let one = tx.placed_in(&prod.id, None, &first(2)).await.unwrap();
    let two = tx.placed_in(&prod.id, None, &after(2, one.next.clone())).await.unwrap();
    let ids: Vec<&str> = one.items.iter().chain(&two.items).map(|it| it.resource_id.as_str()).collect();
    assert_eq!((ids, two.next), (vec![ca.as_str(), &vaults[0], &vaults[1]], None));
    let one = tx.placed_in(&prod.id, Some(PlacedKind::Vault), &first(1)).await.unwrap();
    assert_eq!(one.items, [placement(&vaults[0], PlacedKind::Vault, &prod.id)]);
    let two = tx.placed_in(&prod.id, Some(PlacedKind::Vault), &after(9, one.next)).await.unwrap();
    assert_eq!(two.items, [placement(&vaults[1], PlacedKind::Vault, &prod.id)]);
    assert_eq!(tx.placed_in(&prod.id, None, &after(1, Some("eA".into()))).await, Err(Error::BadCursor));

    tx.place(&placement(&ca, PlacedKind::CertificateAuthority, &root)).await.unwrap();
    tx.unplace(&vaults[0]).await.unwrap();
    assert_eq!(tx.compartment_of(&ca).await.unwrap(), root);
    assert_eq!((tx.count_placed(&prod.id).await.unwrap(), tx.count_placed(&root).await.unwrap()), (1, 0));
    tx.commit().await.unwrap();
}
