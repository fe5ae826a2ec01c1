//! One-shot issuing: `issue` makes the key, `sign` takes a CSR.

use crate::Api;
use crate::answer::{self, Answer, file, negotiated, set};
use crate::content::{issued_pem, issued_tar, pkcs7};
use crate::extract::{Json, Path, Query, SignBody};
use crate::guard::Access;
use crate::negotiate::{Format, ISSUE, Offer, SIGN, choose};
use crate::openapi::Binary;
use crate::parse::{Faults, reference};
use crate::problem::{Problem, in_body};
use crate::view;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use certwright_app::{App, Error, IssueRequest, Issued, SignRequest, Subject, Trial};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::name::Reference;
use certwright_domain::time::Timestamp;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What is named beside the CA, and where.
const NAMED: &[(&str, &str)] = &[("profile", "/profile")];

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(issue)).routes(routes!(sign))
}

/// Issue a certificate with a key of ours
///
/// We make the key, put it into the answer and keep it nowhere. JSON has everything; the PEM answer is the private key
/// followed by the chain; the tar archive holds `cert.pem`, `chain.pem`, `ca.pem` and `key.pem` (mode 0600). Formats that
/// cannot hold the key are refused with 406. A trial (`?dryRun=true`) that a rule refuses answers the same 422 as the
/// real call, with the verdict of every rule in `rules`.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/issue", operation_id = "issueCertificate", tag = "issuing",
    params(("ca" = String, Path, description = "Name or id"), wire::IssueQuery), request_body = wire::Issue,
    responses((status = 201, description = "Issued and recorded", content((wire::IssuedAnswer = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/x-tar"))),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Trial>)))]
async fn issue(
    State(app): State<App>,
    access: Access,
    Path(ca): Path<String>,
    Query(q): Query<wire::IssueQuery>,
    headers: HeaderMap,
    Json(body): Json<wire::Issue>,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), ISSUE)?;
    let call = access.call(q.dry_run.unwrap_or(false));
    let (ca, request) = (reference(&ca)?, issue_request(&body)?);
    if call.dry_run {
        return tried(&app.try_issue(&call, &ca, request).await.map_err(in_body(NAMED))?);
    }
    issued(app.issue(&call, &ca, request).await.map_err(in_body(NAMED))?, offer, app.now())
}

/// Sign a CSR
///
/// The CSR comes in JSON, or alone as `application/pkcs10` (PEM or DER) with profile and validity in the query. Its
/// signature is verified; subject and names are taken by the profile's leave. A trial (`?dryRun=true`) that a rule
/// refuses answers the same 422 as the real call, with the verdict of every rule in `rules`.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/sign", operation_id = "signCertificate", tag = "issuing",
    params(("ca" = String, Path, description = "Name or id"), wire::SignQuery),
    request_body(content((wire::Sign = "application/json"), (String = "application/pkcs10"))),
    responses((status = 201, description = "Issued and recorded", content((wire::IssuedAnswer = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/pkix-cert"), (Binary = "application/pkcs7-mime"),
    (Binary = "application/x-tar"))), (status = 200, description = "A trial", body = wire::DryRun<wire::Trial>)))]
async fn sign(
    State(app): State<App>,
    access: Access,
    Path(ca): Path<String>,
    Query(q): Query<wire::SignQuery>,
    headers: HeaderMap,
    body: SignBody,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), SIGN)?;
    let call = access.call(q.dry_run.unwrap_or(false));
    let (ca, request) = (reference(&ca)?, sign_request(body, &q)?);
    if call.dry_run {
        return tried(&app.try_sign(&call, &ca, request).await.map_err(in_body(NAMED))?);
    }
    issued(app.sign(&call, &ca, request).await.map_err(in_body(NAMED))?, offer, app.now())
}

fn issue_request(body: &wire::Issue) -> Result<IssueRequest, Problem> {
    let mut faults = Faults::default();
    let subject = subject(&mut faults, body.subject.as_ref(), body.names.as_deref());
    let profile = faults.optional("/profile", body.profile.as_deref(), Reference::parse);
    let key_algorithm = faults.optional("/keyAlgorithm", body.key_algorithm.as_deref(), signing_algorithm);
    let validity = faults.optional_validity("/validity", body.validity.as_ref());
    let parts = subject.zip(profile).zip(key_algorithm.zip(validity));
    faults.finish(parts.map(|((subject, profile), (key_algorithm, validity))| IssueRequest {
        subject,
        profile,
        key_algorithm,
        validity,
    }))
}

fn sign_request(body: SignBody, query: &wire::SignQuery) -> Result<SignRequest, Problem> {
    let in_query = wire::Validity {
        not_before: query.not_before.clone(),
        not_after: query.not_after.clone(),
        duration: query.duration.clone(),
    };
    let mut faults = Faults::default();
    match body {
        SignBody::Pkcs10(csr) => {
            let profile = faults.optional("/profile", query.profile.as_deref(), Reference::parse);
            let validity = faults.validity("", &in_query);
            let csr = csr.to_vec();
            faults.finish(profile.zip(validity).map(|(profile, validity)| SignRequest {
                csr,
                subject: Subject::default(),
                profile,
                validity,
            }))
        }
        SignBody::Json(body) => {
            if query.profile.is_some() || in_query != wire::Validity::default() {
                faults.note("", misplaced());
            }
            let subject = subject(&mut faults, body.subject.as_ref(), body.names.as_deref());
            let profile = faults.optional("/profile", body.profile.as_deref(), Reference::parse);
            let validity = faults.optional_validity("/validity", body.validity.as_ref());
            let csr = body.csr.into_bytes();
            let parts = subject.zip(profile).zip(validity);
            faults.finish(parts.map(|((subject, profile), validity)| SignRequest { csr, subject, profile, validity }))
        }
    }
}

fn subject(faults: &mut Faults, subject: Option<&wire::Subject>, names: Option<&[wire::Name]>) -> Option<Subject> {
    let subject = faults.optional_subject("/subject", subject);
    let names = faults.optional_names("/names", names);
    subject.zip(names).map(|(subject, names)| Subject { subject, names })
}

/// Key algorithms of certificates: the asymmetric ones.
fn signing_algorithm(text: &str) -> Result<KeyAlgorithm, Invalid> {
    let asymmetric = || KeyAlgorithm::ALL.iter().filter(|algorithm| algorithm.is_asymmetric());
    asymmetric().find(|algorithm| algorithm.as_str() == text).copied().ok_or_else(|| {
        let names: Vec<&str> = asymmetric().map(|algorithm| algorithm.as_str()).collect();
        Invalid::new(
            "invalid_key_algorithm",
            format!("`{}` is not a key algorithm for certificates.", text.escape_debug()),
            format!("Choose one of: {}", names.join(" ")),
        )
    })
}

fn misplaced() -> Invalid {
    Invalid::new(
        "misplaced_parameter",
        "Profile and validity stand in the query although the body is JSON.",
        "With a JSON body, put them into it; the query is for `application/pkcs10` bodies.",
    )
}

pub(super) fn issued(issued: Issued, offer: Offer, now: Timestamp) -> Answer {
    let serial = issued.row.serial.to_string();
    let mut response = match offer.format {
        Format::Json | Format::Csv | Format::P12 | Format::Jks => {
            answer::json(StatusCode::CREATED, &view::answer(issued))?
        }
        Format::Pem => file(StatusCode::CREATED, offer, &serial, issued_pem(&issued))?,
        Format::Der => file(StatusCode::CREATED, offer, &serial, issued.row.certificate)?,
        Format::P7 => file(StatusCode::CREATED, offer, &serial, pkcs7(&issued.chain())?)?,
        Format::Tar => file(StatusCode::CREATED, offer, &serial, issued_tar(&issued, now)?)?,
    };
    set(&mut response, LOCATION, &format!("/v1/issued-certificates/{serial}"))?;
    Ok(negotiated(response))
}

/// A trial that a rule refused is the problem that the real call would have been, with every verdict.
pub(super) fn tried(trial: &Trial) -> Answer {
    let rules = view::verdicts(&trial.verdicts);
    if trial.passed {
        return answer::trial(view::trial(trial), rules);
    }
    let violations = trial.verdicts.iter().flat_map(|verdict| verdict.violations.clone()).collect();
    Err(Problem::from(Error::Rejected(violations)).with_rules(rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_domain::time::Span;
    use certwright_domain::validity::{RequestedEnd, RequestedValidity};

    #[test]
    fn all_faults_of_a_wish_are_listed() {
        let body = serde_json::from_str(
            r#"{"subject":{"country":"Korea"},"names":["a b"],"profile":"a/b","keyAlgorithm":"AES_256",
                "validity":{"duration":"P1D","notAfter":"2030-01-01T00:00:00Z"}}"#,
        )
        .unwrap();
        let problem = issue_request(&body).unwrap_err();
        let pointers: Vec<&str> = problem.document().errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/subject/country", "/names/0", "/profile", "/keyAlgorithm", "/validity/duration"]);
        assert!(!problem.document().errors[3].hint.contains("AES"));
    }

    #[test]
    fn a_csr_alone_takes_profile_and_validity_from_the_query() {
        let query = wire::SignQuery {
            profile: Some("tls-server".into()),
            duration: Some("PT24H".into()),
            ..wire::SignQuery::default()
        };
        let request = sign_request(SignBody::Pkcs10("x".into()), &query).unwrap();
        assert_eq!(request.profile.unwrap().as_str(), "tls-server");
        assert_eq!(
            request.validity,
            RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_hours(24)) }
        );
        let json = || SignBody::Json(Box::new(wire::Sign { csr: "x".into(), ..wire::Sign::default() }));
        assert_eq!(sign_request(json(), &query).unwrap_err().document().code, "misplaced_parameter");
        assert!(sign_request(json(), &wire::SignQuery::default()).is_ok());
        let wrong = wire::SignQuery { duration: Some("soon".into()), ..wire::SignQuery::default() };
        let problem = sign_request(SignBody::Pkcs10("x".into()), &wrong).unwrap_err();
        assert_eq!(problem.document().errors[0].pointer, "/duration");
    }
}
