//! Managed certificates.

mod bundle;
mod parse;
mod versions;

use super::cas::ca_id;
use crate::Api;
use crate::answer::{Answer, Tag, changed_under_rules, list, made_under_rules, resource};
use crate::extract::{IfMatch, Json, OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, into, page, reference};
use crate::problem::{Problem, in_body};
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, Call, CertificateFilter, CertificateView, EnsureOutcome, Ensured, Error};
use certwright_domain::managed::{CertificateKind, CertificateState};
use certwright_domain::name::ResourceName;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What a wish names, and where.
const NAMED: &[(&str, &str)] = &[("CA", "/ca"), ("profile", "/profile"), ("compartment", "/compartment")];

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, ensure, update))
        .routes(routes!(renew))
        .routes(routes!(attempts))
        .routes(routes!(schedule_deletion))
        .routes(routes!(cancel_deletion))
        .merge(versions::routes())
        .merge(bundle::routes())
}

/// List managed certificates
///
/// By name.
#[utoipa::path(get, path = "/v1/certificates", operation_id = "listCertificates", tag = "certificates",
    params(wire::CertificateQuery),
    responses((status = 200, description = "A page of certificates", body = wire::List<wire::Certificate>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::CertificateQuery>, uri: Uri) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let mut faults = Faults::default();
    let kind = faults.optional("/kind", q.kind.as_deref(), CertificateKind::parse);
    let state = faults.optional("/state", q.state.as_deref(), CertificateState::parse);
    let (kind, state) = faults.finish(kind.zip(state))?;
    let ca_id = ca_id(&app, &call, q.ca.as_deref()).await?;
    let filter = CertificateFilter { kind, state, ca_id };
    list(&app, &uri, app.certificates(&call, &filter, &page).await?, |one| view::certificate(&one))
}

/// Make a managed certificate
///
/// Refused where the name is taken; `PUT` makes what is missing and leaves what is as wished.
#[utoipa::path(post, path = "/v1/certificates", operation_id = "createCertificate", tag = "certificates",
    params(wire::WriteQuery), request_body = wire::CertificateSpec,
    responses((status = 201, description = "Made", body = wire::Certificate),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Certificate>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::CertificateSpec>) -> Answer {
    let call = into(call, body.compartment.as_deref())?;
    let request = parse::spec(&app, None, body).await?;
    answered(&call, &app.create_certificate(&call, request).await.map_err(in_body(NAMED))?)
}

/// Read a managed certificate
///
/// With its version in use, when that is due, and what becomes of it next.
#[utoipa::path(get, path = "/v1/certificates/{certificate}", operation_id = "getCertificate", tag = "certificates",
    params(("certificate" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The certificate", body = wire::Certificate)))]
async fn one(State(app): State<App>, Read(call): Read, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    let found = app.certificate(&call, &reference(&name)?).await?;
    resource(&headers, tag(&found)?, &view::certificate(&found))
}

/// Ensure a managed certificate
///
/// What is missing is made (201); what differs gets a new version; what is due is renewed; what is as wished stays. `ensured`
/// says what happened and why. Identical calls make one version, however many there are at once and on however many nodes.
#[utoipa::path(put, path = "/v1/certificates/{certificate}", operation_id = "ensureCertificate", tag = "certificates",
    params(("certificate" = String, Path, description = "Name"), wire::WriteQuery), request_body = wire::CertificateSpec,
    responses((status = 201, description = "Made", body = wire::Certificate),
    (status = 200, description = "Unchanged, changed, or a trial", body = wire::Certificate)))]
async fn ensure(
    State(app): State<App>,
    Write(call): Write,
    Path(name): Path<String>,
    Json(body): Json<wire::CertificateSpec>,
) -> Answer {
    let call = into(call, body.compartment.as_deref())?;
    let request = parse::spec(&app, Some(&name), body).await?;
    answered(&call, &app.ensure_certificate(&call, request).await.map_err(in_body(NAMED))?)
}

/// Change a managed certificate
///
/// Name, renewal, exportability and `enabled` take effect at once; what it is to be, at its next version (`PUT` makes that
/// now). Needs `If-Match`.
#[utoipa::path(patch, path = "/v1/certificates/{certificate}", operation_id = "updateCertificate", tag = "certificates",
    params(("certificate" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::UpdateCertificate,
    responses((status = 200, description = "The certificate, or a trial", body = wire::Certificate)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateCertificate>,
) -> Answer {
    let (name, if_match) = (reference(&name)?, IfMatch::of(&headers)?);
    let current = async || {
        let found = app.certificate(&call, &name).await?;
        Ok::<_, Problem>((found.certificate.revision, tag(&found)?))
    };
    let if_match = if_match.document(current()).await?;
    let update = parse::update(&body)?;
    match app.update_certificate(&call, &name, update, if_match).await {
        // The use case knows of revisions alone.
        Err(Error::PreconditionFailed { .. }) => Err(Problem::precondition_failed(&current().await?.1)),
        Err(Error::PreconditionRequired { .. }) => Err(Problem::precondition_required(&current().await?.1)),
        outcome => shown(&call, &outcome?),
    }
}

/// Renew a managed certificate
///
/// Makes a new version, due or not; also of one that is revoked or disabled. Where the requester holds the key, with a new
/// CSR or, by request, with the last one.
#[utoipa::path(post, path = "/v1/certificates/{certificate}/renew", operation_id = "renewCertificate", tag = "certificates",
    params(("certificate" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::RenewCertificate,
    responses((status = 200, description = "The certificate with its new version, or a trial", body = wire::Certificate)))]
async fn renew(
    State(app): State<App>,
    Write(call): Write,
    Path(name): Path<String>,
    OptionalJson(body): OptionalJson<wire::RenewCertificate>,
) -> Answer {
    shown(&call, &app.renew_certificate(&call, &reference(&name)?, parse::renew(body)?).await?)
}

/// List attempts to renew
///
/// Newest first, each with its reason.
#[utoipa::path(get, path = "/v1/certificates/{certificate}/attempts", operation_id = "listCertificateAttempts",
    tag = "certificates", params(("certificate" = String, Path, description = "Name or id"), wire::PageQuery),
    responses((status = 200, description = "A page of attempts", body = wire::List<wire::RenewalAttempt>)))]
async fn attempts(
    State(app): State<App>,
    Read(call): Read,
    Path(name): Path<String>,
    Query(q): Query<wire::PageQuery>,
    uri: Uri,
) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    list(&app, &uri, app.certificate_attempts(&call, &reference(&name)?, &page).await?, |one| view::attempt(&one))
}

/// Schedule a certificate's deletion
///
/// 1 to 30 days from now. The name stays taken until then; then the private keys are destroyed.
#[utoipa::path(post, path = "/v1/certificates/{certificate}/schedule-deletion", operation_id = "scheduleCertificateDeletion",
    tag = "certificates", params(("certificate" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::ScheduleDeletion,
    responses((status = 200, description = "The certificate, or a trial", body = wire::Certificate)))]
async fn schedule_deletion(
    State(app): State<App>,
    Write(call): Write,
    Path(name): Path<String>,
    OptionalJson(body): OptionalJson<wire::ScheduleDeletion>,
) -> Answer {
    let mut faults = Faults::default();
    let at = faults.optional("/deletionAt", body.deletion_at.as_deref(), Timestamp::parse);
    shown(&call, &app.schedule_certificate_deletion(&call, &reference(&name)?, faults.finish(at)?).await?)
}

/// Cancel a certificate's deletion
///
/// It goes back to the state it had.
#[utoipa::path(post, path = "/v1/certificates/{certificate}/cancel-deletion", operation_id = "cancelCertificateDeletion",
    tag = "certificates", params(("certificate" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The certificate, or a trial", body = wire::Certificate)))]
async fn cancel_deletion(
    State(app): State<App>,
    Write(call): Write,
    Path(name): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    shown(&call, &app.cancel_certificate_deletion(&call, &reference(&name)?).await?)
}

/// 201 for what was made, 200 for everything else.
fn answered(call: &Call, ensured: &Ensured) -> Answer {
    let (tag, name) = (tag(&ensured.view)?, &ensured.view.certificate.name);
    let rules = view::verdicts(&ensured.view.verdicts);
    match ensured.outcome {
        EnsureOutcome::Created => {
            let location = format!("/v1/certificates/{name}");
            made_under_rules(call, &location, Some(tag), view::ensured(ensured), rules)
        }
        EnsureOutcome::NewVersion | EnsureOutcome::Changed | EnsureOutcome::Unchanged => {
            changed_under_rules(call, tag, view::ensured(ensured), rules)
        }
    }
}

fn shown(call: &Call, view: &CertificateView) -> Answer {
    let rules = view::verdicts(&view.verdicts);
    changed_under_rules(call, tag(view)?, view::certificate(view), rules)
}

/// The tag of a certificate, whichever call answers with it: the document shows whether its version is revoked and when it is due,
/// which the inventory knows, the name of its CA, and what becomes of it next, which time alone changes.
fn tag(view: &CertificateView) -> Result<Tag, Problem> {
    Tag::of_document(view.certificate.revision, &view::certificate(view))
}

/// A name in a path of `PUT`: what is to be made needs a name, an id is none.
fn name_in_path(text: &str) -> Result<ResourceName, Problem> {
    ResourceName::parse(text).map_err(|invalid| Problem::invalid("", invalid))
}
