//! Who gets what by a group, a token or a provider, through the rules of dynamic groups too; and what the trail says of refusals.

use super::authorizing::{ALL, policy, principal, refused, somebody, with_token};
use crate::common::{TestApp, call, name, to};
use certwright_app::{NewDynamicGroup, NewIdentityProvider, NewToken};
use certwright_domain::identity::RawRule;
use certwright_domain::principal::PrincipalName;
use certwright_store::AuditFilter;

#[tokio::test]
async fn what_a_dynamic_group_has_counts_for_those_it_could_take_in() {
    for app in TestApp::on_every_database().await {
        let clerk = somebody(&app, "clerk", &["Allow group clerk to manage access-family in tenancy"]).await;
        for called in ["deployer", "ops", "idle"] {
            somebody(&app, called, &[]).await;
        }
        let rule = |text: &str| NewDynamicGroup {
            name: PrincipalName::parse("machines").unwrap(),
            description: String::new(),
            matching_rule: text.to_owned(),
        };
        let gives = "Allow dynamic-group machines to manage certificate-authorities in tenancy";
        app.app.create_policy(&call(), policy("gives", &[gives])).await.unwrap();
        let token = async |user: &str| {
            let name = name(&format!("for-{user}-{}", app.app.tokens(&call(), &ALL).await.unwrap().items.len()));
            let user = Some(user.to_owned());
            let new = NewToken { name, user, expires_at: None, scopes: Vec::new(), bound_to: None };
            app.app.create_token(&clerk, new).await
        };
        let join = async |group: &str| {
            let joined = app.app.set_membership(&clerk, &principal(group), &principal("clerk"), true).await;
            app.app.set_membership(&call(), &principal(group), &principal("clerk"), false).await.unwrap();
            joined
        };
        let admit = async |group: &str| {
            let rule = RawRule {
                claims: [("sub".to_owned(), vec!["x".to_owned()])].into(),
                groups: vec![group.to_owned()],
                ..RawRule::default()
            };
            let provider = NewIdentityProvider {
                name: "k8s".to_owned(),
                kind: Some("KUBERNETES".to_owned()),
                issuer: Some("https://k8s.example".to_owned()),
                jwks_uri: Some("https://k8s.example/keys".to_owned()),
                audiences: vec!["https://ca.example.com".to_owned()],
                rules: vec![rule],
                enabled: true,
                ..NewIdentityProvider::default()
            };
            let made = app.app.create_identity_provider(&clerk, provider).await?;
            app.app.delete_identity_provider(&call(), &to(made.id.as_str()), None).await
        };
        // Who is refused: the token for `deployer`, joining `ops` as a user, putting machines into `ops`.
        for (text, expected) in [
            ("request.user.name = 'deployer'", [true, false, false]),
            (
                "all {request.user.name = 'deployer', request.utc-timestamp before '2000-01-01T00:00:00Z'}",
                [true, false, false],
            ),
            ("all {request.groups.name = 'deployer', request.networkSource.ip = '10.0.0.0/8'}", [true, false, false]),
            ("request.groups.name = 'ops'", [false, true, true]),
            ("all {request.groups.name = 'ops', request.user.name = 'clerk'}", [false, true, false]),
            ("all {request.groups.name = 'ops', request.claim.x = 'y'}", [false, false, true]),
            (
                "all {request.groups.name = 'ops', request.principal.type = 'certificateauthority'}",
                [false, false, false],
            ),
            ("request.claim.x = 'y'", [false, false, false]),
        ] {
            let made = app.app.create_dynamic_group(&call(), rule(text)).await.unwrap();
            let outcomes = [token("deployer").await.map(drop), join("ops").await.map(drop), admit("ops").await];
            for (outcome, expected) in outcomes.into_iter().zip(expected) {
                match outcome {
                    Ok(()) => assert!(!expected, "{text}"),
                    Err(error) => assert_eq!((refused::<()>(Err(error)), expected), ("cannot grant", true), "{text}"),
                }
            }
            token("idle").await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
            join("idle").await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
            admit("idle").await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
            app.app.delete_dynamic_group(&call(), &principal(made.id.as_str()), None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn refused_grants_and_lists_are_in_the_trail() {
    let app = TestApp::sqlite().await;
    let clerk = somebody(&app, "clerk", &["Allow group clerk to manage access-family in tenancy"]).await;
    let narrow = with_token(&app, "clerk", &["manage all-resources"]).await;
    let all = "Allow group clerk to manage all-resources in tenancy";
    for clerk in [&clerk, &narrow] {
        assert_eq!(refused(app.app.create_policy(clerk, policy("mine", &[all])).await), "cannot grant");
    }
    let group = principal("administrators");
    assert_eq!(refused(app.app.set_membership(&clerk, &group, &principal("clerk"), true).await), "cannot grant");
    assert_eq!(refused(app.app.vaults(&clerk, &ALL).await), "vaults:inspect");
    app.app.write_refusals(false).await.unwrap();
    let filter = AuditFilter { action: Some("access.deny".to_owned()), ..AuditFilter::default() };
    let mut told: Vec<String> = app
        .app
        .audit_events(&call(), &filter, &ALL)
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|event| {
            assert_eq!(event.outcome, "REFUSED");
            format!("{} {}: {}", event.target_kind, event.target_id, event.decided_by)
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told.len(), 4, "{told:?}");
    for (told, part) in told.iter().zip([
        "group administrators: You lack",
        "list : vaults:inspect",
        "policy mine: You lack `",
        "token ",
    ]) {
        assert!(told.starts_with(part), "{told}");
    }
}
