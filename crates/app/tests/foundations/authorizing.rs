//! Decisions end to end: what a statement gives, what it does not, and when it counts.

use crate::common::{TestApp, call, conflict, name, to};
use certwright_app::{
    Call, Error, IssueRequest, NewCa, NewCaKind, NewDynamicGroup, NewGroup, NewKey, NewPolicy, NewRules, NewToken,
    NewUser, OwnKey, Subject, UpdatePolicy,
};
use certwright_domain::access::{Policy, PrincipalReference};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::RevocationSettings;
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::id::PolicyId;
use certwright_domain::key::Protection;
use certwright_domain::name::Reference;
use certwright_domain::principal::PrincipalName;
use certwright_domain::profile::{RawNameLimits, RawProfile};
use certwright_domain::rate::Rate;
use certwright_domain::san::San;
use certwright_domain::time::Span;
use certwright_domain::validity::RequestedValidity;
use certwright_store::PageRequest;

pub(super) const ALL: PageRequest = PageRequest { limit: 500, after: None };
const KEYS: &str = "Allow any-user to use keys in tenancy where request.principal.type='certificateauthority'";

/// A root CA `root` in a vault `v`.
async fn root(app: &TestApp) {
    app.app.create_vault(&call(), name("v")).await.unwrap();
    make_key(app, "k").await;
    app.app.create_ca(&call(), ca("root", "k")).await.unwrap();
}

async fn make_key(app: &TestApp, key: &str) {
    let new = NewKey { name: name(key), algorithm: KeyAlgorithm::EcdsaP256, protection: Protection::Software };
    app.app.create_key(&call(), &to("v"), new).await.unwrap();
}

fn ca(called: &str, key: &str) -> NewCa {
    let own = OwnKey { vault: to("v"), key: to(key), subject: subject(called), signature_algorithm: None };
    NewCa {
        name: name(called),
        kind: NewCaKind::Root(own, RequestedValidity::DEFAULT),
        rules: NewRules::default(),
        revocation: RevocationSettings::default(),
        publication: None,
        exportable: false,
    }
}

fn subject(common_name: &str) -> DistinguishedName {
    DistinguishedName::new(vec![Attribute::parse(AttributeType::CommonName, common_name).unwrap()]).unwrap()
}

fn wish(common_name: &str, names: &[&str], profile: &str) -> IssueRequest {
    let names = names.iter().map(|name| San::parse(name).unwrap()).collect();
    IssueRequest {
        subject: Subject { subject: (!common_name.is_empty()).then(|| subject(common_name)), names: Some(names) },
        profile: Some(to(profile)),
        key_algorithm: Some(KeyAlgorithm::EcdsaP256),
        validity: RequestedValidity::DEFAULT,
    }
}

pub(super) fn principal(text: &str) -> PrincipalReference {
    PrincipalReference::parse(text).unwrap()
}

/// A user with a group of the same name that has these statements; a call with its token.
pub(super) async fn somebody(app: &TestApp, called: &str, statements: &[&str]) -> Call {
    let user = PrincipalName::parse(called).unwrap();
    let new = NewUser { name: user.clone(), description: String::new(), enabled: true };
    app.app.create_user(&call(), new).await.unwrap();
    app.app.create_group(&call(), NewGroup { name: user, description: String::new() }).await.unwrap();
    app.app.set_membership(&call(), &principal(called), &principal(called), true).await.unwrap();
    if !statements.is_empty() {
        app.app.create_policy(&call(), policy(called, statements)).await.unwrap();
    }
    with_token(app, called, &[]).await
}

pub(super) async fn with_token(app: &TestApp, user: &str, scopes: &[&str]) -> Call {
    let new = NewToken {
        name: name(&format!("{user}-{}", scopes.len())),
        user: Some(user.to_owned()),
        expires_at: None,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        bound_to: None,
    };
    let (_, text) = app.app.create_token(&call(), new).await.unwrap();
    Call::new(app.app.authenticate(text.expose()).await.unwrap(), "r")
}

pub(super) fn policy(called: &str, statements: &[&str]) -> NewPolicy {
    let statements = statements.iter().map(|statement| (*statement).to_owned()).collect();
    NewPolicy { name: name(called), description: String::new(), compartment: None, statements }
}

#[track_caller]
pub(super) fn refused<T>(outcome: Result<T, Error>) -> &'static str {
    match outcome {
        Err(Error::Forbidden { permission, .. }) => permission,
        Err(Error::NotFound { kind, .. }) => kind,
        Err(Error::CannotGrant { .. }) => "cannot grant",
        Err(other) => panic!("refused otherwise: {other:?}"),
        Ok(_) => panic!("was not refused"),
    }
}

#[tokio::test]
async fn a_ca_signs_only_while_a_statement_lets_it_use_its_key() {
    for app in TestApp::on_every_database().await {
        root(&app).await;
        make_key(&app, "k2").await;
        let sign = async || app.app.issue(&call(), &to("root"), wish("a", &["a.example.com"], "tls-server")).await;
        sign().await.unwrap();
        let service = app.app.policy(&call(), &to("service")).await.unwrap();
        assert_eq!(service.statements[0], KEYS, "it is there from the start");
        let without = UpdatePolicy { statements: Some(service.statements[1..].to_vec()), ..UpdatePolicy::default() };
        let changed = app.app.update_policy(&call(), &to("service"), without, Some(service.revision)).await.unwrap();
        assert_eq!(conflict(sign().await), "ca_not_allowed");
        assert_eq!(conflict(app.app.create_ca(&call(), ca("other", "k2")).await), "ca_not_allowed");
        let again = UpdatePolicy { statements: Some(service.statements.clone()), ..UpdatePolicy::default() };
        app.app.update_policy(&call(), &to("service"), again, Some(changed.revision)).await.unwrap();
        sign().await.unwrap();
        // The server's own CA needs nobody's leave.
        app.app.server_certificate(&["localhost".to_owned()]).await.unwrap();
    }
}

#[tokio::test]
async fn a_pipeline_gets_this_ca_this_profile_these_names_and_nothing_else() {
    for app in TestApp::on_every_database().await {
        root(&app).await;
        make_key(&app, "k2").await;
        app.app.create_ca(&call(), ca("second", "k2")).await.unwrap();
        let statement = "Allow group pipeline to use certificate-authority-delegates in tenancy where all \
            {target.ca.name = 'root', target.profile.name = 'tls-server', target.names = /*.app.corp.example/}";
        let pipeline = somebody(&app, "pipeline", &[statement]).await;
        let ask = async |ca: &str, wish| app.app.issue(&pipeline, &to(ca), wish).await;
        let issued = ask("root", wish("a.app.corp.example", &["a.app.corp.example"], "tls-server")).await.unwrap();
        assert_eq!(issued.row.requester, pipeline.caller.id());
        for (common_name, names, profile) in [
            ("a.app.corp.example", &["b.corp.example"][..], "tls-server"),
            ("a.app.corp.example", &["a.app.corp.example", "b.corp.example"], "tls-server"),
            // A name is a name, wherever it stands.
            ("b.corp.example", &["a.app.corp.example"], "tls-server"),
            ("a.app.corp.example", &["a.app.corp.example", "10.0.0.1"], "tls-server"),
            ("a.app.corp.example", &["a.app.corp.example"], "tls-client"),
            // The end is alike, the kind is another.
            ("", &["spiffe://corp/a.app.corp.example"], "tls-server"),
            ("", &["somebody@a.app.corp.example"], "tls-server"),
        ] {
            let outcome = ask("root", wish(common_name, names, profile)).await;
            assert_eq!(refused(outcome), "certificate-authority-delegates:use", "{common_name} {names:?} {profile}");
        }
        assert_eq!(
            refused(ask("second", wish("a.app.corp.example", &["a.app.corp.example"], "tls-server")).await),
            "CA"
        );
        assert_eq!(refused(app.app.ca(&pipeline, &to("root")).await), "CA");
        assert_eq!(refused(app.app.vaults(&pipeline, &ALL).await), "vaults:inspect");
    }
}

#[tokio::test]
async fn every_name_of_the_subject_is_asked_for() {
    let app = TestApp::sqlite().await;
    root(&app).await;
    let give = "to use certificate-authority-delegates in tenancy where target.names";
    let hosts = format!("Allow group hosts {give} = /*.app.corp.example/");
    let both = format!("Allow group both {give} in (/*.app.corp.example/, 'admin@corp.example', 'second')");
    let (hosts, both) = (somebody(&app, "hosts", &[&hosts]).await, somebody(&app, "both", &[&both]).await);
    let profile = RawProfile {
        name: "any".to_owned(),
        usages: vec!["serverAuth".to_owned()],
        names: RawNameLimits {
            dns: Some(vec!["*.app.corp.example".to_owned()]),
            email: Some(vec!["*@corp.example".to_owned()]),
            subject: Some(vec!["*".to_owned()]),
            ..RawNameLimits::default()
        },
        ..RawProfile::default()
    };
    app.app.create_profile(&call(), profile).await.unwrap();
    for (kind, value) in [
        (AttributeType::EmailAddress, "admin@corp.example"),
        (AttributeType::EmailAddress, "Admin@CORP.example"),
        (AttributeType::CommonName, "second"),
    ] {
        let mut request = wish("", &["a.app.corp.example"], "any");
        let attributes = [(AttributeType::CommonName, "a.app.corp.example"), (kind, value)];
        let attributes = attributes.map(|(kind, value)| Attribute::parse(kind, value).unwrap());
        request.subject.subject = Some(DistinguishedName::new(attributes.to_vec()).unwrap());
        let refusal = refused(app.app.issue(&hosts, &to("root"), request.clone()).await);
        assert_eq!(refusal, "certificate-authority-delegates:use", "{value}");
        app.app.issue(&both, &to("root"), request).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_change_on_one_node_rules_out_is_not_recorded_on_another() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        root(&one).await;
        let statement = "Allow group ops to use certificate-authority-delegates in tenancy";
        let ops = somebody(&other, "ops", &[statement]).await;
        let ask = async || other.app.issue(&ops, &to("root"), wish("a", &["a.example.com"], "tls-server")).await;
        ask().await.unwrap();
        // The other node has decided by its memory, and learns of the change when it records.
        one.app.delete_policy(&call(), &to("ops"), None).await.unwrap();
        assert_eq!(refused(ask().await), "CA");
    }
}

#[tokio::test]
async fn scopes_take_away_and_never_give() {
    let app = TestApp::sqlite().await;
    root(&app).await;
    somebody(&app, "ops", &["Allow group ops to manage key-family in tenancy"]).await;
    let narrow = with_token(&app, "ops", &["inspect vaults", "read keys where target.key.name = 'k'"]).await;
    assert_eq!(app.app.vaults(&narrow, &ALL).await.unwrap().items.len(), 1);
    assert_eq!(refused(app.app.vault(&narrow, &to("v")).await), "vaults:read");
    app.app.key(&narrow, &to("v"), &to("k")).await.unwrap();
    assert_eq!(refused(app.app.create_vault(&narrow, name("w")).await), "vaults:manage");
    let wide = with_token(&app, "ops", &["manage all-resources", "read users", "use keys"]).await;
    app.app.vault(&wide, &to("v")).await.unwrap();
    assert_eq!(refused(app.app.users(&wide, &ALL).await), "users:inspect");
}

#[tokio::test]
async fn nobody_grants_what_they_lack() {
    for app in TestApp::on_every_database().await {
        let statements =
            ["Allow group clerk to manage access-family in tenancy", "Allow group clerk to read vaults in tenancy"];
        let clerk = somebody(&app, "clerk", &statements).await;
        somebody(&app, "boss", &["Allow group boss to manage vaults in tenancy"]).await;
        let grant = async |text: &str| app.app.create_policy(&clerk, policy("p", &[text])).await;
        for lacking in [
            "Allow group clerk to manage all-resources in tenancy",
            "Allow group clerk to use vaults in tenancy",
            "Allow any-user to read keys in tenancy",
            "Allow group clerk to manage vaults in tenancy where request.user.name = 'clerk'",
        ] {
            assert_eq!(refused(grant(lacking).await), "cannot grant", "{lacking}");
        }
        grant("Allow group boss to inspect vaults in tenancy").await.unwrap();
        let join =
            async |group: &str| app.app.set_membership(&clerk, &principal(group), &principal("clerk"), true).await;
        assert_eq!(refused(join("administrators").await), "cannot grant");
        assert_eq!(refused(join("boss").await), "cannot grant");
        // What is said of CAs alone is handed on to nobody and stands in nobody's way; what anybody may have, does.
        somebody(&app, "reader", &["Allow group reader to read vaults in tenancy"]).await;
        let of_cas = "Allow any-user to use keys in tenancy where request.principal.type = 'certificateauthority'";
        app.app.create_policy(&call(), policy("of-cas", &[of_cas])).await.unwrap();
        join("reader").await.unwrap();
        for kind in ["workload", "user", "*"] {
            let text = format!("Allow any-user to use keys in tenancy where request.principal.type = /{kind}/");
            let made = app.app.create_policy(&call(), policy("of-all", &[&text])).await.unwrap();
            assert_eq!(refused(join("reader").await), "cannot grant", "{kind}");
            app.app.delete_policy(&call(), &to(made.id.as_str()), None).await.unwrap();
        }
        let token = |user: &str| NewToken {
            name: name("t"),
            user: Some(user.to_owned()),
            expires_at: None,
            scopes: Vec::new(),
            bound_to: None,
        };
        assert_eq!(refused(app.app.create_token(&clerk, token("admin")).await), "cannot grant");
        assert_eq!(refused(app.app.create_token(&clerk, token("boss")).await), "cannot grant");
        app.app.create_token(&clerk, token("clerk")).await.unwrap();
        // A statement may wait for a dynamic group: whoever shapes it later must have what it gives.
        let waiting = policy("waiting", &["Allow dynamic-group machines to manage vaults in tenancy"]);
        app.app.create_policy(&call(), waiting).await.unwrap();
        let shape = NewDynamicGroup {
            name: PrincipalName::parse("machines").unwrap(),
            description: String::new(),
            matching_rule: "request.user.name = 'clerk'".to_owned(),
        };
        assert_eq!(refused(app.app.create_dynamic_group(&clerk, shape.clone()).await), "cannot grant");
        app.app.create_dynamic_group(&call(), shape).await.unwrap();
        let clerk = with_token(&app, "clerk", &["manage vaults"]).await;
        app.app.create_vault(&clerk, name("by-the-rule")).await.unwrap();
        let narrow = with_token(&app, "admin", &["manage all-resources"]).await;
        assert_eq!(refused(app.app.create_token(&narrow, token("boss")).await), "cannot grant", "scopes do not spread");
    }
}

#[tokio::test]
async fn a_call_that_its_operation_does_not_name_is_a_fault_of_ours() {
    let app = TestApp::sqlite().await;
    let mut operator = with_token(&app, "admin", &[]).await;
    operator.operation = certwright_app::Operation::find("listVaults");
    app.app.vaults(&operator, &ALL).await.unwrap();
    assert!(matches!(app.app.create_vault(&operator, name("v")).await, Err(Error::Internal(_))));
    operator.operation = Some(&certwright_app::Operation::NONE);
    assert!(matches!(app.app.vaults(&operator, &ALL).await, Err(Error::Internal(_))));
}

#[tokio::test]
async fn a_name_gets_so_many_certificates_in_an_hour() {
    let app = TestApp::sqlite_with(|settings| settings.name_rate = Rate::per_hour(2)).await;
    root(&app).await;
    let ask = async |names: &[&str]| app.app.issue(&call(), &to("root"), wish("", names, "tls-server")).await;
    ask(&["a.example.com"]).await.unwrap();
    ask(&["b.example.com", "a.example.com"]).await.unwrap();
    // What a rule refuses is not counted.
    assert!(matches!(ask(&["b.example.com", "*.com"]).await, Err(Error::Rejected(_))));
    match ask(&["c.example.com", "a.example.com"]).await {
        Err(Error::RateLimited { detail, retry_after_s }) => {
            assert!(detail.contains("a.example.com") && retry_after_s == 1800, "{detail}");
        }
        _ => panic!("was not refused"),
    }
    ask(&["b.example.com"]).await.unwrap();
    for _ in 0..2 {
        ask(&["c.example.com"]).await.unwrap();
    }
    app.clock.advance(Span::from_minutes(30));
    ask(&["a.example.com"]).await.unwrap();
}

#[tokio::test]
async fn the_servers_own_certificate_is_not_counted_for_its_name() {
    let app = TestApp::sqlite_with(|settings| settings.name_rate = Rate::per_hour(1)).await;
    root(&app).await;
    for _ in 0..5 {
        app.app.server_certificate(&["ca.example.com".to_owned()]).await.unwrap();
    }
    let ask = async || app.app.issue(&call(), &to("root"), wish("", &["ca.example.com"], "tls-server")).await;
    ask().await.unwrap();
    assert!(matches!(ask().await, Err(Error::RateLimited { .. })));
    app.app.server_certificate(&["ca.example.com".to_owned()]).await.unwrap();
}

#[tokio::test]
async fn all_statements_together_have_a_limit() {
    for app in TestApp::on_every_database().await {
        let made = |text: &str, statements: usize| NewPolicy {
            name: name(text),
            description: String::new(),
            compartment: None,
            statements: vec!["Allow group administrators to inspect vaults in tenancy".to_owned(); statements],
        };
        let small = app.app.create_policy(&call(), made("small", 2)).await.unwrap();
        let mut tx = app.store.begin("t").await.unwrap();
        let room = (16 << 20) - tx.policy_bytes().await.unwrap();
        // As it is stored: a list of one text, in JSON.
        let large = Policy {
            id: PolicyId::parse("policy_01JD8XK4M2W7Z3T5V9YQ6B1C0D").unwrap(),
            name: name("large"),
            statements: vec!["x".repeat(usize::try_from(room).unwrap() - 4)],
            ..small.clone()
        };
        tx.insert_policy(&large).await.unwrap();
        assert_eq!(tx.policy_bytes().await.unwrap(), 16 << 20);
        tx.commit().await.unwrap();
        let refused = app.app.create_policy(&call(), made("one-more", 1)).await.unwrap_err();
        let Error::Conflict { code: "policies_too_large", detail, .. } = refused else { panic!("{refused:?}") };
        assert!(detail.contains("16777216"), "{detail}");
        let update = |statements: usize| UpdatePolicy {
            statements: Some(made("any", statements).statements),
            ..UpdatePolicy::default()
        };
        let by_id = Reference::parse(small.id.as_str()).unwrap();
        let grown = app.app.update_policy(&call(), &by_id, update(3), Some(small.revision)).await;
        assert!(matches!(grown, Err(Error::Conflict { code: "policies_too_large", .. })), "{grown:?}");
        app.app.update_policy(&call(), &by_id, update(1), Some(small.revision)).await.unwrap();
    }
}
