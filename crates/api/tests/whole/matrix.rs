//! Every route × who asks × where the object lies, against a model of its own of what policies give.

use crate::common::{CSR, Reply, TestApp};
use crate::routes::{Route, routes};
use certwright_app::jose::Jwk;
use certwright_app::{AcmeCall, AcmeDoor, Needs, NewAccount, NewOrder, OPERATIONS, Permission};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Nobody,
    Wrong,
    Reader,
    Issuer,
    Manager,
    Administrator,
}

const ROLES: [Role; 6] = [Role::Nobody, Role::Wrong, Role::Reader, Role::Issuer, Role::Manager, Role::Administrator];
/// Verbs, each with the ones before it.
const VERBS: [&str; 4] = ["inspect", "read", "use", "manage"];

impl Role {
    /// What it has in its own compartment, and nothing anywhere else: resource type (or all) and verb.
    const fn grant(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Reader => Some(("all-resources", "read")),
            Self::Issuer => Some(("certificate-authority-delegates", "use")),
            Self::Manager => Some(("all-resources", "manage")),
            Self::Nobody | Self::Wrong | Self::Administrator => None,
        }
    }

    /// Does it have `resource:verb` in the compartment `own`?
    fn has(self, permission: &str) -> bool {
        let (resource, verb) = permission.split_once(':').unwrap();
        let rank = |verb: &str| VERBS.iter().position(|known| *known == verb).unwrap();
        self.grant()
            .is_some_and(|(kind, most)| (kind == "all-resources" || kind == resource) && rank(verb) <= rank(most))
    }
}

/// Where the object lies: in the compartment that the roles have something in, in another one, or over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Own,
    Other,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Other => "other",
        }
    }
}

/// Operations on what belongs to the whole tenancy: there is no compartment to be in.
fn is_of_the_tenancy(route: &Route) -> bool {
    if route.id == "testPolicies" {
        return true;
    }
    let prefix = |word: &str| route.path.starts_with(&format!("/v1/{word}"));
    [
        "tokens",
        "events",
        "webhooks",
        "audit-events",
        "root-key",
        "users",
        "groups",
        "dynamic-groups",
        "identity-providers",
        "certificate-trusts",
    ]
    .into_iter()
    .any(prefix)
}

/// What somebody must be able to list to know that the object is there.
fn seen_with(route: &Route) -> &'static str {
    let known = [
        ("/v1/vaults/{vault}/keys/", "keys:inspect"),
        ("/v1/vaults/", "vaults:inspect"),
        ("/v1/certificate-authorities/", "certificate-authorities:inspect"),
        ("/v1/certificates/", "leaf-certificates:inspect"),
        ("/v1/issued-certificates/", "issued-certificates:inspect"),
        ("/v1/profiles/", "profiles:inspect"),
        ("/v1/ca-bundles/", "cabundles:inspect"),
        ("/v1/compartments/", "compartments:inspect"),
        ("/v1/policies/", "policies:inspect"),
        ("/v1/acme-", "acme-directories:inspect"),
        ("/v1/enrollment-tokens", "enrollment-tokens:inspect"),
    ];
    known.into_iter().find(|(path, _)| route.path.starts_with(path)).map_or("compartments:inspect", |(_, seen)| seen)
}

/// Ids of what an ACME client of a directory has made, and of a key for its accounts.
struct Acme {
    account: String,
    order: String,
    key: String,
    /// A call to renew early, of its CA.
    early: String,
}

/// Two compartments with one of each kind of resource, and somebody of each role.
pub(crate) struct World {
    pub(crate) app: TestApp,
    serials: [String; 2],
    acme: [Acme; 2],
    tokens: Vec<(Role, String)>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let app = TestApp::new().await;
        let (mut serials, mut acme) = (Vec::new(), Vec::new());
        for side in [Side::Own, Side::Other] {
            serials.push(Self::fill(&app, side.name()).await);
            acme.push(Self::client(&app, side.name()).await);
        }
        let mut tokens = Vec::new();
        for role in ROLES {
            let bearer = match role {
                Role::Nobody => String::new(),
                Role::Wrong => format!("Bearer {}x", app.token),
                Role::Administrator => format!("Bearer {}", app.token),
                Role::Reader | Role::Issuer | Role::Manager => Self::enrol(&app, role).await,
            };
            tokens.push((role, bearer));
        }
        let Ok(acme) = acme.try_into() else { panic!("two sides") };
        Self { app, serials: serials.try_into().unwrap(), acme, tokens }
    }

    /// An ACME client of a side's directory.
    async fn client(app: &TestApp, side: &str) -> Acme {
        let directory = app.app.open_acme_directory(&format!("{side}-directory")).await.unwrap();
        let door = AcmeDoor { directory, request_id: "client".to_owned(), address: None, vouched: None };
        // The key of RFC 7517 appendix A.1.
        let key = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
        let key = Jwk::from_canonical(key).unwrap();
        let (account, _) = app.app.new_acme_account(&door, &key, NewAccount::default()).await.unwrap();
        let call = AcmeCall { door, account: account.into() };
        let identifiers = vec![("dns".to_owned(), "acme.example.com".to_owned())];
        let new = NewOrder { identifiers, ..NewOrder::default() };
        let nonce = app.app.new_acme_nonce().await.unwrap();
        let nonce = app.app.read_acme_nonce(&nonce).await.unwrap();
        let prepared = app.app.prepare_acme_order(&call, nonce, new).await.unwrap();
        let order = app.app.place_acme_order(prepared.found().unwrap()).await.unwrap();
        let wish = json!({"name": "key", "directory": format!("{side}-directory")});
        let key = app.post("/v1/acme-eab-keys", wish).await.is(201).json();
        let key = key["id"].as_str().unwrap().to_owned();
        let early = format!("/v1/certificate-authorities/{side}-ca/early-renewals");
        let early =
            app.post(&early, json!({"reason": "matrix"})).await.is(201).json()["id"].as_str().unwrap().to_owned();
        Acme { account: call.account.id.to_string(), order: order.order.id.to_string(), key, early }
    }

    /// One of each kind of resource in a compartment.
    async fn fill(app: &TestApp, side: &str) -> String {
        let named = |kind: &str| format!("{side}-{kind}");
        app.post("/v1/compartments", json!({"name": side})).await.is(201);
        app.post("/v1/vaults", json!({"name": named("vault"), "compartment": side})).await.is(201);
        let keys = format!("/v1/vaults/{side}-vault/keys");
        for key in ["key", "ca-key"] {
            app.post(&keys, json!({"name": named(key), "algorithm": "ECDSA"})).await.is(201);
        }
        app.post(
            "/v1/certificate-authorities",
            json!({"name": named("ca"), "type": "ROOT", "vault": named("vault"), "key": named("ca-key"),
                "subject": {"commonName": named("ca")}, "compartment": side}),
        )
        .await
        .is(201);
        app.post("/v1/profiles", json!({"name": named("profile"), "usages": ["serverAuth"], "compartment": side}))
            .await
            .is(201);
        let trust = app.get("/v1/trust?format=pem").await.is(200).text();
        app.post("/v1/ca-bundles", json!({"name": named("bundle"), "certificates": trust, "compartment": side}))
            .await
            .is(201);
        let statement = format!("Allow group administrators to inspect vaults in compartment {side}");
        app.post("/v1/policies", json!({"name": named("policy"), "compartment": side, "statements": [statement]}))
            .await
            .is(201);
        let certificate = json!({"name": named("certificate"), "ca": named("ca"), "names": ["a.example.com"]});
        app.post("/v1/certificates", certificate).await.is(201);
        app.post("/v1/acme-directories", json!({"name": named("directory"), "ca": named("ca")})).await.is(201);
        let token = json!({"name": named("enrollmentToken"), "ca": named("ca"), "names": ["a.example.com"]});
        app.post("/v1/enrollment-tokens", token).await.is(201);
        let issue = format!("/v1/certificate-authorities/{side}-ca/issue");
        let issued = app.post(&issue, json!({"names": ["b.example.com"]})).await.is(201).json();
        issued["serial"].as_str().unwrap().to_owned()
    }

    /// A user with a token, in a group that has the role's statement.
    async fn enrol(app: &TestApp, role: Role) -> String {
        let (resource, verb) = role.grant().unwrap();
        let name = format!("{role:?}").to_ascii_lowercase();
        app.post("/v1/users", json!({"name": name})).await.is(201);
        app.post("/v1/groups", json!({"name": name})).await.is(201);
        let member = format!("/v1/groups/{name}/members/{name}");
        assert!(app.ask("PUT", &member).send().await.status.is_success());
        let statement = format!("Allow group {name} to {verb} {resource} in compartment own");
        app.post("/v1/policies", json!({"name": name, "compartment": "own", "statements": [statement]})).await.is(201);
        let token = app.post("/v1/tokens", json!({"name": name, "user": name})).await.is(201).json();
        format!("Bearer {}", token["token"].as_str().unwrap())
    }

    fn path(&self, route: &Route, side: Side) -> String {
        let name = side.name();
        let path = match route.path.starts_with("/v1/issued-certificates/") {
            true => route.path.replace("{certificate}", &self.serials[usize::from(side == Side::Other)]),
            false => route.path.clone(),
        };
        let mut path = path.replace("{version}", "1").replace("{compartment}", name);
        let acme = &self.acme[usize::from(side == Side::Other)];
        let ids = [&acme.account, &acme.order, &acme.key, &acme.early];
        for (kind, id) in ["account", "order", "eabKey", "earlyRenewal"].into_iter().zip(ids) {
            path = path.replace(&format!("{{{kind}}}"), id);
        }
        for kind in ["vault", "key", "ca", "certificate", "profile", "bundle", "policy", "directory", "enrollmentToken"]
        {
            path = path.replace(&format!("{{{kind}}}"), &format!("{name}-{kind}"));
        }
        let path = path.replace("{event}", "event_01JD8XK4M2W7Z3T5V9YQ6B1C0D");
        let path = path.replace("{delivery}", "delivery_01JD8XK4M2W7Z3T5V9YQ6B1C0D").replace(['{', '}'], "");
        // Nothing is to change while the cells are gone through.
        if route.method == "GET" { path } else { format!("{path}?dryRun=true") }
    }

    /// The value of `Authorization` of a role.
    pub(crate) fn bearer(&self, role: Role) -> &str {
        self.tokens.iter().find(|(known, _)| *known == role).map_or("", |(_, bearer)| bearer)
    }

    /// Asks what gets as far as the use case; whatever writes is a trial.
    pub(crate) async fn ask(&self, route: &Route, side: Side, bearer: &str) -> Reply {
        let path = self.path(route, side);
        let mut ask = self.app.ask(&route.method, &path).authorization((!bearer.is_empty()).then_some(bearer));
        if ["PATCH", "PUT"].contains(&route.method.as_str()) {
            ask = ask.header("if-match", "*");
        }
        match body(&route.id, side.name(), &self.serials[usize::from(side == Side::Other)]) {
            Some(body) => ask.json(&body).send().await,
            None => ask.send().await,
        }
    }
}

/// A body that gets as far as the use case.
fn body(id: &str, side: &str, serial: &str) -> Option<Value> {
    let named = |kind: &str| format!("{side}-{kind}");
    let subject = json!({"commonName": "x"});
    Some(match id {
        "createVault" => json!({"name": "new", "compartment": side}),
        "updateVault" | "updateKey" => json!({"name": "renamed"}),
        "createKey" => json!({"name": "new", "algorithm": "ECDSA"}),
        "createCertificateAuthority" => json!({"name": "new", "type": "ROOT", "vault": named("vault"),
            "key": named("key"), "subject": subject, "compartment": side}),
        "updateCertificateAuthority" => json!({"enabled": true}),
        "renewCertificateAuthority" => json!({}),
        "installCertificateAuthority" => json!({"certificate": "x"}),
        "exportCertificateAuthority" => json!({"format": "pkcs12", "password": "a long password"}),
        "revokeCertificateAuthorityVersion" => json!({"reason": "superseded"}),
        "makeRevocationLists" => return None,
        "issueCertificate" => json!({"names": ["c.example.com"]}),
        "signCertificate" => json!({"csr": CSR}),
        "createCertificate" => json!({"name": "new", "ca": named("ca"), "names": ["c.example.com"]}),
        "ensureCertificate" => json!({"ca": named("ca"), "names": ["c.example.com"]}),
        "updateCertificate" => json!({"exportable": true}),
        "exportCertificateBundle" | "exportCaBundle" => json!({"format": "p12", "password": "a long password"}),
        "updatePolicy" => json!({"description": "x"}),
        "revokeCertificateVersion" | "revokeIssuedCertificate" => json!({"reason": "superseded"}),
        "revokeNamedCertificate" => json!({"serial": serial, "ca": named("ca"), "reason": "superseded"}),
        "createProfile" => json!({"name": "new", "usages": ["serverAuth"], "compartment": side}),
        "replaceProfile" => json!({"usages": ["serverAuth"]}),
        "createCaBundle" => json!({"name": "new", "certificates": "x", "compartment": side}),
        "replaceCaBundle" => json!({"name": named("bundle"), "certificates": "x"}),
        "createToken" => json!({"name": "new"}),
        "createIdentityProvider" => json!({"name": "new", "issuer": "https://idp.example.com", "audiences": ["x"],
            "rules": [{"claims": {"sub": ["job"]}}]}),
        "replaceIdentityProvider" => json!({"audiences": ["x"], "rules": [{"claims": {"sub": ["job"]}}]}),
        "createCertificateTrust" => {
            json!({"name": "new", "ca": format!("{side}-ca"), "certificateNames": ["a.example.com"]})
        }
        "replaceCertificateTrust" => json!({"certificateNames": ["a.example.com"]}),
        "testIdentityProvider" => json!({"token": "x"}),
        "createWebhook" => json!({"name": "new", "url": "https://hooks.example.com/"}),
        "updateWebhook" => json!({"enabled": true}),
        "createAcmeDirectory" => json!({"name": "new", "ca": named("ca")}),
        "replaceAcmeDirectory" => json!({"description": "x"}),
        "createEarlyRenewal" => json!({"reason": "x"}),
        "createEnrollmentToken" => json!({"name": "new", "ca": named("ca"), "names": ["c.example.com"]}),
        "createEabKey" => json!({"name": "new", "directory": named("directory")}),
        "createUser" | "createGroup" => json!({"name": "new"}),
        "updateUser" | "updateGroup" | "updateDynamicGroup" => json!({"description": "x"}),
        "createDynamicGroup" => json!({"name": "new", "matchingRule": "all {request.principal.type = 'workload'}"}),
        "createCompartment" => json!({"name": "new", "parent": side}),
        "updateCompartment" => json!({"description": "x"}),
        "createPolicy" => json!({"name": "new", "compartment": side,
            "statements": [format!("Allow group reader to inspect vaults in compartment {side}")]}),
        "moveResource" => json!({"kind": "vault", "resource": named("vault")}),
        "testPolicies" => json!({"user": "reader", "permission": "vaults:read", "compartment": side}),
        _ => return None,
    })
}

/// The answer that the model expects: let in, or refused with this status.
fn expected(route: &Route, permissions: &[Permission], role: Role, side: Side) -> Option<u16> {
    match role {
        Role::Nobody | Role::Wrong => return Some(401),
        Role::Administrator => return None,
        Role::Reader | Role::Issuer | Role::Manager => {}
    }
    let needed = permissions[0].as_str();
    let is_list = route.method == "GET" && !route.path.contains('{');
    if is_of_the_tenancy(route) {
        return Some(403);
    }
    if is_list {
        // A list is for whoever may list something somewhere; it shows nothing else.
        return if role.has(needed) { None } else { Some(403) };
    }
    if side == Side::Own && role.has(needed) {
        return None;
    }
    let (resource, _) = needed.split_once(':').unwrap();
    if role == Role::Issuer
        && side == Side::Own
        && ["createCertificate", "ensureCertificate", "createAcmeDirectory"].contains(&&*route.id)
    {
        // It may have the CA sign, so it is told what it lacks; and a certificate that it may not see has the name.
        return Some(if route.method == "PUT" { 409 } else { 403 });
    }
    let seen = side == Side::Own && (role.has(&format!("{resource}:inspect")) || role.has(seen_with(route)));
    Some(if seen { 403 } else { 404 })
}

#[tokio::test]
async fn every_route_lets_in_exactly_those_whom_a_statement_lets_in() {
    let world = World::new().await;
    let mut cells = 0_u32;
    let mut wrong = Vec::new();
    for route in routes() {
        let operation = OPERATIONS.iter().find(|operation| operation.id == route.id).unwrap();
        let Needs::Permissions(permissions) = operation.needs else { continue };
        for (role, bearer) in &world.tokens {
            for side in [Side::Own, Side::Other] {
                let reply = world.ask(&route, side, bearer).await;
                let (status, expected) = (reply.status.as_u16(), expected(&route, permissions, *role, side));
                let fine = match expected {
                    Some(expected) => status == expected,
                    // Let in: what it says then is the use case's to say.
                    None => ![401, 403, 500].contains(&status),
                };
                cells += 1;
                if !fine {
                    wrong.push(format!(
                        "{} {} {role:?} {side:?}: {status}, not {expected:?}: {}",
                        route.method,
                        route.path,
                        reply.text()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells >= 1_000, "{cells}");
}

#[tokio::test]
async fn what_may_not_be_seen_answers_as_what_is_not_there() {
    let world = World::new().await;
    let bearer =
        world.tokens.iter().find(|(role, _)| *role == Role::Manager).map(|(_, bearer)| bearer.clone()).unwrap();
    let mut compared = 0_u32;
    let absent = |text: String| text.replace("other-", "never-").replace("compartment other", "compartment never");
    for route in routes().into_iter().filter(|route| route.path.contains('{') && !is_of_the_tenancy(route)) {
        if !route.path.starts_with("/v1/") {
            continue;
        }
        if route.path.starts_with("/v1/issued-certificates") || route.path.contains("{compartment}") {
            continue;
        }
        let foreign = world.ask(&route, Side::Other, &bearer).await;
        if foreign.status != 404 {
            continue;
        }
        let path = absent(world.path(&route, Side::Other));
        let mut ask = world.app.ask(&route.method, &path).authorization(Some(&bearer));
        if ["PATCH", "PUT"].contains(&route.method.as_str()) {
            ask = ask.header("if-match", "*");
        }
        let missing = match body(&route.id, "other", &world.serials[1]) {
            Some(body) => ask.json(&serde_json::from_str(&absent(body.to_string())).unwrap()).send().await,
            None => ask.send().await,
        };
        let blank = |reply: &Reply| {
            let mut document = reply.json();
            document.as_object_mut().unwrap().remove("requestId");
            absent(document.to_string())
        };
        assert_eq!(blank(&foreign), blank(&missing), "{} {}", route.method, route.path);
        compared = compared.saturating_add(1);
    }
    assert!(compared >= 60, "{compared}");
}

#[tokio::test]
async fn lists_show_what_may_be_seen_and_nothing_else() {
    let world = World::new().await;
    for (role, bearer) in world.tokens.iter().filter(|(role, _)| role.grant().is_some()) {
        for route in routes().into_iter().filter(|route| route.method == "GET" && !route.path.contains('{')) {
            let reply = world.ask(&route, Side::Own, bearer).await;
            if reply.status == 200 && route.path.starts_with("/v1/") && route.path != "/v1/trust" {
                assert!(!reply.text().contains("other-"), "{role:?} {}: {}", route.path, reply.text());
            }
        }
    }
}

#[tokio::test]
async fn every_write_leaves_an_event_that_names_what_decided() {
    let world = World::new().await;
    let bearer = world.tokens.iter().find(|(role, _)| *role == Role::Administrator).map(|(_, bearer)| bearer).unwrap();
    let mut writes: Vec<Route> = routes().into_iter().filter(|route| route.method != "GET").collect();
    // What is made comes first, what takes away last.
    let rank =
        |route: &Route| (route.method == "DELETE", route.id.starts_with("revoke"), !route.id.starts_with("create"));
    writes.sort_by_key(rank);
    let (mut without, mut told) = (Vec::new(), BTreeSet::new());
    for route in writes {
        let operation = OPERATIONS.iter().find(|operation| operation.id == route.id).unwrap();
        let Needs::Permissions(_) = operation.needs else { continue };
        // What is renamed is not found under its name any more.
        let side = if route.id.starts_with("update") { Side::Other } else { Side::Own };
        let mut path = world.path(&route, side).replace("?dryRun=true", "");
        for made in [
            "users/user",
            "groups/group",
            "webhooks/webhook",
            "identity-providers/provider",
            "certificate-trusts/trust",
            "tokens/token",
        ] {
            path = path.replace(made, &format!("{}/new", made.split('/').next().unwrap()));
        }
        let mut ask = world.app.ask(&route.method, &path).authorization(Some(bearer));
        if ["PATCH", "PUT"].contains(&route.method.as_str()) {
            ask = ask.header("if-match", "*");
        }
        let reply = match body(&route.id, side.name(), &world.serials[usize::from(side == Side::Other)]) {
            Some(body) => ask.json(&body).send().await,
            None => ask.send().await,
        };
        if !reply.status.is_success() {
            continue;
        }
        let events = world.app.get(&format!("/v1/audit-events?requestId={}", reply.header("x-request-id"))).await;
        for event in events.is(200).json()["items"].as_array().unwrap() {
            // The name of a policy and the number of a statement in it.
            if event["decidedBy"].as_str() != Some("administrators/0") {
                without.push(event.clone());
            }
            told.insert(route.id.clone());
        }
    }
    assert!(without.is_empty(), "{without:#?}");
    // Others find nothing to do, or that the state does not allow it.
    assert!(told.len() >= 40, "{} {told:?}", told.len());
}

#[test]
fn router_document_and_table_name_the_same_operations() {
    let documented: BTreeSet<String> = routes().into_iter().map(|route| route.id).collect();
    let listed: BTreeSet<String> = OPERATIONS.iter().map(|operation| operation.id.to_owned()).collect();
    assert_eq!(documented, listed);
}
