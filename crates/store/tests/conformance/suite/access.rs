use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::access::{DynamicGroup, Group, Policy, PrincipalReference, User};
use certwright_domain::id::{CompartmentId, DynamicGroupId, GroupId, PolicyId, UserId};
use certwright_domain::principal::PrincipalName;
use certwright_store::Error;

pub(super) fn principal(text: &str) -> PrincipalName {
    PrincipalName::parse(text).unwrap()
}

fn to(text: &str) -> PrincipalReference {
    PrincipalReference::parse(text).unwrap()
}

fn user(number: u32, called: &str) -> User {
    User {
        id: UserId::new(now(), entropy(number)),
        name: principal(called),
        description: format!("user {number}"),
        enabled: true,
        created_at: now(),
        revision: 1,
    }
}

fn group(number: u32, called: &str) -> Group {
    Group {
        id: GroupId::new(now(), entropy(number)),
        name: principal(called),
        description: format!("group {number}"),
        created_at: now(),
        revision: 1,
    }
}

fn dynamic_group(number: u32, called: &str) -> DynamicGroup {
    DynamicGroup {
        id: DynamicGroupId::new(now(), entropy(number)),
        name: principal(called),
        description: format!("machines {number}"),
        matching_rule: "All {request.principal.type = 'certificateauthority'}".into(),
        created_at: now(),
        revision: 1,
    }
}

fn policy(number: u32, called: &str) -> Policy {
    Policy {
        id: PolicyId::new(now(), entropy(number)),
        compartment: CompartmentId::tenancy(),
        name: name(called),
        description: format!("policy {number}"),
        statements: vec!["Allow group ops to use keys in tenancy".into(), "a \"quoted\" 'one', with é".into()],
        created_at: now(),
        revision: 1,
    }
}

#[tokio::test]
async fn what_is_there_from_the_start() {
    let store = fresh().await;
    let mut read = store.read().await.unwrap();
    let snapshot = read.access_snapshot().await.unwrap();
    assert_eq!((snapshot.epoch, snapshot.access), (1, 1));
    let [tenancy] = snapshot.compartments.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!((&tenancy.id, &tenancy.parent, tenancy.name.as_str()), (&CompartmentId::tenancy(), &None, "tenancy"));
    let [admin] = snapshot.users.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!((admin.id.as_str(), admin.name.as_str()), ("user_00000000000000000000000001", "admin"));
    assert!(admin.enabled && admin.created_at.unix_ms() > 1_700_000_000_000);
    let [administrators] = snapshot.groups.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!(administrators.id.as_str(), "group_00000000000000000000000001");
    assert_eq!(administrators.name.as_str(), "administrators");
    assert_eq!(snapshot.members, [(administrators.id.clone(), admin.id.clone())]);
    assert!(snapshot.dynamic_groups.is_empty());
    let policies: Vec<(&str, &str, Vec<&str>)> = snapshot
        .policies
        .iter()
        .map(|it| (it.id.as_str(), it.name.as_str(), it.statements.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        policies,
        [
            (
                "policy_00000000000000000000000001",
                "administrators",
                vec!["Allow group administrators to manage all-resources in tenancy"]
            ),
            (
                "policy_00000000000000000000000002",
                "service",
                vec![
                    "Allow any-user to use keys in tenancy where request.principal.type='certificateauthority'",
                    "Allow any-user to manage objects in tenancy where request.principal.type='certificateauthority'"
                ]
            )
        ]
    );
}

#[tokio::test]
async fn both_epochs_rise_with_a_change_of_access() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.bump_epoch().await.unwrap(), 2);
    assert_eq!(tx.access_epoch().await.unwrap(), 1, "another change is not one of access");
    assert_eq!(tx.bump_access().await.unwrap(), 3);
    assert_eq!((tx.epoch().await.unwrap(), tx.access_epoch().await.unwrap()), (3, 2));
}

#[tokio::test]
async fn users_are_found_by_id_and_by_name_in_any_case() {
    let store = fresh().await;
    let mut ops = user(1, "Ops@Example.com");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_user(&ops).await.unwrap();
    for by in [ops.id.as_str(), "ops@example.com", "OPS@example.COM"] {
        assert_eq!(tx.user(&to(by)).await.unwrap().as_ref(), Some(&ops), "{by}");
    }
    assert_eq!(tx.user(&to("nobody")).await.unwrap(), None);
    assert_eq!(tx.count_users().await.unwrap(), 2);
    (ops.enabled, ops.description) = (false, String::new());
    tx.update_user(&ops).await.unwrap();
    assert_eq!(tx.update_user(&ops).await, Err(stale("users")));
    ops.revision = 2;
    assert_eq!(tx.user(&to(ops.id.as_str())).await.unwrap().as_ref(), Some(&ops));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_user(&user(2, "OPS@example.com")).await, Err(conflict("users.name")));
}

#[tokio::test]
async fn memberships_go_with_their_user_and_their_group() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let (one, two) = (user(1, "b"), user(2, "a"));
    let (ops, net) = (group(1, "ops"), group(2, "net"));
    for it in [&one, &two] {
        tx.insert_user(it).await.unwrap();
    }
    for it in [&ops, &net] {
        tx.insert_group(it).await.unwrap();
    }
    for (group, user) in [(&ops, &one), (&ops, &two), (&net, &one)] {
        assert!(tx.add_member(&group.id, &user.id).await.unwrap());
        assert!(!tx.add_member(&group.id, &user.id).await.unwrap(), "a member already");
    }
    assert_eq!(tx.count_memberships().await.unwrap(), 4, "with the first administrator");
    let found = tx.groups_of(&one.id).await.unwrap();
    assert_eq!(found, [net.clone(), ops.clone()]);
    let first_page = tx.members(&ops.id, &first(1)).await.unwrap();
    assert_eq!(first_page.items, std::slice::from_ref(&two));
    assert_eq!(tx.members(&ops.id, &after(1, first_page.next)).await.unwrap().items, std::slice::from_ref(&one));
    assert_eq!(tx.enabled_members(&ops.id).await.unwrap(), 2);
    tx.update_user(&User { enabled: false, ..one.clone() }).await.unwrap();
    assert_eq!(tx.enabled_members(&ops.id).await.unwrap(), 1);

    assert_eq!(tx.delete_user(&one.id, 1).await, Err(stale("users")));
    assert_eq!(tx.groups_of(&one.id).await.unwrap().len(), 2, "a refused deletion leaves the memberships");
    tx.delete_user(&one.id, 2).await.unwrap();
    assert_eq!(tx.members(&net.id, &first(5)).await.unwrap().items, []);
    assert_eq!(tx.user(&to("b")).await.unwrap(), None);

    assert!(tx.remove_member(&ops.id, &two.id).await.unwrap());
    assert!(!tx.remove_member(&ops.id, &two.id).await.unwrap());
    tx.add_member(&ops.id, &two.id).await.unwrap();
    assert_eq!(tx.delete_group(&ops.id, 7).await, Err(stale("user_groups")));
    assert_eq!(tx.groups_of(&two.id).await.unwrap().len(), 1);
    tx.delete_group(&ops.id, 1).await.unwrap();
    assert_eq!((tx.groups_of(&two.id).await.unwrap(), tx.count_memberships().await.unwrap()), (vec![], 1));
    assert_eq!(tx.group(&to("ops")).await.unwrap(), None);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn groups_are_kept_and_changed_by_revision() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let mut ops = group(1, "ops");
    tx.insert_group(&ops).await.unwrap();
    (ops.name, ops.description) = (principal("operators"), "new".into());
    tx.update_group(&ops).await.unwrap();
    assert_eq!(tx.update_group(&ops).await, Err(stale("user_groups")));
    ops.revision = 2;
    assert_eq!(tx.group(&to("OPERATORS")).await.unwrap().as_ref(), Some(&ops));
    assert_eq!(tx.group(&to(ops.id.as_str())).await.unwrap().as_ref(), Some(&ops));
    assert_eq!((tx.group(&to("ops")).await.unwrap(), tx.count_groups().await.unwrap()), (None, 2));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_group(&group(2, "Operators")).await, Err(conflict("user_groups.name")));
    drop(tx);

    let mut tx = store.begin("t").await.unwrap();
    let mut cas = dynamic_group(1, "cas");
    tx.insert_dynamic_group(&cas).await.unwrap();
    cas.name = principal("authorities");
    cas.matching_rule = "Any {x = 'y'}".into();
    cas.description = String::new();
    tx.update_dynamic_group(&cas).await.unwrap();
    assert_eq!(tx.update_dynamic_group(&cas).await, Err(stale("dynamic_groups")));
    cas.revision = 2;
    assert_eq!(tx.dynamic_group(&to("Authorities")).await.unwrap().as_ref(), Some(&cas));
    assert_eq!(tx.dynamic_group(&to(cas.id.as_str())).await.unwrap().as_ref(), Some(&cas));
    assert_eq!(tx.count_dynamic_groups().await.unwrap(), 1);
    assert_eq!(tx.access_snapshot().await.unwrap().dynamic_groups, [cas.clone()]);
    assert_eq!(tx.delete_dynamic_group(&cas.id, 1).await, Err(stale("dynamic_groups")));
    tx.insert_dynamic_group(&dynamic_group(2, "b")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_dynamic_group(&dynamic_group(3, "b")).await, Err(conflict("dynamic_groups.name")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    tx.delete_dynamic_group(&cas.id, 2).await.unwrap();
    assert_eq!(tx.dynamic_group(&to("authorities")).await.unwrap(), None);
}

#[tokio::test]
async fn policies_are_kept_and_changed_by_revision() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let mut ops = policy(1, "Ops");
    tx.insert_policy(&ops).await.unwrap();
    assert_eq!(tx.policy(&reference("Ops")).await.unwrap().as_ref(), Some(&ops));
    (ops.name, ops.description, ops.statements) = (name("net"), String::new(), vec!["one".into()]);
    tx.update_policy(&ops).await.unwrap();
    assert_eq!(tx.update_policy(&ops).await, Err(stale("policies")));
    ops.revision = 2;
    assert_eq!(tx.policy(&reference(ops.id.as_str())).await.unwrap().as_ref(), Some(&ops));
    assert_eq!((tx.policy(&reference("Ops")).await.unwrap(), tx.count_policies().await.unwrap()), (None, 3));
    assert_eq!(tx.delete_policy(&ops.id, 1).await, Err(stale("policies")));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_policy(&policy(2, "net")).await, Err(conflict("policies.name")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    tx.delete_policy(&ops.id, 2).await.unwrap();
    assert_eq!(tx.policy(&reference("net")).await.unwrap(), None);
}

#[tokio::test]
async fn lists_page_by_name() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, called) in [(1, "c"), (2, "a@x"), (3, "b+1")] {
        tx.insert_user(&user(number, called)).await.unwrap();
        tx.insert_group(&group(number, called)).await.unwrap();
        tx.insert_dynamic_group(&dynamic_group(number, called)).await.unwrap();
    }
    tx.insert_policy(&policy(1, "Z")).await.unwrap();
    let one = tx.users(&first(2)).await.unwrap();
    let two = tx.users(&after(2, one.next.clone())).await.unwrap();
    let names: Vec<&str> = one.items.iter().chain(&two.items).map(|it| it.name.as_str()).collect();
    assert_eq!((names, two.next), (vec!["a@x", "admin", "b+1", "c"], None));
    let one = tx.groups(&first(3)).await.unwrap();
    let two = tx.groups(&after(3, one.next.clone())).await.unwrap();
    assert_eq!((one.items.len(), two.items.len(), two.next), (3, 1, None));
    let one = tx.dynamic_groups(&first(2)).await.unwrap();
    let two = tx.dynamic_groups(&after(2, one.next.clone())).await.unwrap();
    assert_eq!((one.items.len(), two.items.len(), two.next), (2, 1, None));
    let one = tx.policies(None, &first(1)).await.unwrap();
    assert_eq!(one.items[0].name.as_str(), "Z", "upper case comes first");
    let two = tx.policies(None, &after(5, one.next.clone())).await.unwrap();
    assert_eq!(two.items.len(), 2);
    assert_eq!(tx.users(&after(1, one.next)).await, Err(Error::BadCursor));
    let nowhere = CompartmentId::new(now(), entropy(9));
    assert_eq!(tx.policies(Some(&nowhere), &first(5)).await.unwrap().items, []);
    assert_eq!(tx.policies(Some(&CompartmentId::tenancy()), &first(5)).await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn the_tokens_of_a_user_are_revoked_together() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let (one, two, other, gone) = (token(1, "one"), token(2, "two"), token(3, "other"), token(4, "gone"));
    tx.insert_token(&one).await.unwrap();
    tx.insert_token(&two).await.unwrap();
    tx.insert_token(&certwright_domain::token::Token { user: "somebody".into(), ..other.clone() }).await.unwrap();
    tx.insert_token(&certwright_domain::token::Token { revoked_at: Some(now()), ..gone }).await.unwrap();
    let mut revoked = tx.revoke_tokens_of(&principal("deployer"), now()).await.unwrap();
    revoked.sort();
    assert_eq!(revoked, [one.id.clone(), two.id]);
    assert_eq!(tx.token(&one.id).await.unwrap().unwrap().revoked_at, Some(now()));
    assert_eq!(tx.token(&other.id).await.unwrap().unwrap().revoked_at, None);
    assert_eq!(tx.revoke_tokens_of(&principal("deployer"), now()).await.unwrap(), []);
}
