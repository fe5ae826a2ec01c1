//! Certificate authorities.

mod crl;
mod early_renewals;
mod export;
mod import;
mod parse;
mod publication;
mod revocation;
mod versions;

use crate::Api;
use crate::answer::{Answer, changed, changed_under_rules, list, made_under_rules, resource};
use crate::extract::{IfMatch, Json, OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, into, page, reference};
use crate::problem::{Problem, in_body};
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, CaFilter, CaView, Call};
use certwright_domain::ca::{CaState, CaType};
use certwright_domain::id::CaId;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, update))
        .routes(routes!(install))
        .routes(routes!(renew))
        .routes(routes!(schedule_deletion))
        .routes(routes!(cancel_deletion))
        .merge(crl::routes())
        .merge(early_renewals::routes())
        .merge(export::routes())
        .merge(versions::routes())
}

/// List CAs
///
/// By name.
#[utoipa::path(get, path = "/v1/certificate-authorities", operation_id = "listCertificateAuthorities",
    tag = "certificate-authorities", params(wire::CaQuery),
    responses((status = 200, description = "A page of CAs", body = wire::List<wire::Ca>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::CaQuery>, uri: Uri) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let mut faults = Faults::default();
    let ca_type = faults.optional("/type", q.ca_type.as_deref(), CaType::parse);
    let state = faults.optional("/state", q.state.as_deref(), CaState::parse);
    let (ca_type, state) = faults.finish(ca_type.zip(state))?;
    let issuer_id = ca_id(&app, &call, q.issuer.as_deref()).await?;
    let filter = CaFilter { ca_type, state, issuer_id, include_system: q.include_system.unwrap_or(false) };
    list(&app, &uri, app.cas(&call, &filter, &page).await?, |ca| view::ca(&ca))
}

/// Make a CA
///
/// The key signs what the rules approved; the intent is stored before the signature.
#[utoipa::path(post, path = "/v1/certificate-authorities", operation_id = "createCertificateAuthority",
    tag = "certificate-authorities", params(wire::WriteQuery), request_body = wire::NewCa,
    responses((status = 201, description = "Made", body = wire::Ca),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Ca>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewCa>) -> Answer {
    let call = into(call, body.compartment.as_deref())?;
    let named = in_body(&[("vault", "/vault"), ("key", "/key"), ("CA", "/issuer"), ("compartment", "/compartment")]);
    let view = app.create_ca(&call, parse::new_ca(&app, body).await?).await.map_err(named)?;
    let location = format!("/v1/certificate-authorities/{}", view.ca.name);
    let rules = view::verdicts(&view.verdicts);
    made_under_rules(&call, &location, Some(view.ca.revision.into()), view::ca(&view), rules)
}

/// Read a CA
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}", operation_id = "getCertificateAuthority",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The CA", body = wire::Ca)))]
async fn one(State(app): State<App>, Read(call): Read, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    let view = app.ca(&call, &reference(&ca)?).await?;
    resource(&headers, view.ca.revision, &view::ca(&view))
}

/// Change a CA
///
/// Name, rules that are not written into its certificate, revocation settings, enabled or not. Needs `If-Match`.
#[utoipa::path(patch, path = "/v1/certificate-authorities/{ca}", operation_id = "updateCertificateAuthority",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::UpdateCa, responses((status = 200, description = "The CA, or a trial", body = wire::Ca)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(ca): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateCa>,
) -> Answer {
    let (ca, if_match) = (reference(&ca)?, IfMatch::of(&headers)?);
    let if_match = if_match.revision(async { app.ca(&call, &ca).await.map(|view| view.ca.revision) }).await?;
    // A partial change of the revocation settings is laid over those that are there; `If-Match` guards the gap.
    let settings = match body.revocation {
        Some(_) => Some(app.ca(&call, &ca).await?.ca.revocation),
        None => None,
    };
    let view = app.update_ca(&call, &ca, parse::update_ca(&body, settings)?, if_match).await?;
    shown(&call, &view)
}

/// Install a CA's certificate
///
/// The certificate that was signed elsewhere for the CA's CSR.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/install", operation_id = "installCertificateAuthority",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::InstallCa, responses((status = 200, description = "The CA, or a trial", body = wire::Ca)))]
async fn install(
    State(app): State<App>,
    Write(call): Write,
    Path(ca): Path<String>,
    Json(body): Json<wire::InstallCa>,
) -> Answer {
    let view = app.install_ca(&call, &reference(&ca)?, parse::install(body)).await?;
    shown(&call, &view)
}

/// Renew a CA
///
/// A new version with the same key or a rotated one; a new CSR where the CA is signed elsewhere.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/renew", operation_id = "renewCertificateAuthority",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::RenewCa, responses((status = 200, description = "The CA with its new version, or a trial", body = wire::Ca)))]
async fn renew(
    State(app): State<App>,
    Write(call): Write,
    Path(ca): Path<String>,
    OptionalJson(body): OptionalJson<wire::RenewCa>,
) -> Answer {
    let view = app.renew_ca(&call, &reference(&ca)?, parse::renew_ca(&body)?).await?;
    shown(&call, &view)
}

/// Schedule a CA's deletion
///
/// 7 to 30 days from now. Refused while live children or certificates depend on it.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/schedule-deletion",
    operation_id = "scheduleCertificateAuthorityDeletion", tag = "certificate-authorities",
    params(("ca" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::ScheduleDeletion,
    responses((status = 200, description = "The CA, or a trial", body = wire::Ca)))]
async fn schedule_deletion(
    State(app): State<App>,
    Write(call): Write,
    Path(ca): Path<String>,
    OptionalJson(body): OptionalJson<wire::ScheduleDeletion>,
) -> Answer {
    let mut faults = Faults::default();
    let at = faults.optional("/deletionAt", body.deletion_at.as_deref(), Timestamp::parse);
    let view = app.schedule_ca_deletion(&call, &reference(&ca)?, faults.finish(at)?).await?;
    changed(&call, view.ca.revision, view::ca(&view))
}

/// Cancel a CA's deletion
///
/// The CA goes back to the state it had.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/cancel-deletion",
    operation_id = "cancelCertificateAuthorityDeletion", tag = "certificate-authorities",
    params(("ca" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The CA, or a trial", body = wire::Ca)))]
async fn cancel_deletion(
    State(app): State<App>,
    Write(call): Write,
    Path(ca): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let view = app.cancel_ca_deletion(&call, &reference(&ca)?).await?;
    changed(&call, view.ca.revision, view::ca(&view))
}

/// The id of a CA that a query names; an id is taken as it is, a deleted CA has no name any more.
pub(super) async fn ca_id(app: &App, call: &Call, given: Option<&str>) -> Result<Option<CaId>, Problem> {
    match given {
        None => Ok(None),
        Some(text) => match CaId::parse(text) {
            Ok(id) => Ok(Some(id)),
            Err(_) => Ok(Some(app.ca(call, &reference(text)?).await?.ca.id)),
        },
    }
}

fn shown(call: &Call, view: &CaView) -> Answer {
    changed_under_rules(call, view.ca.revision, view::ca(view), view::verdicts(&view.verdicts))
}
