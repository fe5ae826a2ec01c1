//! `PATCH`: settings take effect at once, what the certificate is to be at its next version.

use super::ensure::refuse_unless_open;
use super::read::{find, shown_version};
use super::wish::{settings_for, wish_reference};
use super::{CertificateView, UpdateCertificate, WishRequest};
use crate::change::require_if_match;
use crate::{App, Call, Error, Permission};
use certwright_domain::managed::{CertificateState, ManagedCertificate, Wish};
use certwright_domain::name::Reference;
use certwright_domain::time::Span;
use certwright_domain::violation::{Invalid, Verdict};

impl App {
    /// Changes a certificate; `if_match` is required. A wish that its CA would refuse today is refused now.
    pub async fn update_certificate(
        &self,
        call: &Call,
        reference: &Reference,
        update: UpdateCertificate,
        if_match: Option<i64>,
    ) -> Result<CertificateView, Error> {
        let updated = self.update_unaudited(call, reference, update, if_match).await;
        let name = reference.to_string();
        self.note_if_refused(call, "managed-certificate.update", ("certificate", &name), updated)
    }

    async fn update_unaudited(
        &self,
        call: &Call,
        reference: &Reference,
        update: UpdateCertificate,
        if_match: Option<i64>,
    ) -> Result<CertificateView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateManage, reference).await?;
        let mut read = self.inner.store.read().await?;
        let before = find(&mut *read, reference).await?;
        refuse_unless_open(&before)?;
        require_if_match(if_match, before.revision)?;
        let current = shown_version(&mut *read, &before).await?;
        drop(read);
        let mut after = before.clone();
        let mut changes: Vec<(&'static str, String)> = Vec::new();
        if let Some(name) = update.name.clone().filter(|name| *name != before.name) {
            changes.push(("name", name.to_string()));
            after.name = name;
        }
        if let Some(enabled) = update.enabled {
            after.state = if enabled { CertificateState::Active } else { CertificateState::Disabled };
        }
        if let Some(exportable) = update.exportable {
            after.exportable = exportable;
        }
        if let Some(renewal) = &update.renewal {
            let lifetime = current.as_ref().map_or(Span::ZERO, |version| version.validity.length());
            after.renewal = settings_for(renewal, lifetime)?;
        }
        let verdicts = self.change_wish(call, &update, &mut after).await?;
        if after.state != before.state {
            changes.push(("state", after.state.to_string()));
        }
        if after.exportable != before.exportable {
            changes.push(("exportable", after.exportable.to_string()));
        }
        if after.renewal != before.renewal {
            changes.push(("renewal", described(&after)));
        }
        if after.wish != before.wish {
            changes.push(("wish", "changed; takes effect at the next version".to_owned()));
        }
        self.schedule(&mut after, current.as_ref());
        if changes.is_empty() {
            return self.view(&mut *self.inner.store.read().await?, before).await;
        }
        let details: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut view = self.write_settings(call, after, "managed-certificate.update", &details).await?;
        view.verdicts = verdicts;
        Ok(view)
    }

    async fn change_wish(
        &self,
        call: &Call,
        update: &UpdateCertificate,
        after: &mut ManagedCertificate,
    ) -> Result<Vec<Verdict>, Error> {
        let UpdateCertificate { ca, profile, subject, names, key_algorithm, validity, .. } = update;
        let untouched = ca.is_none()
            && profile.is_none()
            && subject.is_none()
            && names.is_none()
            && key_algorithm.is_none()
            && validity.is_none();
        if untouched {
            return Ok(Vec::new());
        }
        let Some(before) = &after.wish else {
            return Err(Error::invalid(
                "",
                Invalid::new(
                    "certificate_imported",
                    format!("Certificate {} was imported; what it is stands in its certificate.", after.name),
                    "Import its successor, or leave these fields out.",
                ),
            ));
        };
        let (ca_before, profile_before) = wish_reference(before)?;
        let asked = WishRequest {
            ca: ca.clone().unwrap_or(ca_before),
            profile: Some(profile.clone().unwrap_or(profile_before)),
            subject: subject.clone().or_else(|| before.subject.clone()),
            names: names.clone().or_else(|| before.names.clone()),
            key_algorithm: key_algorithm.or(before.key_algorithm),
            validity: validity.unwrap_or(before.validity),
            csr: before.csr.clone(),
        };
        let wish: Wish = self.resolve_wish(call, &asked).await?;
        let (ca, profile) = wish_reference(&wish)?;
        let leaf = self.sample_leaf(&wish, wish.renewed_validity(None)).await?;
        let judged = self.judge_leaf(call, &ca, &profile, leaf).await?;
        let lifetime = judged.outcome.map_err(Error::Rejected)?.validity().length();
        refuse_rule_that_does_not_fit(after, lifetime)?;
        after.wish = Some(wish);
        Ok(judged.verdicts)
    }
}

/// A shorter lifetime may leave no room for the rule that is there.
fn refuse_rule_that_does_not_fit(certificate: &ManagedCertificate, lifetime: Span) -> Result<(), Error> {
    let rule = certificate.renewal.rule;
    let (interval, advance) = (rule.and_then(|rule| rule.interval()), rule.and_then(|rule| rule.advance_period()));
    certwright_domain::managed::rule_for(interval, advance, lifetime)
        .map(drop)
        .map_err(|invalid| Error::invalid("/renewal", invalid))
}

fn described(certificate: &ManagedCertificate) -> String {
    let rule = certificate.renewal.rule;
    let part = |span: Option<Span>| span.map_or_else(|| "-".to_owned(), |span| span.to_string());
    format!(
        "interval {} advancePeriod {} automatic {} key {}",
        part(rule.and_then(|rule| rule.interval())),
        part(rule.and_then(|rule| rule.advance_period())),
        certificate.renewal.automatic,
        certificate.renewal.key
    )
}
