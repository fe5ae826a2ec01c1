//! Bodies about CAs to the types of the use cases.

use super::{import, publication, revocation};
use crate::parse::Faults;
use crate::problem::Problem;
use certwright_app::{App, Install, NewCa, NewCaKind, NewRules, OwnKey, RenewCa, UpdateCa};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{CaRenewal, CaRenewalKey, CaType, RevocationSettings};
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::publication::Publication;
use certwright_domain::time::Span;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;

/// A CA to be made; every fault is listed, also fields that do not belong to the type.
pub(super) async fn new_ca(app: &App, mut body: wire::NewCa) -> Result<NewCa, Problem> {
    let brought = match CaType::parse(&body.ca_type) {
        Ok(CaType::Imported) => Some(import::read(app, &mut body).await?),
        _ => None,
    };
    parsed(body, brought)
}

/// The same with what was brought along, read before.
fn parsed(body: wire::NewCa, brought: Option<import::Read>) -> Result<NewCa, Problem> {
    let exportable = body.exportable.unwrap_or(false);
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let rules = rules(&mut faults, body.rules.as_ref());
    let renewal = body.renewal.as_ref().map_or(Some(None), |rule| renewal(&mut faults, rule));
    let rules = rules.zip(renewal).map(|(rules, renewal)| NewRules { renewal, ..rules });
    let revocation = revocation::revocation(&mut faults, body.revocation.as_ref(), RevocationSettings::default());
    let publication = elsewhere(&mut faults, body.revocation.as_ref());
    let ca_type = faults.take("/type", CaType::parse(&body.ca_type));
    let kind = ca_type.and_then(|ca_type| {
        refuse_foreign_fields(&mut faults, ca_type, &body);
        kind(&mut faults, ca_type, body, brought)
    });
    let parts = name.zip(kind).zip(rules.zip(revocation)).zip(publication);
    faults.finish(parts.map(|(((name, kind), (rules, revocation)), publication)| NewCa {
        name,
        kind,
        rules,
        revocation,
        publication: publication.flatten(),
        exportable,
    }))
}

/// A change; `settings` are the revocation settings that a partial change is laid over.
pub(super) fn update_ca(body: &wire::UpdateCa, settings: Option<RevocationSettings>) -> Result<UpdateCa, Problem> {
    let mut faults = Faults::default();
    let name = faults.optional("/name", body.name.as_deref(), ResourceName::parse);
    let leaf = body.rules.as_ref().and_then(|rules| rules.leaf_max_validity.as_deref());
    let leaf = faults.optional("/rules/leafMaxValidity", leaf, Span::parse);
    let subordinate = body.rules.as_ref().and_then(|rules| rules.subordinate_max_validity.as_deref());
    let subordinate = faults.optional("/rules/subordinateMaxValidity", subordinate, Span::parse);
    let changed = settings.map(|settings| revocation::revocation(&mut faults, body.revocation.as_ref(), settings));
    let revocation = match changed {
        None => Some(None),
        Some(parsed) => parsed.map(Some),
    };
    let publication = elsewhere(&mut faults, body.revocation.as_ref());
    let renewal = match &body.renewal {
        None => Some(None),
        Some(rule) => renewal(&mut faults, rule).map(Some),
    };
    let parts = name.zip(leaf).zip(subordinate.zip(revocation)).zip(renewal.zip(publication));
    faults.finish(parts.map(
        |(((name, leaf_max_validity), (subordinate_max_validity, revocation)), (renewal, publication))| UpdateCa {
            renewal,
            publication,
            name,
            leaf_max_validity,
            subordinate_max_validity,
            enabled: body.enabled,
            revocation,
        },
    ))
}

/// A renewal.
pub(super) fn renew_ca(body: &wire::RenewCa) -> Result<RenewCa, Problem> {
    let mut faults = Faults::default();
    let validity = faults.optional_validity("/validity", body.validity.as_ref());
    let rotate_key = match body.key.as_deref() {
        None | Some("KEEP") => false,
        Some("ROTATE") => true,
        Some(other) => {
            let detail = format!("`{}` is not a way to renew the key.", other.escape_debug());
            faults.note("/key", Invalid::new("invalid_key_renewal", detail, "Choose one of: KEEP ROTATE"));
            false
        }
    };
    let make_current = body.make_current.unwrap_or(true);
    faults.finish(validity.map(|validity| RenewCa { validity, rotate_key, make_current }))
}

/// A certificate signed elsewhere.
pub(super) fn install(body: wire::InstallCa) -> Install {
    Install { certificate: body.certificate.into_bytes(), chain: body.chain.unwrap_or_default().into_bytes() }
}

fn kind(faults: &mut Faults, ca_type: CaType, body: wire::NewCa, brought: Option<import::Read>) -> Option<NewCaKind> {
    match ca_type {
        CaType::Root => {
            let key = own_key(faults, &body);
            let validity = faults.optional_validity("/validity", body.validity.as_ref());
            key.zip(validity).map(|(key, validity)| NewCaKind::Root(key, validity))
        }
        CaType::Subordinate => {
            let key = own_key(faults, &body);
            let validity = faults.optional_validity("/validity", body.validity.as_ref());
            let issuer = reference(faults, "/issuer", body.issuer.as_deref());
            let parts = key.zip(validity).zip(issuer);
            parts.map(|((key, validity), issuer)| NewCaKind::Subordinate(key, validity, issuer))
        }
        CaType::SubordinateExternal => own_key(faults, &body).map(NewCaKind::SubordinateExternal),
        CaType::ExternalRoot => {
            let certificate = faults.required("/certificate", body.certificate);
            certificate.map(|pem| NewCaKind::ExternalRoot(pem.expose().as_bytes().to_vec()))
        }
        CaType::Imported => import::imported(faults, body, brought).map(NewCaKind::Imported),
    }
}

fn own_key(faults: &mut Faults, body: &wire::NewCa) -> Option<OwnKey> {
    let vault = reference(faults, "/vault", body.vault.as_deref());
    let key = reference(faults, "/key", body.key.as_deref());
    let subject = faults.required("/subject", body.subject.as_ref());
    let subject = subject.and_then(|subject| faults.subject("/subject", subject));
    let algorithm = signature_algorithm(faults, body);
    let parts = vault.zip(key).zip(subject.zip(algorithm));
    parts.map(|((vault, key), (subject, signature_algorithm))| OwnKey { vault, key, subject, signature_algorithm })
}

pub(super) fn signature_algorithm(faults: &mut Faults, body: &wire::NewCa) -> Option<Option<SignatureAlgorithm>> {
    faults.optional("/signatureAlgorithm", body.signature_algorithm.as_deref(), SignatureAlgorithm::parse)
}

pub(super) fn reference(faults: &mut Faults, pointer: &str, given: Option<&str>) -> Option<Reference> {
    let given = faults.required(pointer, given)?;
    faults.take(pointer, Reference::parse(given))
}

/// Fields that this type has no use for are refused: silently dropping one would make another CA than was asked for.
fn refuse_foreign_fields(faults: &mut Faults, ca_type: CaType, body: &wire::NewCa) {
    use CaType as T;
    let ours = matches!(ca_type, T::Root | T::Subordinate | T::SubordinateExternal);
    let signed_by_us = matches!(ca_type, T::Root | T::Subordinate);
    let keyed = ca_type != T::ExternalRoot;
    let imported = ca_type == T::Imported;
    let rules = body.rules.as_ref();
    let fields = [
        ("/vault", body.vault.is_some(), keyed),
        ("/key", body.key.is_some(), keyed),
        ("/signatureAlgorithm", body.signature_algorithm.is_some(), keyed),
        ("/subject", body.subject.is_some(), ours),
        ("/validity", body.validity.is_some(), signed_by_us),
        ("/issuer", body.issuer.is_some(), ca_type == T::Subordinate),
        ("/certificate", body.certificate.is_some(), !ours),
        ("/chain", body.chain.is_some(), imported),
        ("/privateKey", body.private_key.is_some(), imported),
        ("/passphrase", body.passphrase.is_some(), imported),
        ("/pkcs12", body.pkcs12.is_some(), imported),
        ("/password", body.password.is_some(), imported),
        ("/usedSerials", body.used_serials.is_some(), imported),
        ("/opensslIndex", body.openssl_index.is_some(), imported),
        ("/crlNumber", body.crl_number.is_some(), imported),
        ("/exportable", body.exportable.is_some(), keyed),
        ("/rules/pathLength", rules.is_some_and(|rules| rules.path_length.is_some()), ours),
        ("/rules/nameConstraints", rules.is_some_and(|rules| rules.name_constraints.is_some()), ours),
    ];
    for (pointer, _, _) in fields.into_iter().filter(|(_, given, belongs)| *given && !belongs) {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        let detail = format!("The field `{name}` does not belong to a CA of type {ca_type}.");
        faults.note(pointer, Invalid::new("field_not_applicable", detail, "Leave it out."));
    }
}

fn rules(faults: &mut Faults, rules: Option<&wire::NewCaRules>) -> Option<NewRules> {
    let Some(rules) = rules else { return Some(NewRules::default()) };
    let leaf = faults.optional("/rules/leafMaxValidity", rules.leaf_max_validity.as_deref(), Span::parse);
    let subordinate =
        faults.optional("/rules/subordinateMaxValidity", rules.subordinate_max_validity.as_deref(), Span::parse);
    let constraints = match &rules.name_constraints {
        None => Some(None),
        Some(constraints) => name_constraints(faults, constraints).map(Some),
    };
    let parts = leaf.zip(subordinate).zip(constraints);
    parts.map(|((leaf_max_validity, subordinate_max_validity), name_constraints)| NewRules {
        leaf_max_validity,
        subordinate_max_validity,
        path_length: rules.path_length,
        name_constraints,
        renewal: None,
    })
}

/// What is said of publication elsewhere; inside, `None` where nothing is said.
fn elsewhere(faults: &mut Faults, revocation: Option<&wire::UpdateRevocation>) -> Option<Option<Option<Publication>>> {
    match revocation.and_then(|revocation| revocation.publication.as_ref()) {
        None => Some(None),
        Some(wish) => publication::publication(faults, wish).map(Some),
    }
}

/// A renewal rule; inside, `None` for one that is switched off.
fn renewal(faults: &mut Faults, rule: &wire::CaRenewal) -> Option<Option<CaRenewal>> {
    if rule.enabled == Some(false) {
        return Some(None);
    }
    let advance = faults.optional("/renewal/advancePeriod", rule.advance_period.as_deref(), Span::parse);
    let key = faults.optional("/renewal/key", rule.key.as_deref(), CaRenewalKey::parse);
    let after = faults.optional("/renewal/makeCurrentAfter", rule.make_current_after.as_deref(), Span::parse);
    let ((advance, key), make_current_after) = advance.zip(key).zip(after)?;
    Some(Some(CaRenewal {
        key: key.unwrap_or(CaRenewalKey::Same),
        advance_period: advance.unwrap_or(Span::ZERO),
        make_current_after,
    }))
}

fn name_constraints(faults: &mut Faults, constraints: &wire::NameConstraints) -> Option<NameConstraints> {
    const POINTER: &str = "/rules/nameConstraints";
    let permitted = subtrees(faults, &format!("{POINTER}/permitted"), constraints.permitted.as_ref());
    let excluded = subtrees(faults, &format!("{POINTER}/excluded"), constraints.excluded.as_ref());
    let (permitted, excluded) = permitted.zip(excluded)?;
    faults.take(POINTER, NameConstraints::parse(permitted, excluded))
}

fn subtrees(faults: &mut Faults, pointer: &str, subtrees: Option<&wire::Subtrees>) -> Option<RawSubtrees> {
    let Some(subtrees) = subtrees else { return Some(RawSubtrees::default()) };
    let directory: Vec<_> = subtrees
        .directory
        .iter()
        .enumerate()
        .map(|(index, name)| faults.subject(&format!("{pointer}/directory/{index}"), name))
        .collect();
    Some(RawSubtrees {
        dns: subtrees.dns.clone(),
        ip: subtrees.ip.clone(),
        email: subtrees.email.clone(),
        uri: subtrees.uri.clone(),
        directory: directory.into_iter().collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_domain::ca::OcspResponderKind;

    fn faults_of(text: &str) -> Vec<(String, String)> {
        match parsed(serde_json::from_str(text).unwrap(), None) {
            Ok(_) => Vec::new(),
            Err(problem) => {
                problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
            }
        }
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn each_type_has_its_fields() {
        assert_eq!(
            faults_of(r#"{"name":"r","type":"ROOT","vault":"v","key":"k","issuer":null,"subject":{"commonName":"r"}}"#),
            []
        );
        assert_eq!(
            faults_of(r#"{"name":"r","type":"SUBORDINATE"}"#),
            pairs(&[
                ("/vault", "missing_field"),
                ("/key", "missing_field"),
                ("/subject", "missing_field"),
                ("/issuer", "missing_field"),
            ])
        );
        assert_eq!(
            faults_of(
                r#"{"name":"r","type":"EXTERNAL_ROOT","certificate":"x","vault":"v","validity":{},"rules":{"pathLength":1}}"#
            ),
            pairs(&[
                ("/vault", "field_not_applicable"),
                ("/validity", "field_not_applicable"),
                ("/rules/pathLength", "field_not_applicable"),
            ])
        );
        assert_eq!(
            faults_of(r#"{"name":"a b","type":"TOP"}"#),
            pairs(&[("/name", "invalid_name"), ("/type", "invalid_ca_type")])
        );
    }

    #[test]
    fn faults_in_rules_are_found_with_the_others() {
        let found = faults_of(
            r#"{"name":"r","type":"ROOT","vault":"v","key":"k","subject":{"country":"Korea"},
                "rules":{"leafMaxValidity":"P1Y","nameConstraints":{"permitted":{"directory":[{"x":"y"}]}}},
                "revocation":{"crl":{"lifetime":"soon"}}}"#,
        );
        let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        let expected = [
            "/rules/leafMaxValidity",
            "/rules/nameConstraints/permitted/directory/0/x",
            "/revocation/crl/lifetime",
            "/subject/country",
        ];
        assert_eq!(pointers, expected);
    }

    #[test]
    fn a_partial_change_of_revocation_keeps_the_rest() {
        let body = serde_json::from_str(r#"{"revocation":{"crl":{"enabled":false}}}"#).unwrap();
        let before = RevocationSettings {
            crl_lifetime: Span::from_days(3),
            ocsp_enabled: true,
            ocsp_responder: OcspResponderKind::Ca,
            ..RevocationSettings::default()
        };
        let after = update_ca(&body, Some(before)).unwrap().revocation.unwrap();
        assert_eq!(after, RevocationSettings { crl_enabled: false, ..before });
        assert_eq!(update_ca(&wire::UpdateCa::default(), None).unwrap(), UpdateCa::default());
    }

    #[test]
    fn renewals_say_what_happens_to_the_key() {
        let renew = |text: &str| renew_ca(&serde_json::from_str(text).unwrap());
        assert!(!renew("{}").unwrap().rotate_key);
        assert!(renew("{}").unwrap().make_current);
        assert!(renew(r#"{"key":"ROTATE"}"#).unwrap().rotate_key);
        assert_eq!(renew(r#"{"key":"NEW"}"#).unwrap_err().document().errors[0].pointer, "/key");
    }
}
