//! Profiles: the built-in ones and operators' own.
use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, name_taken, require_if_match};
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::access::PlacedKind;
use certwright_domain::id::{CompartmentId, ProfileId};
use certwright_domain::name::Reference;
use certwright_domain::ocsp::RESPONDER_PROFILE;
use certwright_domain::profile::{BUILT_IN, Profile, RawProfile, StoredProfile};
use certwright_store::{Page, PageRequest, Queries};

impl App {
    /// Makes a profile; a built-in name is taken.
    pub async fn create_profile(&self, call: &Call, raw: RawProfile) -> Result<StoredProfile, Error> {
        let home = self.may_make(call, Permission::ProfileManage, "profile", CompartmentId::tenancy()).await?;
        let profile = parse(raw)?;
        refuse_built_in_name(&profile)?;
        let now = self.now();
        let stored = StoredProfile {
            id: Some(ProfileId::new(now, self.inner.id_entropy())),
            profile,
            created_at: Some(now),
            revision: 1,
        };
        let mut change = self.inner.begin_change(call, "profile.create").await?;
        let inserted = change.insert_profile(&stored).await;
        inserted.map_err(|error| name_conflict(error, "profile", stored.profile.name()))?;
        change.settle_in(stored.id.as_ref().map_or("", ProfileId::as_str), PlacedKind::Profile, &home).await?;
        change.insert_audit(&self.inner.audit(call, "profile.create", target(&stored), &[])).await?;
        change.commit().await?;
        Ok(stored)
    }

    /// Profiles: on the first page the built-in ones come first.
    pub async fn profiles(&self, call: &Call, page: &PageRequest) -> Result<Page<StoredProfile>, Error> {
        let mut read = self.inner.store.read().await?;
        let (items, next) = match built_in_page(page) {
            BuiltInPage::Within(items, next) => (items, Some(next)),
            BuiltInPage::Last(mut items, rest) => {
                let own = read.profiles(&rest).await?;
                items.extend(own.items);
                (items, own.next)
            }
        };
        let page = Page { items, next };
        self.visible(&mut *read, call, Permission::ProfileList, page).await
    }

    /// One profile.
    pub async fn profile(&self, call: &Call, profile: &Reference) -> Result<StoredProfile, Error> {
        let profile = &self.may_profile(call, Permission::ProfileRead, profile).await?;
        if let Some(built_in) = built_in(profile.as_str()) {
            return Ok(built_in);
        }
        find(&mut *self.inner.store.read().await?, profile).await
    }

    /// Replaces a profile; `if_match` is required ([`Error::PreconditionRequired`]). An empty name, or the reference
    /// itself, leaves the name as it is; another name renames.
    pub async fn replace_profile(
        &self,
        call: &Call,
        profile: &Reference,
        mut raw: RawProfile,
        if_match: Option<i64>,
    ) -> Result<StoredProfile, Error> {
        refuse_built_in(profile)?;
        let stored = self.may_profile(call, Permission::ProfileManage, profile).await?;
        let mut change = self.inner.begin_change(call, "profile.replace").await?;
        let before = find(&mut **change, &stored).await?;
        require_if_match(if_match, before.revision)?;
        if raw.name.is_empty() || raw.name == profile.as_str() {
            raw.name = before.profile.name().as_str().to_owned();
        }
        let mut after = StoredProfile { profile: parse(raw)?, ..before.clone() };
        if after == before {
            change.undo().await?;
            return Ok(before);
        }
        refuse_built_in_name(&after.profile)?;
        let updated = change.update_profile(&after).await;
        updated.map_err(|error| name_conflict(error, "profile", after.profile.name()))?;
        after.revision = after.revision.saturating_add(1);
        let details = [("oldName", before.profile.name().as_str())];
        change.insert_audit(&self.inner.audit(call, "profile.replace", target(&after), &details)).await?;
        change.commit().await?;
        Ok(after)
    }

    /// Deletes a profile; `if_match` is checked when given.
    pub async fn delete_profile(&self, call: &Call, profile: &Reference, if_match: Option<i64>) -> Result<(), Error> {
        refuse_built_in(profile)?;
        let profile = &self.may_profile(call, Permission::ProfileManage, profile).await?;
        let mut change = self.inner.begin_change(call, "profile.delete").await?;
        let stored = find(&mut **change, profile).await?;
        check_if_match(if_match, stored.revision)?;
        change.delete_profile(stored.profile.name(), stored.revision).await?;
        if let Some(id) = &stored.id {
            change.unplace(id.as_str()).await?;
        }
        change.insert_audit(&self.inner.audit(call, "profile.delete", target(&stored), &[])).await?;
        change.commit().await
    }
}

/// Marks cursors that point into the built-in profiles or to the first row behind them. A colon is in no cursor of the
/// store.
const CURSOR: &str = "built-in:";

/// What a page holds of the built-in profiles.
#[derive(Debug, PartialEq, Eq)]
enum BuiltInPage {
    /// Built-in profiles only, and where the next page begins.
    Within(Vec<StoredProfile>, String),
    /// The last of them (or none), and the page of rows that follows.
    Last(Vec<StoredProfile>, PageRequest),
}

fn built_in_page(page: &PageRequest) -> BuiltInPage {
    let skip = match &page.after {
        None => Some(0),
        Some(cursor) => cursor.strip_prefix(CURSOR).and_then(|index| index.parse::<usize>().ok()),
    };
    let Some(skip) = skip else {
        return BuiltInPage::Last(Vec::new(), page.clone());
    };
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let items: Vec<StoredProfile> = BUILT_IN.iter().skip(skip).take(limit).filter_map(|name| built_in(name)).collect();
    match u32::try_from(items.len()).ok().and_then(|count| page.limit.checked_sub(count)) {
        Some(left) if left > 0 => BuiltInPage::Last(items, PageRequest { limit: left, after: None }),
        _ => {
            let next = skip.saturating_add(items.len());
            BuiltInPage::Within(items, format!("{CURSOR}{next}"))
        }
    }
}

fn built_in(name: &str) -> Option<StoredProfile> {
    let profile = Profile::built_in(name)?;
    Some(StoredProfile { id: None, profile, created_at: None, revision: 0 })
}

fn parse(raw: RawProfile) -> Result<Profile, Error> {
    Profile::new(raw).map_err(|faults| {
        Error::Invalid(faults.into_iter().map(|(pointer, invalid)| Pointed::at(pointer, invalid)).collect())
    })
}

pub(crate) async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<StoredProfile, Error> {
    queries.profile(reference).await?.ok_or_else(|| Error::not_found("profile", reference))
}

pub(crate) fn refuse_built_in(reference: &Reference) -> Result<(), Error> {
    if BUILT_IN.contains(&reference.as_str()) {
        return Err(Error::conflict(
            "built_in_profile",
            format!("Profile {reference} is built in and cannot be changed, moved or deleted."),
            "Make a profile of your own and name it in your requests.",
        ));
    }
    Ok(())
}

fn refuse_built_in_name(profile: &Profile) -> Result<(), Error> {
    let name = profile.name().as_str();
    match BUILT_IN.contains(&name) || name == RESPONDER_PROFILE {
        true => Err(name_taken("profile", profile.name())),
        false => Ok(()),
    }
}

fn target(stored: &StoredProfile) -> Target<'_> {
    Target {
        kind: "profile",
        id: stored.id.as_ref().map_or("", ProfileId::as_str),
        name: stored.profile.name().as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(items: &[StoredProfile]) -> Vec<&str> {
        items.iter().map(|item| item.profile.name().as_str()).collect()
    }

    #[test]
    fn walking_with_any_limit_meets_every_built_in_profile_once_and_then_the_rows() {
        for limit in 1..=6_u32 {
            let mut met = Vec::new();
            let mut page = PageRequest { limit, after: None };
            loop {
                match built_in_page(&page) {
                    BuiltInPage::Within(items, next) => {
                        assert!(items.len() <= limit as usize);
                        met.extend(items);
                        page.after = Some(next);
                    }
                    BuiltInPage::Last(items, rest) => {
                        assert_eq!(items.len() + rest.limit as usize, limit as usize);
                        assert_eq!(rest.after, None);
                        met.extend(items);
                        break;
                    }
                }
            }
            assert_eq!(names(&met), BUILT_IN);
        }
    }

    #[test]
    fn cursors_of_the_store_are_passed_on() {
        let page = PageRequest { limit: 3, after: Some("eyJhIjoxfQ".to_owned()) };
        assert_eq!(built_in_page(&page), BuiltInPage::Last(Vec::new(), page));
    }
}
