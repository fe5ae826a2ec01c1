use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::acme::{
    Account, AccountState, Authorization, AuthorizationState, Challenge, ChallengeState, Contact, Directory,
    DirectorySettings, EabKey, Failure, FailureKind, Identifier, Method, NameGrant, Order, OrderEnd, RawDirectory,
};
use certwright_domain::id::{
    AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeOrderId, CaId, EabKeyId, IssuedId,
};
use certwright_domain::identity::AllowedNames;
use certwright_domain::key::SealedBlob;
use certwright_store::{AcmeFilter, Error, KnownProofs, OrderEnding, ProofSearch, REPLACED, Recording};

fn grant() -> NameGrant {
    NameGrant { names: AllowedNames::parse(&["*.corp.example".to_owned()]).ok() }
}

pub(super) fn directory(number: u32, called: &str) -> Directory {
    let raw = RawDirectory {
        name: called.to_owned(),
        description: "for tests".to_owned(),
        names: Some(vec!["*.example".to_owned()]),
        allowed_private_ranges: vec!["10.0.0.0/8".to_owned()],
        caa_identities: vec!["ca.example".to_owned()],
        check_caa: true,
        terms_of_service: Some("https://ca.example/terms".to_owned()),
        enabled: true,
        ..RawDirectory::default()
    };
    Directory {
        id: AcmeDirectoryId::new(now(), entropy(number)),
        ca: CaId::new(now(), entropy(1)),
        settings: DirectorySettings::new(raw).unwrap(),
        created_at: now(),
        revision: 1,
    }
}

pub(super) fn account(number: u32, directory: &Directory) -> Account {
    Account {
        id: AcmeAccountId::new(now(), entropy(number)),
        directory: directory.id.clone(),
        key: format!("{{\"n\":\"{number}\"}}"),
        thumbprint: sha(number),
        state: AccountState::Valid,
        contacts: vec![Contact::parse("mailto:a@example.com").unwrap()],
        terms_agreed_at: Some(now()),
        eab_key: Some(EabKeyId::new(now(), entropy(number))),
        grant: grant(),
        created_at: now(),
        revision: 1,
    }
}

pub(super) fn authorization(number: u32, account: &Account, name: &str) -> Authorization {
    let challenge = |method| Challenge {
        method,
        token: format!("token{number}"),
        state: ChallengeState::Pending,
        validated_at: None,
        failure: Some(Failure::new(FailureKind::Dns, "nothing there")),
        attempts: 1,
        seen_by: vec!["node-1".to_owned()],
        due_at: None,
    };
    Authorization {
        id: AcmeAuthorizationId::new(now(), entropy(number)),
        account: account.id.clone(),
        directory: account.directory.clone(),
        identifier: Identifier::from_stored(name).unwrap(),
        state: AuthorizationState::Pending,
        expires_at: now().plus(days(7)),
        challenges: vec![challenge(Method::Http01), challenge(Method::Dns01)],
        due_at: None,
        created_at: now(),
        revision: 1,
    }
}

pub(super) fn order(number: u32, account: &Account, authorizations: &[&Authorization], replaces: Option<u32>) -> Order {
    Order {
        id: AcmeOrderId::new(now(), entropy(number)),
        account: account.id.clone(),
        directory: account.directory.clone(),
        identifiers: authorizations.iter().map(|it| it.identifier.clone()).collect(),
        authorizations: authorizations.iter().map(|it| it.id.clone()).collect(),
        profile: name("tls-server"),
        not_before: Some(now()),
        not_after: Some(now().plus(days(1))),
        replaces: replaces.map(|number| (IssuedId::new(now(), entropy(number)), "aki.serial".to_owned())),
        expires_at: now().plus(days(7)),
        end: None,
        created_at: now(),
        revision: 1,
    }
}

fn search<'s>(holder: &'s Account, names: &'s [String]) -> ProofSearch<'s> {
    ProofSearch { account: &holder.id, names, now: now(), most_pending: 10 }
}

#[tokio::test]
async fn directories_and_the_secret_come_back() {
    let store = fresh().await;
    let made = directory(1, "team-a");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_directory(&made).await.unwrap();
    tx.insert_acme_directory(&directory(2, "b")).await.unwrap();
    assert_eq!(tx.acme_directory(&reference("team-a")).await.unwrap(), Some(made.clone()));
    assert_eq!(tx.acme_directory(&reference(made.id.as_str())).await.unwrap(), Some(made.clone()));
    assert_eq!(tx.count_acme_directories().await.unwrap(), 2);
    let page = tx.acme_directories(&first(1)).await.unwrap();
    let rest = tx.acme_directories(&after(1, page.next)).await.unwrap();
    assert_eq!((rest.items, rest.next), (vec![made.clone()], None));
    let settings = DirectorySettings::new(RawDirectory { enabled: false, ..made.settings.to_raw() }).unwrap();
    let changed = Directory { settings, ..made.clone() };
    tx.update_acme_directory(&changed).await.unwrap();
    assert_eq!(tx.update_acme_directory(&changed).await, Err(stale("acme_directories")));
    assert!(!tx.acme_directory(&reference("team-a")).await.unwrap().unwrap().settings.enabled());
    assert_eq!(tx.delete_acme_directory(&made.id, 1).await, Err(stale("acme_directories")));
    tx.delete_acme_directory(&made.id, 2).await.unwrap();

    assert_eq!(tx.acme_secret().await.unwrap(), None);
    tx.insert_acme_secret(&SealedBlob(vec![1, 2]), "root-1").await.unwrap();
    assert_eq!(tx.acme_secret().await.unwrap(), Some((SealedBlob(vec![1, 2]), "root-1".to_owned())));
    assert_eq!(tx.root_key_usage().await.unwrap(), [("root-1".to_owned(), 1)], "no root key goes that it needs");
    assert_eq!(tx.rewrap_acme_secret("root-0", &SealedBlob(vec![3]), "x").await, Err(stale("acme_secrets")));
    tx.rewrap_acme_secret("root-1", &SealedBlob(vec![3]), "root-2").await.unwrap();
    assert_eq!(tx.acme_secret().await.unwrap(), Some((SealedBlob(vec![3]), "root-2".to_owned())));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert!(tx.insert_acme_secret(&SealedBlob(vec![4]), "x").await.is_err(), "there is one");
}

#[tokio::test]
async fn a_key_has_one_account_in_a_directory() {
    let store = fresh().await;
    let (here, there) = (directory(1, "a"), directory(2, "b"));
    let made = account(1, &here);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_directory(&here).await.unwrap();
    tx.insert_acme_directory(&there).await.unwrap();
    assert!(!tx.has_acme_accounts(&here.id).await.unwrap());
    tx.insert_acme_account(&made).await.unwrap();
    assert!(tx.has_acme_accounts(&here.id).await.unwrap());
    let elsewhere = Account { thumbprint: sha(1), grant: NameGrant::default(), eab_key: None, ..account(2, &there) };
    tx.insert_acme_account(&elsewhere).await.unwrap();
    assert_eq!(tx.acme_account(&made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(tx.acme_account_of(&there.id, &sha(1)).await.unwrap(), Some(elsewhere.clone()));
    assert_eq!(tx.acme_account_of(&here.id, &sha(2)).await.unwrap(), None);
    let of_here = AcmeFilter { directory: Some(here.id.clone()), account: None };
    assert_eq!(tx.acme_accounts(&of_here, &first(10)).await.unwrap().items, std::slice::from_ref(&made));
    let newest = tx.acme_accounts(&AcmeFilter::default(), &first(1)).await.unwrap();
    let rest = tx.acme_accounts(&AcmeFilter::default(), &after(1, newest.next)).await.unwrap();
    assert_eq!((newest.items, rest.items), (vec![elsewhere.clone()], vec![made.clone()]));
    let changed =
        Account { thumbprint: sha(9), state: AccountState::Deactivated, contacts: Vec::new(), ..made.clone() };
    tx.update_acme_account(&changed).await.unwrap();
    assert_eq!(tx.update_acme_account(&changed).await, Err(stale("acme_accounts")), "k5: one wins");
    assert_eq!(tx.acme_account(&made.id).await.unwrap(), Some(Account { revision: 2, ..changed }));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    let twice = tx.insert_acme_account(&Account { thumbprint: sha(9), ..account(3, &here) }).await;
    assert!(matches!(twice, Err(certwright_store::Error::Conflict { .. })), "a9: {twice:?}");
}

#[tokio::test]
async fn e4_e5_keys_for_bindings_are_used_until_they_end() {
    let store = fresh().await;
    let here = directory(1, "a");
    let made = EabKey {
        id: EabKeyId::new(now(), entropy(1)),
        directory: here.id.clone(),
        name: name("laptops"),
        grant: grant(),
        uses_left: Some(2),
        expires_at: Some(now().plus(days(1))),
        revoked_at: None,
        created_at: now(),
        last_used_at: None,
        revision: 1,
    };
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_eab_key(&made).await.unwrap();
    assert_eq!(tx.eab_key(&made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(tx.use_eab_key(&made.id, now().plus(days(1))).await, Ok(false), "it has ended");
    assert_eq!(tx.use_eab_key(&made.id, now()).await, Ok(true));
    let found = tx.eab_keys(&AcmeFilter { directory: Some(here.id.clone()), account: None }, &first(5)).await.unwrap();
    let used = EabKey { uses_left: Some(1), last_used_at: Some(now()), revision: 2, ..made.clone() };
    assert_eq!(found.items, [used]);
    assert_eq!(tx.use_eab_key(&made.id, now()).await, Ok(true));
    assert_eq!(tx.use_eab_key(&made.id, now()).await, Ok(false), "it is used up");
    assert_eq!(tx.revoke_eab_key(&made.id, now()).await, Ok(true));
    assert_eq!(tx.revoke_eab_key(&made.id, now()).await, Ok(false));
    let second = EabKeyId::new(now(), entropy(2));
    tx.insert_eab_key(&EabKey { id: second.clone(), uses_left: None, expires_at: None, ..made.clone() }).await.unwrap();
    for _ in 0..3 {
        assert_eq!(tx.use_eab_key(&second, now()).await, Ok(true));
    }
    assert_eq!(tx.eab_key(&second).await.unwrap().unwrap().uses_left, None);
    assert_eq!(tx.use_eab_key(&EabKeyId::new(now(), entropy(9)), now()).await, Ok(false));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    let twice = tx.insert_eab_key(&EabKey { id: EabKeyId::new(now(), entropy(3)), ..made }).await;
    assert_eq!(twice, Err(conflict("acme_eab_keys.name")));
}

#[tokio::test]
async fn orders_end_once_and_a_certificate_is_replaced_once() {
    let store = fresh().await;
    let here = directory(1, "a");
    let holder = account(1, &here);
    let one = authorization(1, &holder, "*.a.example");
    let other = authorization(2, &holder, "10.0.0.1");
    let made = order(1, &holder, &[&one, &other], Some(7));
    let second = order(2, &holder, &[&one], Some(7));
    store.place_acme_order("t", &made, &[&one, &other]).await.unwrap();
    store.place_acme_order("t", &second, &[]).await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_directory(&here).await.unwrap();
    tx.insert_acme_account(&holder).await.unwrap();
    assert_eq!(tx.acme_order(&made.id).await.unwrap(), Some(made.clone()));
    let found = tx.acme_order_with_proofs(&made.id).await.unwrap();
    assert_eq!(found, Some((made.clone(), vec![one.clone(), other.clone()])));
    let absent = AcmeOrderId::new(now(), entropy(99));
    assert_eq!(tx.acme_order_with_proofs(&absent).await.unwrap(), None);
    let of_holder = AcmeFilter { account: Some(holder.id.clone()), directory: None };
    assert_eq!(tx.acme_orders(&of_holder, &first(9)).await.unwrap().items, [second.clone(), made.clone()]);
    let replaced = IssuedId::new(now(), entropy(7));
    assert_eq!(tx.acme_order_replacing(&replaced).await.unwrap(), None, "i4: not before it is valid");
    tx.commit().await.unwrap();

    let (ca, epoch) = with_ca(&store).await;
    let ending = |number, of: &Order, proofs: &[&Authorization]| Recording {
        ending: Some(OrderEnding {
            order: of.id.clone(),
            revision: of.revision,
            account: (holder.id.clone(), holder.revision),
            directory: (here.id.clone(), here.revision),
            authorizations: proofs.iter().map(|it| (it.id.clone(), it.revision)).collect(),
            key: None,
        }),
        ..recording(number, &ca, epoch)
    };
    let record = async |recording| store.recorder().record(recording).await;
    warm_up(&store, &ca, epoch).await;
    record(ending(8, &made, &[&one, &other])).await.unwrap();
    assert_eq!(record(ending(9, &made, &[&one, &other])).await, Err(stale("acme_orders")), "f8: one wins");
    let mut tx = store.begin("t").await.unwrap();
    let done = OrderEnd::Valid(IssuedId::new(now(), entropy(8)));
    assert_eq!(tx.acme_order(&made.id).await.unwrap(), Some(Order { end: Some(done), revision: 2, ..made.clone() }));
    assert!(tx.issued(&IssuedId::new(now(), entropy(8))).await.unwrap().is_some());
    assert_eq!(tx.issued(&IssuedId::new(now(), entropy(9))).await.unwrap(), None, "nothing of it is stored");
    assert_eq!(tx.acme_order_replacing(&replaced).await.unwrap(), Some(made.id.clone()));
    drop(tx);
    assert_eq!(record(ending(10, &second, &[&one])).await, Err(conflict(REPLACED)));
}

/// The row of the order is all that knows of it.
#[tokio::test]
async fn i4_a_certificate_is_replaced_for_as_long_as_it_lives() {
    let store = fresh().await;
    let here = directory(1, "a");
    let holder = account(1, &here);
    let proof = authorization(1, &holder, "a.example");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_directory(&here).await.unwrap();
    tx.insert_acme_account(&holder).await.unwrap();
    tx.commit().await.unwrap();
    let (ca, epoch) = with_ca(&store).await;
    warm_up(&store, &ca, epoch).await;
    // It lives 21 days, each order a week.
    store.recorder().record(recording(20, &ca, epoch)).await.unwrap();
    let replaced = IssuedId::new(now(), entropy(20));
    store.place_acme_order("t", &order(1, &holder, &[&proof], Some(20)), &[&proof]).await.unwrap();
    for (number, replaces) in [(2, Some(20)), (3, None)] {
        store.place_acme_order("t", &order(number, &holder, &[&proof], replaces), &[]).await.unwrap();
    }
    for number in [1, 3] {
        let ending = OrderEnding {
            order: AcmeOrderId::new(now(), entropy(number)),
            revision: 1,
            account: (holder.id.clone(), 1),
            directory: (here.id.clone(), 1),
            authorizations: vec![(proof.id.clone(), 1)],
            key: None,
        };
        let recording = Recording { ending: Some(ending), ..recording(number, &ca, epoch) };
        store.recorder().record(recording).await.unwrap();
    }
    let mut tx = store.begin("t").await.unwrap();
    let of_holder = AcmeFilter { account: Some(holder.id.clone()), directory: None };
    let done = AcmeOrderId::new(now(), entropy(1));
    assert_eq!(
        tx.purge_acme(now(), now().plus(days(10)), 10).await,
        Ok(4),
        "one put off, two orders and their proof gone"
    );
    let left = tx.acme_orders(&of_holder, &first(9)).await.unwrap().items;
    assert_eq!(left.iter().map(|order| &order.id).collect::<Vec<_>>(), [&done]);
    assert_eq!(tx.acme_order_replacing(&replaced).await, Ok(Some(done)));
    assert_eq!(tx.purge_acme(now(), now().plus(days(10)), 10).await, Ok(0));
    assert_eq!(tx.purge_acme(now(), now().plus(days(22)), 10).await, Ok(1));
    assert_eq!(tx.acme_order_replacing(&replaced).await, Ok(None));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn f6_f10_an_order_ends_only_with_what_it_was_judged_by() {
    let store = fresh().await;
    let here = directory(1, "a");
    let holder = account(1, &here);
    let proof = authorization(1, &holder, "a.example");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_directory(&here).await.unwrap();
    tx.insert_acme_account(&holder).await.unwrap();
    tx.commit().await.unwrap();
    store.place_acme_order("t", &order(1, &holder, &[&proof], None), &[&proof]).await.unwrap();
    for number in (2..7).chain([10, 11]) {
        store.place_acme_order("t", &order(number, &holder, &[&proof], None), &[]).await.unwrap();
    }
    let (ca, epoch) = with_ca(&store).await;
    let ending = |number, revisions: (i64, i64, i64, i64), epoch| Recording {
        ending: Some(OrderEnding {
            order: AcmeOrderId::new(now(), entropy(number)),
            revision: revisions.0,
            account: (holder.id.clone(), revisions.1),
            directory: (here.id.clone(), revisions.2),
            authorizations: vec![(proof.id.clone(), revisions.3)],
            key: Some(sha(1_000)),
        }),
        ..recording(number, &ca, epoch)
    };
    let with_key = |number, key| {
        let made = ending(number, (1, 1, 1, 1), epoch);
        let ending = made.ending.map(|ending| OrderEnding { key: Some(key), ..ending });
        Recording { ending, ..recording(number, &ca, epoch) }
    };
    let changed = |what: &str| Err(stale(if what == "epoch" { "epoch" } else { "acme_orders" }));
    warm_up(&store, &ca, epoch).await;
    // All at once: the good ones are stored, whatever lies beside them in their batch.
    let mut waiting = Vec::new();
    for (recording, outcome) in [
        (ending(1, (1, 1, 1, 1), epoch), Ok(())),
        (ending(2, (2, 1, 1, 1), epoch), changed("order")),
        (ending(3, (1, 2, 1, 1), epoch), changed("account")),
        (ending(4, (1, 1, 2, 1), epoch), changed("directory")),
        (ending(5, (1, 1, 1, 2), epoch), changed("proof")),
        (ending(6, (1, 1, 1, 1), epoch + 1), changed("epoch")),
        (recording(7, &ca, epoch), Ok(())),
        (with_key(10, sha(1)), changed("an account's key")),
        (with_key(11, sha(2)), Ok(())),
    ] {
        let recorder = store.recorder();
        waiting.push((tokio::spawn(async move { recorder.record(recording).await }), outcome));
    }
    for (number, (recorded, outcome)) in (1..8).chain([10, 11]).zip(waiting) {
        assert_eq!(recorded.await.unwrap().map(drop), outcome, "{number}");
        let row = store.read().await.unwrap().issued(&IssuedId::new(now(), entropy(number))).await.unwrap();
        assert_eq!(row.is_some(), outcome.is_ok(), "{number}");
    }
    // Two for one order in one batch, and one that is there already: one of them ends it.
    let twins: Vec<_> = [8, 9]
        .map(|number| Recording { ending: ending(6, (1, 1, 1, 1), epoch).ending, ..recording(number, &ca, epoch) })
        .into_iter()
        .map(|twin| {
            let recorder = store.recorder();
            tokio::spawn(async move { recorder.record(twin).await })
        })
        .collect();
    let mut ended = 0;
    for twin in twins {
        match twin.await.unwrap() {
            Ok(_) => ended += 1,
            other => assert_eq!(other, Err(stale("acme_orders"))),
        }
    }
    assert_eq!(ended, 1);
}

#[tokio::test]
async fn an_order_is_placed_with_all_its_proofs_or_not_at_all() {
    let store = fresh().await;
    let holder = account(1, &directory(1, "a"));
    let (one, other) = (authorization(1, &holder, "a.example"), authorization(2, &holder, "b.example"));
    let made = order(1, &holder, &[&one, &other], None);
    store.place_acme_order("t", &order(2, &holder, &[&other], None), &[&other]).await.unwrap();
    let twice = store.place_acme_order("t", &made, &[&one, &other]).await;
    assert!(matches!(twice, Err(Error::Conflict { .. })), "{twice:?}");
    let mut read = store.read().await.unwrap();
    assert_eq!(read.acme_order(&made.id).await.unwrap(), None);
    assert_eq!(read.acme_authorization(&one.id).await.unwrap(), None);
    drop(read);
    // The connection is as good as before.
    store.place_acme_order("t", &made, &[&one]).await.unwrap();
    assert_eq!(
        store.write_acme_authorization("t", &Authorization { revision: 2, ..one }).await,
        Err(stale("acme_authorizations"))
    );
}

#[tokio::test]
async fn authorizations_are_due_reused_and_forgotten() {
    let store = fresh().await;
    let holder = account(1, &directory(1, "a"));
    let made = authorization(1, &holder, "a.example");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_authorization(&made).await.unwrap();
    tx.insert_acme_authorization(&authorization(2, &holder, "*.a.example")).await.unwrap();
    assert_eq!(tx.acme_authorization(&made.id).await.unwrap(), Some(made.clone()));
    for most in [10, 2, 1, 0] {
        let search = ProofSearch { most_pending: most, ..search(&holder, &[]) };
        let found = KnownProofs { valid: Vec::new(), pending: most.min(2) };
        assert_eq!(tx.search_acme_authorizations(&search).await.unwrap(), found);
    }
    let mut answered = Authorization { due_at: Some(now().plus(days(1))), ..made.clone() };
    // Rows of older days have no time of a challenge's own: theirs is that of the authorization.
    for (challenge, due_at) in answered.challenges.iter_mut().zip([None, Some(now().plus(days(2)))]) {
        (challenge.state, challenge.due_at) = (ChallengeState::Processing, due_at);
    }
    tx.commit().await.unwrap();
    store.write_acme_authorization("t", &answered).await.unwrap();
    assert_eq!(store.write_acme_authorization("t", &answered).await, Err(stale("acme_authorizations")));
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.due_acme_authorizations(now(), 10).await.unwrap(), []);
    let due = tx.due_acme_authorizations(now().plus(days(1)), 10).await.unwrap();
    answered.challenges[0].due_at = answered.due_at;
    assert_eq!(due, [Authorization { revision: 2, ..answered.clone() }]);
    let valid = Authorization {
        state: AuthorizationState::Valid,
        due_at: None,
        expires_at: now().plus(days(30)),
        revision: 2,
        ..made.clone()
    };
    let names = ["*.a.example", "a.example", "b.example"].map(str::to_owned);
    let unproven = KnownProofs { valid: vec![None; 3], pending: 2 };
    assert_eq!(tx.search_acme_authorizations(&search(&holder, &names)).await.unwrap(), unproven);
    tx.commit().await.unwrap();
    store.write_acme_authorization("t", &valid).await.unwrap();
    let longer = authorization(3, &holder, "a.example");
    let longer = Authorization { expires_at: now().plus(days(40)), state: AuthorizationState::Valid, ..longer };
    let mut tx = store.begin("t").await.unwrap();
    let found = tx.search_acme_authorizations(&search(&holder, &names)).await.unwrap();
    let valid = vec![None, Some(Authorization { revision: 3, ..valid }), None];
    assert_eq!(found, KnownProofs { valid, pending: 1 }, "o10: not the wildcard's");
    tx.insert_acme_authorization(&longer).await.unwrap();
    let found = tx.search_acme_authorizations(&search(&holder, &names)).await.unwrap();
    assert_eq!(found.valid, [None, Some(longer), None], "the one that lasts longest");
    let later = ProofSearch { now: now().plus(days(40)), ..search(&holder, &names) };
    assert_eq!(tx.search_acme_authorizations(&later).await.unwrap(), KnownProofs { pending: 0, ..unproven });
    let other = AcmeAccountId::new(now(), [9; 10]);
    let others = ProofSearch { account: &other, ..search(&holder, &names) };
    assert_eq!(tx.search_acme_authorizations(&others).await.unwrap().valid, [None, None, None]);
    tx.rollback().await.unwrap();
    store.place_acme_order("t", &order(1, &holder, &[&made], None), &[]).await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.purge_acme(now(), now().plus(days(7)), 10).await.unwrap(), 0);
    assert_eq!(tx.purge_acme(now(), now().plus(days(8)), 10).await.unwrap(), 2, "the order and the wildcard's proof");
    tx.commit().await.unwrap();
}
