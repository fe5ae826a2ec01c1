//! Revoking issued certificates, and ending a hold.

use crate::Api;
use crate::answer::{Answer, done};
use crate::extract::{Json, OptionalJson, Path, Write};
use crate::parse::Faults;
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use certwright_app::{App, RevocationTarget, Revoke};
use certwright_domain::name::Reference;
use certwright_domain::serial::Serial;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(revoke)).routes(routes!(revoke_named)).routes(routes!(release))
}

/// Revoke an issued certificate
///
/// Twice with the same reason answers the same; a second reason only upgrades to a compromise. It is on the CA's revocation
/// list within seconds. Every compromise blocks the public key for ever and names the other certificates that carry it.
#[utoipa::path(post, path = "/v1/issued-certificates/{certificate}/revoke", operation_id = "revokeIssuedCertificate",
    tag = "inventory", params(("certificate" = String, Path, description = "Serial, fingerprint or id"), wire::WriteQuery),
    request_body = wire::RevokeCertificate,
    responses((status = 200, description = "The certificate, or a trial", body = wire::RevokedCertificate)))]
async fn revoke(
    State(app): State<App>,
    Write(call): Write,
    Path(reference): Path<String>,
    OptionalJson(body): OptionalJson<wire::RevokeCertificate>,
) -> Answer {
    let mut faults = Faults::default();
    let reason = faults.reason(body.reason.as_deref());
    let revoke = Revoke { reason: faults.finish(reason)?, siblings: body.siblings.unwrap_or(false) };
    let revoked = app.revoke_issued_certificate(&call, &RevocationTarget::Reference(reference), revoke).await?;
    done(&call, view::revoked(revoked, app.now()))
}

/// Revoke a certificate by its body, or by serial and issuer
///
/// For those who hold the certificate and not its serial, and for serials that several CAs used. By serial and issuer also for what an
/// imported CA gave away before it came here (`usedSerials`, `opensslIndex`): revocation list and OCSP say so. Of such a certificate nothing
/// else is known: `keyCompromise` blocks no key, `certificateHold` and `siblings` are refused.
#[utoipa::path(post, path = "/v1/issued-certificates/revoke", operation_id = "revokeNamedCertificate", tag = "inventory",
    params(wire::WriteQuery), request_body = wire::RevokeNamed,
    responses((status = 200, description = "The certificate, or a trial", body = wire::RevokedNamed)))]
async fn revoke_named(State(app): State<App>, Write(call): Write, Json(body): Json<wire::RevokeNamed>) -> Answer {
    let (target, revoke) = named(body)?;
    let revoked = app.revoke_named(&call, &target, revoke).await?;
    done(&call, view::revoked_named(revoked, app.now()))
}

/// End the hold of a certificate
///
/// Only `certificateHold` can be taken back.
#[utoipa::path(post, path = "/v1/issued-certificates/{certificate}/release", operation_id = "releaseIssuedCertificate",
    tag = "inventory", params(("certificate" = String, Path, description = "Serial, fingerprint or id"), wire::WriteQuery),
    responses((status = 200, description = "The certificate, or a trial", body = wire::IssuedCertificate)))]
async fn release(
    State(app): State<App>,
    Write(call): Write,
    Path(reference): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let row = app.release_issued_certificate(&call, &RevocationTarget::Reference(reference)).await?;
    done(&call, view::inventory(row, app.now()))
}

fn named(body: wire::RevokeNamed) -> Result<(RevocationTarget, Revoke), Problem> {
    let mut faults = Faults::default();
    let reason = faults.reason(body.reason.as_deref());
    let serial = faults.optional("/serial", body.serial.as_deref(), Serial::parse);
    let ca = faults.optional("/ca", body.ca.as_deref(), Reference::parse);
    let target = match (body.certificate, serial.zip(ca)) {
        (_, None) => None,
        (Some(certificate), Some((None, None))) => Some(RevocationTarget::Certificate(certificate.into_bytes())),
        (None, Some((Some(serial), Some(ca)))) => Some(RevocationTarget::Serial(serial, ca)),
        _ => {
            faults.note("", one_way());
            None
        }
    };
    let siblings = body.siblings.unwrap_or(false);
    faults.finish(target.zip(reason).map(|(target, reason)| (target, Revoke { reason, siblings })))
}

fn one_way() -> Invalid {
    Invalid::new(
        "ambiguous_certificate",
        "The certificate is not named in one way.",
        "Give either `certificate` (PEM), or `serial` and `ca`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_in_one_way() {
        let read = |text: &str| named(serde_json::from_str(text).unwrap()).map(|(target, _)| target);
        assert_eq!(read(r#"{"certificate":"x"}"#).unwrap(), RevocationTarget::Certificate(b"x".to_vec()));
        assert!(matches!(read(r#"{"serial":"0a:0b","ca":"issuing"}"#), Ok(RevocationTarget::Serial(..))));
        for wrong in [r#"{}"#, r#"{"serial":"0a"}"#, r#"{"ca":"x"}"#, r#"{"certificate":"x","serial":"0a","ca":"x"}"#] {
            assert_eq!(read(wrong).unwrap_err().document().code, "ambiguous_certificate", "{wrong}");
        }
        assert_eq!(read(r#"{"serial":"zz","ca":"issuing"}"#).unwrap_err().document().errors[0].pointer, "/serial");
    }
}
