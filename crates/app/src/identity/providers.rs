//! Making, changing and deleting identity providers. Whoever may do it decides who else comes in.

use super::keys::KeySet;
use crate::audit::Target;
use crate::change::{Change, check_if_match, name_conflict, require_if_match, too_many};
use crate::{App, Call, Error, OutboundError, Permission, Pointed};
use certwright_domain::access::PrincipalReference;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::IdentityProviderId;
use certwright_domain::identity::{IdentityProvider, KeySource, MAX_PROVIDERS, ProviderSettings, RawProvider};
use certwright_domain::name::Reference;
use certwright_domain::principal::PrincipalName;
use certwright_domain::violation::Invalid;
use certwright_store::{Page, PageRequest, Queries};

/// An identity provider to be made, as text.
pub type NewIdentityProvider = RawProvider;

impl App {
    /// Makes an identity provider.
    pub async fn create_identity_provider(&self, call: &Call, raw: RawProvider) -> Result<IdentityProvider, Error> {
        self.may(call, Permission::IdentityProviderManage, "identity provider")?;
        let settings = self.read_settings(raw)?;
        let now = self.now();
        let id = IdentityProviderId::new(now, self.inner.id_entropy());
        let provider = IdentityProvider { id, settings, created_at: now, revision: 1 };
        let mut change = self.inner.begin_change(call, "identity-provider.create").await?;
        if change.count_identity_providers().await? >= MAX_PROVIDERS {
            return Err(too_many("too_many_identity_providers", "identity providers", MAX_PROVIDERS));
        }
        self.may_hand_out_by_rules(&mut change, call, &provider.settings).await?;
        let inserted = change.insert_identity_provider(&provider).await;
        inserted.map_err(|error| name_conflict(error, "identity provider", provider.settings.name()))?;
        self.finish_provider(call, "identity-provider.create", change, &provider).await?;
        Ok(provider)
    }

    /// Identity providers by name.
    pub async fn identity_providers(&self, call: &Call, page: &PageRequest) -> Result<Page<IdentityProvider>, Error> {
        self.may(call, Permission::IdentityProviderRead, "identity provider")?;
        Ok(self.inner.store.read().await?.identity_providers(page).await?)
    }

    /// One identity provider.
    pub async fn identity_provider(&self, call: &Call, provider: &Reference) -> Result<IdentityProvider, Error> {
        self.may(call, Permission::IdentityProviderRead, "identity provider")?;
        find(&mut *self.inner.store.read().await?, provider).await
    }

    /// Replaces an identity provider; `if_match` is required. Kind, issuer and where the keys come from stay: another
    /// issuer is another provider. An empty name leaves the name as it is.
    pub async fn replace_identity_provider(
        &self,
        call: &Call,
        provider: &Reference,
        mut raw: RawProvider,
        if_match: Option<i64>,
    ) -> Result<IdentityProvider, Error> {
        self.may(call, Permission::IdentityProviderManage, "identity provider")?;
        let mut change = self.inner.begin_change(call, "identity-provider.replace").await?;
        let before = find(&mut **change, provider).await?;
        require_if_match(if_match, before.revision)?;
        let was = before.settings.to_raw();
        if raw.name.is_empty() {
            raw.name = was.name;
        }
        raw.kind = raw.kind.or(was.kind);
        raw.issuer = raw.issuer.or(was.issuer);
        if raw.jwks_uri.is_none() && raw.jwks.is_none() {
            (raw.jwks_uri, raw.jwks) = (was.jwks_uri, was.jwks);
        }
        let settings = self.read_settings(raw)?;
        check_fixed(&before.settings, &settings)?;
        let mut after = IdentityProvider { settings, ..before.clone() };
        if after == before {
            change.undo().await?;
            return Ok(before);
        }
        self.may_hand_out_by_rules(&mut change, call, &after.settings).await?;
        let updated = change.update_identity_provider(&after).await;
        updated.map_err(|error| name_conflict(error, "identity provider", after.settings.name()))?;
        self.finish_provider(call, "identity-provider.replace", change, &after).await?;
        after.revision = after.revision.saturating_add(1);
        Ok(after)
    }

    /// Deletes an identity provider; `if_match` is checked when given. Nobody comes in by it any more, and tokens that
    /// were given for its tokens end.
    pub async fn delete_identity_provider(
        &self,
        call: &Call,
        provider: &Reference,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        self.may(call, Permission::IdentityProviderManage, "identity provider")?;
        let mut change = self.inner.begin_change(call, "identity-provider.delete").await?;
        let provider = find(&mut **change, provider).await?;
        check_if_match(if_match, provider.revision)?;
        change.delete_identity_provider(&provider.id, provider.revision).await?;
        self.finish_provider(call, "identity-provider.delete", change, &provider).await
    }

    fn read_settings(&self, raw: RawProvider) -> Result<ProviderSettings, Error> {
        let settings = ProviderSettings::new(raw).map_err(|faults| {
            Error::Invalid(faults.into_iter().map(|(pointer, invalid)| Pointed::at(pointer, invalid)).collect())
        })?;
        match settings.keys() {
            KeySource::Static(text) => {
                KeySet::parse_own(text).map_err(|invalid| Error::invalid("/jwks", invalid))?;
            }
            KeySource::Discovery(url) => self.check_source("/issuer", url)?,
            KeySource::Url(url) => self.check_source("/jwksUri", url)?,
        }
        Ok(settings)
    }

    fn check_source(&self, pointer: &str, url: &HttpUrl) -> Result<(), Error> {
        match self.inner.outbound.check(url) {
            Ok(()) => Ok(()),
            Err(OutboundError::Denied(denied)) => Err(Error::invalid(
                pointer,
                Invalid::new(
                    "address_not_allowed",
                    format!("Keys are not fetched from {}: {denied}.", url.host()),
                    "Use a public address, have its range added to `allowed_ranges` under `[egress]`, or give the keys \
                     as `jwks`.",
                ),
            )),
            Err(other) => {
                Err(Error::invalid(pointer, Invalid::new("invalid_url", other.to_string(), "Use another URL.")))
            }
        }
    }

    async fn may_hand_out_by_rules(
        &self,
        change: &mut Change<'_>,
        call: &Call,
        settings: &ProviderSettings,
    ) -> Result<(), Error> {
        for (index, rule) in settings.rules().iter().enumerate() {
            self.may_hand_out(change, call, &format!("/rules/{index}/groups"), &rule.groups).await?;
        }
        Ok(())
    }

    /// Nobody puts others into a group who does not have all that the group has.
    pub(super) async fn may_hand_out(
        &self,
        change: &mut Change<'_>,
        call: &Call,
        pointer: &str,
        groups: &[PrincipalName],
    ) -> Result<(), Error> {
        let mut found = Vec::with_capacity(groups.len());
        for (place, name) in groups.iter().enumerate() {
            let Some(group) = change.group(&PrincipalReference::from(name)).await? else {
                return Err(Error::invalid(
                    format!("{pointer}/{place}"),
                    Invalid::new(
                        "unknown_group",
                        format!("There is no group `{name}`."),
                        format!("Make it with POST /v1/groups {{\"name\": \"{name}\"}}."),
                    ),
                ));
            };
            found.push(group);
        }
        self.may_admit(&mut ***change, call, &found).await
    }

    async fn finish_provider(
        &self,
        call: &Call,
        action: &'static str,
        mut change: Change<'_>,
        provider: &IdentityProvider,
    ) -> Result<(), Error> {
        let settings = &provider.settings;
        let audiences = settings.audiences().join(" ");
        let rules: Vec<String> = settings.to_raw().rules.iter().map(|rule| format!("{:?}", rule.claims)).collect();
        let details = [
            ("issuer", settings.issuer()),
            ("audiences", audiences.as_str()),
            ("enabled", if settings.enabled() { "true" } else { "false" }),
            ("rules", &rules.join(" ")),
        ];
        let target = Target { kind: "identity-provider", id: provider.id.as_str(), name: settings.name().as_str() };
        change.insert_audit(&self.inner.audit(call, action, target, &details)).await?;
        change.commit().await
    }
}

pub(super) async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<IdentityProvider, Error> {
    let found = queries.identity_provider(reference).await?;
    found.ok_or_else(|| Error::not_found("identity provider", reference))
}

/// Whose tokens they are, and who says which keys are the issuer's, is decided once.
fn check_fixed(before: &ProviderSettings, after: &ProviderSettings) -> Result<(), Error> {
    let keys_stay = match (before.keys(), after.keys()) {
        (KeySource::Static(_), KeySource::Static(_)) => true,
        (one, other) => one == other,
    };
    let changed = [
        (before.kind() != after.kind(), "/kind"),
        (before.issuer() != after.issuer(), "/issuer"),
        (!keys_stay, "/jwksUri"),
    ];
    match changed.into_iter().find(|(changed, _)| *changed) {
        None => Ok(()),
        Some((_, pointer)) => Err(Error::conflict(
            "immutable",
            format!("`{}` of an identity provider cannot be changed.", pointer.trim_start_matches('/')),
            "Make another identity provider, and delete this one.",
        )),
    }
}
