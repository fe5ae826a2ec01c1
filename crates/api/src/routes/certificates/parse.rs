//! Bodies about managed certificates to the types of the use cases.

use super::name_in_path;
use crate::parse::Faults;
use crate::problem::Problem;
use certwright_app::{
    App, Brought, CertificateRequest, Content, Error, RenewCertificate, RenewalRequest, UpdateCertificate, WishRequest,
};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::managed::RenewalKey;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Span;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;

/// A certificate as it is to be; `path`: the name that the path of `PUT` says.
pub(super) async fn spec(
    app: &App,
    path: Option<&str>,
    mut body: wire::CertificateSpec,
) -> Result<CertificateRequest, Problem> {
    let mut faults = Faults::default();
    let name = match path {
        Some(path) => {
            let name = name_in_path(path)?;
            if body.name.as_deref().is_some_and(|other| other != name.as_str()) {
                let detail = "The name in the body is not the name in the path.";
                faults.note("/name", Invalid::new("contradicting_fields", detail, "Leave `name` out of the body."));
            }
            Some(name)
        }
        None => faults.required("/name", body.name.as_deref()).and_then(|name| faults.name("/name", name)),
    };
    let content = match body.import.take() {
        Some(import) => imported(app, &mut faults, import, &body).await?,
        None => wished(&mut faults, &body).map(Content::Wished),
    };
    let renewal = optional_renewal(&mut faults, body.renewal.as_ref());
    let version_name = faults.optional("/versionName", body.version_name.as_deref(), ResourceName::parse);
    let pending = pending(&mut faults, body.stage.as_deref());
    let parts = name.zip(content).zip(renewal).zip(version_name.zip(pending));
    faults.finish(parts.map(|(((name, content), renewal), (version_name, pending))| CertificateRequest {
        name,
        content,
        renewal,
        exportable: body.exportable.unwrap_or(false),
        version_name,
        pending,
    }))
}

/// A change.
pub(super) fn update(body: &wire::UpdateCertificate) -> Result<UpdateCertificate, Problem> {
    let mut faults = Faults::default();
    let name = faults.optional("/name", body.name.as_deref(), ResourceName::parse);
    let renewal = match &body.renewal {
        None => Some(None),
        Some(rule) => renewal(&mut faults, rule).map(Some),
    };
    let ca = faults.optional("/ca", body.ca.as_deref(), Reference::parse);
    let profile = faults.optional("/profile", body.profile.as_deref(), Reference::parse);
    let subject = faults.optional_subject("/subject", body.subject.as_ref());
    let names = faults.optional_names("/names", body.names.as_deref());
    let key_algorithm = faults.optional("/keyAlgorithm", body.key_algorithm.as_deref(), KeyAlgorithm::parse);
    let validity = match &body.validity {
        None => Some(None),
        Some(validity) => faults.validity("/validity", validity).map(Some),
    };
    let parts = name.zip(renewal).zip(ca.zip(profile)).zip(subject.zip(names)).zip(key_algorithm.zip(validity));
    faults.finish(parts.map(|((((name, renewal), (ca, profile)), (subject, names)), (key_algorithm, validity))| {
        UpdateCertificate {
            name,
            enabled: body.enabled,
            exportable: body.exportable,
            renewal,
            ca,
            profile,
            subject,
            names,
            key_algorithm,
            validity,
        }
    }))
}

/// A new version on request.
pub(super) fn renew(body: wire::RenewCertificate) -> Result<RenewCertificate, Problem> {
    let mut faults = Faults::default();
    let key = faults.optional("/key", body.key.as_deref(), RenewalKey::parse);
    let version_name = faults.optional("/versionName", body.version_name.as_deref(), ResourceName::parse);
    let pending = pending(&mut faults, body.stage.as_deref());
    let parts = key.zip(version_name).zip(pending);
    faults.finish(parts.map(|((key, version_name), pending)| RenewCertificate {
        csr: body.csr.map(String::into_bytes),
        reuse_csr: body.reuse_csr.unwrap_or(false),
        key,
        version_name,
        pending,
    }))
}

fn wished(faults: &mut Faults, body: &wire::CertificateSpec) -> Option<WishRequest> {
    let ca = faults.required("/ca", body.ca.as_deref());
    let ca = ca.and_then(|ca| faults.take("/ca", Reference::parse(ca)));
    let profile = faults.optional("/profile", body.profile.as_deref(), Reference::parse);
    let subject = faults.optional_subject("/subject", body.subject.as_ref());
    let names = faults.optional_names("/names", body.names.as_deref());
    let key_algorithm = faults.optional("/keyAlgorithm", body.key_algorithm.as_deref(), KeyAlgorithm::parse);
    let validity = faults.optional_validity("/validity", body.validity.as_ref());
    let parts = ca.zip(profile).zip(subject.zip(names)).zip(key_algorithm.zip(validity));
    parts.map(|(((ca, profile), (subject, names)), (key_algorithm, validity))| WishRequest {
        ca,
        profile,
        subject,
        names,
        key_algorithm,
        validity,
        csr: body.csr.clone().map(String::into_bytes),
    })
}

async fn imported(
    app: &App,
    faults: &mut Faults,
    import: wire::ImportCertificate,
    body: &wire::CertificateSpec,
) -> Result<Option<Content>, Problem> {
    for (pointer, given) in [
        ("/ca", body.ca.is_some()),
        ("/profile", body.profile.is_some()),
        ("/subject", body.subject.is_some()),
        ("/names", body.names.is_some()),
        ("/keyAlgorithm", body.key_algorithm.is_some()),
        ("/validity", body.validity.is_some()),
        ("/csr", body.csr.is_some()),
    ] {
        if given {
            let detail = format!("The field `{}` does not belong to an import.", pointer.trim_start_matches('/'));
            faults.note(pointer, Invalid::new("field_not_applicable", detail, "Leave it out."));
        }
    }
    let secret = |text: Option<wire::SecretText>| {
        text.map(|text| certwright_domain::secret::SecretBytes::new(text.expose().as_bytes().to_vec()))
    };
    let brought = Brought {
        certificate: secret(import.certificate),
        chain: import.chain.map(String::into_bytes),
        private_key: secret(import.private_key),
        passphrase: secret(import.passphrase),
        pkcs12: secret(import.pkcs12),
        password: secret(import.password),
    };
    match app.read_brought(brought).await {
        Ok(import) => Ok(Some(Content::Imported(import))),
        Err(Error::Invalid(all)) => {
            all.into_iter().for_each(|one| faults.note(format!("/import{}", one.pointer), one.invalid));
            Ok(None)
        }
        Err(other) => Err(other.into()),
    }
}

fn optional_renewal(faults: &mut Faults, rule: Option<&wire::Renewal>) -> Option<RenewalRequest> {
    rule.map_or(Some(RenewalRequest::default()), |rule| renewal(faults, rule))
}

/// A renewal rule; one that says nothing is refused.
fn renewal(faults: &mut Faults, rule: &wire::Renewal) -> Option<RenewalRequest> {
    if *rule == wire::Renewal::default() {
        let invalid = Invalid::new(
            "invalid_renewal_rule",
            "The renewal rule is empty.",
            "Give `interval`, `advancePeriod` or both; leave `renewal` out to renew after two thirds of the lifetime (half of one under ten days).",
        );
        faults.note("/renewal", invalid);
        return None;
    }
    let interval = faults.optional("/renewal/interval", rule.interval.as_deref(), Span::parse);
    let advance = faults.optional("/renewal/advancePeriod", rule.advance_period.as_deref(), Span::parse);
    let key = faults.optional("/renewal/key", rule.key.as_deref(), RenewalKey::parse);
    let ((interval, advance_period), key) = interval.zip(advance).zip(key)?;
    Some(RenewalRequest { interval, advance_period, automatic: rule.automatic, key })
}

/// Does a new version wait to be made current?
fn pending(faults: &mut Faults, stage: Option<&str>) -> Option<bool> {
    match stage {
        None | Some("CURRENT") => Some(false),
        Some("PENDING") => Some(true),
        Some(other) => {
            let detail = format!("`{}` is not a stage that a new version can have.", other.escape_debug());
            faults.note("/stage", Invalid::new("invalid_stage", detail, "Choose one of: CURRENT PENDING"));
            None
        }
    }
}
