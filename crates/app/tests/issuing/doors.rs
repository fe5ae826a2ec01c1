//! One bad name, every door (A8): whatever way a name comes in, the same rule says the same.

use crate::kit::*;
use certwright_app::jose::Jwk;
use certwright_app::{
    AcmeCall, AcmeDoor, AcmeError, App, Call, CertificateRequest, Content, EnrollRequest, Error, NewAccount,
    NewAcmeDirectory, NewEnrollmentToken, NewOrder, NewRules, RenewalRequest, SignRequest, Subject, Trial, WishRequest,
};
use certwright_domain::acme::RawDirectory;
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::profile::{RawNameLimits, RawProfile};
use certwright_domain::san::San;
use certwright_domain::validity::RequestedValidity;
use certwright_domain::violation::Violation;
use std::collections::BTreeSet;

/// What a door said: every broken rule with what people are told.
type Said = BTreeSet<(&'static str, String)>;

fn of(violations: &[Violation]) -> Said {
    violations.iter().map(|it| (it.rule, format!("{} {}", it.detail, it.hint))).collect()
}

fn refused<T>(outcome: Result<T, Error>) -> Said {
    of(&violations(outcome))
}

/// What a trial says.
fn tried(trial: Result<Trial, Error>) -> Said {
    let trial = trial.unwrap();
    assert!(!trial.passed);
    trial.verdicts.iter().flat_map(|verdict| of(&verdict.violations)).collect()
}

/// A CSR of openssl with a key of its own.
fn csr(common_name: Option<&str>, names: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let subject = common_name.map_or("/".to_owned(), |name| format!("/CN={name}"));
    let alternative = |name: &&str| match name.parse::<std::net::IpAddr>() {
        Ok(_) => format!("IP:{name}"),
        Err(_) => format!("DNS:{name}"),
    };
    let names: Vec<String> = names.iter().map(alternative).collect();
    let mut command = format!(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj {subject} -out csr.pem"
    );
    if !names.is_empty() {
        command = format!("{command} -addext subjectAltName={}", names.join(","));
    }
    openssl(folder.path(), &command);
    std::fs::read(folder.path().join("csr.pem")).unwrap()
}

fn sans(names: &[&str]) -> Option<Vec<San>> {
    Some(names.iter().map(|one| San::parse(one).unwrap()).collect())
}

fn signing(csr: Vec<u8>, names: Option<Vec<San>>) -> SignRequest {
    let subject = Subject { subject: None, names };
    SignRequest { csr, subject, profile: Some(to("web")), validity: RequestedValidity::DEFAULT }
}

fn wish(names: Option<Vec<San>>, csr: Option<Vec<u8>>) -> WishRequest {
    let validity = RequestedValidity::DEFAULT;
    WishRequest { ca: to("root"), profile: Some(to("web")), subject: None, names, key_algorithm: None, validity, csr }
}

fn managed(called: &str, wish: WishRequest) -> CertificateRequest {
    CertificateRequest {
        name: name(called),
        content: Content::Wished(wish),
        renewal: RenewalRequest::default(),
        exportable: false,
        version_name: None,
        pending: false,
    }
}

fn profile(dns: &[&str]) -> RawProfile {
    RawProfile {
        name: "web".to_owned(),
        usages: vec!["serverAuth".to_owned(), "clientAuth".to_owned()],
        names: RawNameLimits {
            dns: Some(dns.iter().map(|one| (*one).to_owned()).collect()),
            ip: Some(vec!["192.0.2.0/24".to_owned()]),
            ..RawNameLimits::default()
        },
        ..RawProfile::default()
    }
}

/// An account of the directory `default`.
async fn account(app: &TestApp) -> AcmeCall {
    let settings = RawDirectory {
        name: "default".to_owned(),
        profiles: vec!["web".to_owned()],
        enabled: true,
        ..RawDirectory::default()
    };
    app.app.create_acme_directory(&call(), NewAcmeDirectory { ca: to("root"), settings }).await.unwrap();
    let directory = app.app.open_acme_directory("default").await.unwrap();
    let door = AcmeDoor { directory, request_id: "client".to_owned(), address: None, vouched: None };
    // The key of RFC 7517 appendix A.1.
    let key = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
    let (account, _) =
        app.app.new_acme_account(&door, &Jwk::from_canonical(key).unwrap(), NewAccount::default()).await.unwrap();
    AcmeCall { door, account: account.into() }
}

/// What an ACME client is told of a name, without the rule, which has no place in such a problem.
async fn ordered(app: &App, call: &AcmeCall, name: &str) -> BTreeSet<String> {
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
    let identifiers = vec![(kind.to_owned(), name.to_owned())];
    let nonce = app.read_acme_nonce(&app.new_acme_nonce().await.unwrap()).await.unwrap();
    let begun = app.prepare_acme_order(call, nonce, NewOrder { identifiers, ..NewOrder::default() }).await.unwrap();
    match begun.found() {
        Err(AcmeError::Problem(problem)) if problem.subproblems.is_empty() => [problem.detail].into(),
        Err(AcmeError::Problem(problem)) => problem.subproblems.into_iter().map(|one| one.detail).collect(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("{name} was ordered"),
    }
}

fn told(said: &Said) -> BTreeSet<String> {
    said.iter().map(|(_, told)| told.clone()).collect()
}

fn rules(said: &Said) -> BTreeSet<&'static str> {
    said.iter().map(|(rule, _)| *rule).collect()
}

async fn token(app: &TestApp, called: &str, names: &[&str]) -> Result<String, Error> {
    let new = NewEnrollmentToken {
        name: name(called),
        ca: to("root"),
        profile: Some(to("web")),
        names: sans(names).unwrap(),
        uses: Some(10),
        expires_at: None,
        lifetime: None,
    };
    app.app.create_enrollment_token(&call(), new).await.map(|(_, text)| text.expose().clone())
}

fn enrolling(csr: Vec<u8>) -> EnrollRequest {
    EnrollRequest { csr, validity: RequestedValidity::DEFAULT }
}

#[tokio::test]
async fn a_bad_name_gets_one_verdict_at_every_door() {
    let app = TestApp::sqlite().await;
    let texts = |them: &[&str]| them.iter().map(|one| (*one).to_owned()).collect();
    let permitted =
        RawSubtrees { dns: texts(&["example.com"]), ip: texts(&["192.0.2.0/24"]), ..RawSubtrees::default() };
    let excluded = RawSubtrees { dns: texts(&["secret.example.com"]), ..RawSubtrees::default() };
    let constraints = NameConstraints::parse(permitted, excluded).unwrap();
    root(&app, NewRules { name_constraints: Some(constraints), ..NewRules::default() }).await;
    app.app.create_profile(&call(), profile(&["*.example.com"])).await.unwrap();
    let account = account(&app).await;
    let good = "good.example.com";
    app.app.sign(&call(), &to("root"), signing(csr(None, &[good]), None)).await.unwrap();
    let before = serials(&app).await.len();
    for bad in [
        "evil.example.org",
        "secret.example.com",
        "example.com",
        "*.example.com",
        "*.com",
        "example.com.evil.net",
        "198.51.100.7",
    ] {
        let expected = refused(app.app.issue(&call(), &to("root"), issuing(&[bad])).await);
        assert!(!expected.is_empty(), "{bad}");
        let mut doors =
            vec![("issue as a trial", tried(app.app.try_issue(&trial(), &to("root"), issuing(&[bad])).await))];
        let asking = signing(csr(None, &[bad]), None);
        doors.push(("a CSR as a trial", tried(app.app.try_sign(&trial(), &to("root"), asking.clone()).await)));
        doors.push(("a CSR", refused(app.app.sign(&call(), &to("root"), asking).await)));
        let beside = signing(csr(None, &[good]), sans(&[bad]));
        doors.push(("names beside a CSR", refused(app.app.sign(&call(), &to("root"), beside).await)));
        let made = || managed("bad", wish(sans(&[bad]), None));
        doors.push(("a managed certificate", refused(app.app.create_certificate(&call(), made()).await)));
        doors.push(("ensuring one", refused(app.app.ensure_certificate(&call(), made()).await)));
        let brought = managed("bad", wish(None, Some(csr(None, &[bad]))));
        doors.push(("a managed CSR", refused(app.app.create_certificate(&call(), brought).await)));
        doors.push(("an enrolment token", refused(token(&app, "bad", &[bad]).await)));
        for (door, said) in doors {
            assert_eq!(said, expected, "{bad} by {door}");
        }
        assert_eq!(ordered(&app.app, &account, bad).await, told(&expected), "{bad} by ACME");
        // Hidden in the commonName it breaks the same rules, beside a name that is fine.
        let hidden = signing(csr(Some(bad), &[good]), None);
        let hidden = refused(app.app.sign(&call(), &to("root"), hidden).await);
        assert!(rules(&hidden).is_superset(&rules(&expected)), "{bad} as commonName: {hidden:?}, not {expected:?}");
    }
    assert_eq!(serials(&app).await.len(), before, "none of them left a certificate");
}

fn issuing(names: &[&str]) -> certwright_app::IssueRequest {
    certwright_app::IssueRequest { profile: Some(to("web")), ..leaf(names, RequestedValidity::DEFAULT) }
}

async fn serials(app: &TestApp) -> Vec<IssuedCertificate> {
    let all = certwright_store::PageRequest { limit: 500, after: None };
    app.app.issued_certificates(&call(), &Default::default(), &all).await.unwrap().items
}

/// A name that was fine when it was asked for, and is not any more when it comes again.
#[tokio::test]
async fn what_was_let_in_once_is_judged_anew_when_it_comes_again() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    app.app.create_profile(&call(), profile(&["*.example.com", "*.example.org"])).await.unwrap();
    let bad = "web.example.org";
    let made = managed("web", wish(sans(&[bad]), None));
    app.app.create_certificate(&call(), made).await.unwrap();
    let text = token(&app, "web", &[bad]).await.unwrap();
    let enrolled = app.app.authenticate_enrollment(&text).await.unwrap();
    let first = app.app.enroll(&Call::new(enrolled, "first"), enrolling(csr(None, &[bad]))).await.unwrap();
    let account = account(&app).await;
    app.app.replace_profile(&call(), &to("web"), profile(&["*.example.com"]), Some(1)).await.unwrap();

    let expected = refused(app.app.issue(&call(), &to("root"), issuing(&[bad])).await);
    let caller = app.app.authenticate_enrollment(&text).await.unwrap();
    let call_of = Call::new(caller, "again");
    let mut doors = vec![
        ("enrolment", refused(app.app.enroll(&call_of, enrolling(csr(None, &[bad]))).await)),
        ("enrolment as a trial", tried(app.app.try_enroll(&call_of, enrolling(csr(None, &[bad]))).await)),
        ("another token", refused(token(&app, "other", &[bad]).await)),
        ("renewal by hand", refused(app.app.renew_certificate(&call(), &to("web"), Default::default()).await)),
    ];
    let holder = app.app.authenticate_certificate(&first.row.fingerprint).await.unwrap();
    let holder = Call::new(holder, "renewal");
    let renewing = enrolling(csr(None, &[bad]));
    let trial = app.app.try_renew_by_certificate(&holder, &to("root"), renewing.clone()).await;
    doors.push(("renewal by certificate as a trial", tried(trial)));
    let renewed = app.app.renew_by_certificate(&holder, &to("root"), renewing).await;
    doors.push(("renewal by certificate", refused(renewed)));
    for (door, said) in doors {
        assert_eq!(said, expected, "{door}");
    }
    assert_eq!(ordered(&app.app, &account, bad).await, told(&expected), "ACME");
    assert_eq!(serials(&app).await.len(), 3, "the root's and two");
}
