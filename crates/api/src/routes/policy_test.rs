//! Who may do what.

use crate::Api;
use crate::answer::{Answer, json};
use crate::extract::{Json, Read};
use crate::parse::Faults;
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::StatusCode;
use certwright_app::{App, PolicyQuestion, QuestionTarget};
use certwright_domain::access::PrincipalReference;
use certwright_domain::name::Reference;
use certwright_domain::policy::Asked;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use std::net::IpAddr;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(test))
}

/// Ask the policies
///
/// Who may do what, and by which statement; nothing is done. About oneself everybody may ask.
#[utoipa::path(post, path = "/v1/policies/test", operation_id = "testPolicies", tag = "access",
    request_body = wire::PolicyQuestion,
    responses((status = 200, description = "What the policies say", body = wire::PolicyAnswer)))]
async fn test(State(app): State<App>, Read(call): Read, Json(body): Json<wire::PolicyQuestion>) -> Answer {
    let (asked, question) = question(body)?;
    let verdicts = app.test_policies(&call, asked, &question).await?;
    json(StatusCode::OK, &view::policy_answer(verdicts))
}

fn question(body: wire::PolicyQuestion) -> Result<(Asked, PolicyQuestion), Problem> {
    let mut faults = Faults::default();
    let asked = faults.take("/permission", Asked::parse(&body.permission).ok_or_else(|| unknown(&body.permission)));
    let user = faults.optional("/user", body.user.as_deref(), PrincipalReference::parse);
    let ca = faults.optional("/certificateAuthority", body.certificate_authority.as_deref(), Reference::parse);
    let compartment = faults.optional("/compartment", body.compartment.as_deref(), Reference::parse);
    let address = faults.optional("/address", body.address.as_deref(), address);
    let target = body.target.unwrap_or_default();
    let wire::PolicyTarget { name, ca: of_ca, vault, key, certificate, profile, names } = target;
    let target = QuestionTarget { name, ca: of_ca, vault, key, certificate, profile, names };
    let parts = asked.zip(user.zip(ca)).zip(compartment.zip(address));
    faults.finish(parts.map(|((asked, (user, ca)), (compartment, address))| {
        (asked, PolicyQuestion { user, ca, compartment, target, address })
    }))
}

fn unknown(permission: &str) -> Invalid {
    let shown: String = permission.chars().take(80).collect();
    Invalid::new(
        "invalid_permission",
        format!("`{}` is not a permission.", shown.escape_debug()),
        "Write `<resource type>:<verb>`, for example `keys:use`; docs/policies.md lists both.",
    )
}

fn address(text: &str) -> Result<IpAddr, Invalid> {
    let hint = "Write an IPv4 or IPv6 address, for example `10.1.2.3`.";
    let shown: String = text.chars().take(80).collect();
    let fault = |_| Invalid::new("invalid_address", format!("`{}` is not an address.", shown.escape_debug()), hint);
    text.parse().map_err(fault)
}
