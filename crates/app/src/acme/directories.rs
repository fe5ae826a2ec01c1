//! Directories: making and changing them, and finding the one that a request came to.

use super::memory::MOST_DIRECTORIES;
use super::problem::{AcmeError, absent};
use crate::access::Giving;
use crate::audit::Target;
use crate::change::{Change, by_id, check_if_match, name_conflict, require_if_match, too_many};
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::acme::{Directory, DirectorySettings, RawDirectory};
use certwright_domain::id::AcmeDirectoryId;
use certwright_domain::name::Reference;
use certwright_domain::violation::Invalid;
use certwright_store::{Page, PageRequest, Queries};
use std::sync::Arc;

/// A directory to be made, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAcmeDirectory {
    /// The CA that is to sign.
    pub ca: Reference,
    /// Everything else.
    pub settings: RawDirectory,
}

impl App {
    /// The directory that a request came to. Disabled ones are absent.
    pub async fn open_acme_directory(&self, name: &str) -> Result<Arc<Directory>, AcmeError> {
        let reference = Reference::parse(name).map_err(|_| absent("directory"))?;
        let (memory, now) = (&self.inner.acme.directories, self.now());
        if let Some(known) = memory.get(name, self.inner.context.epoch(), now) {
            return Ok(known);
        }
        // The epoch first: what is read behind it is no older.
        let mut read = self.inner.store.glance().await?;
        let epoch = read.epoch().await?;
        self.inner.context.note_epoch(epoch);
        if let Some(known) = memory.unchanged(name, epoch) {
            memory.keep(name, epoch, now, &known);
            return Ok(known);
        }
        let found = read.acme_directory(&reference).await?;
        // By its name alone: URLs are names to clients, and there is one for each thing.
        let found = found.filter(|it| it.settings.enabled() && it.settings.name().as_str() == name);
        let found = Arc::new(found.ok_or_else(|| absent("directory"))?);
        memory.keep(name, epoch, now, &found);
        Ok(found)
    }

    /// Makes a directory. Whoever makes one gives away what its CA may sign: nobody gives what they lack.
    pub async fn create_acme_directory(&self, call: &Call, new: NewAcmeDirectory) -> Result<Directory, Error> {
        let settings = read_settings(new.settings)?;
        if !call.caller.is_system() {
            self.seen_ca(&mut *self.inner.store.read().await?, call, &new.ca).await?;
        }
        let ca = self.issuer_for(call, &new.ca).await?.ca.id.clone();
        let now = self.now();
        let id = AcmeDirectoryId::new(now, self.inner.id_entropy());
        let directory = Directory { id, ca, settings, created_at: now, revision: 1 };
        self.may_directory_itself(call, Permission::AcmeDirectoryManage, &directory, None).await?;
        let mut change = self.inner.begin_change(call, "acme-directory.create").await?;
        if change.count_acme_directories().await? >= MOST_DIRECTORIES {
            return Err(too_many("too_many_acme_directories", "ACME directories", MOST_DIRECTORIES));
        }
        self.may_give(&mut change, call, &directory).await?;
        let inserted = change.insert_acme_directory(&directory).await;
        inserted.map_err(|error| name_conflict(error, "ACME directory", directory.settings.name()))?;
        self.finish_directory(call, "acme-directory.create", change, &directory).await?;
        Ok(directory)
    }

    /// What clients are given.
    pub fn acme_directory_url(&self, directory: &Directory) -> String {
        format!("{}/directory", self.inner.settings.acme.base(directory.settings.name().as_str()))
    }

    /// Directories by name.
    pub async fn acme_directories(&self, call: &Call, page: &PageRequest) -> Result<Page<Directory>, Error> {
        let mut read = self.inner.store.read().await?;
        let found = read.acme_directories(page).await?;
        self.visible(&mut *read, call, Permission::AcmeDirectoryList, found).await
    }

    /// One directory.
    pub async fn acme_directory(&self, call: &Call, directory: &Reference) -> Result<Directory, Error> {
        self.may_acme_directory(call, Permission::AcmeDirectoryRead, directory).await
    }

    /// Replaces a directory; `if_match` is required. Its CA stays: another CA is another directory. An empty name leaves the
    /// name as it is.
    pub async fn replace_acme_directory(
        &self,
        call: &Call,
        directory: &Reference,
        mut raw: RawDirectory,
        if_match: Option<i64>,
    ) -> Result<Directory, Error> {
        let found = self.may_acme_directory(call, Permission::AcmeDirectoryManage, directory).await?;
        let mut change = self.inner.begin_change(call, "acme-directory.replace").await?;
        let before = find(&mut **change, &by_id(found.id.as_str())?).await?;
        require_if_match(if_match, before.revision)?;
        if raw.name.is_empty() {
            raw.name = before.settings.name().to_string();
        }
        let mut after = Directory { settings: read_settings(raw)?, ..before.clone() };
        if after == before {
            change.undo().await?;
            return Ok(before);
        }
        self.may_give(&mut change, call, &after).await?;
        let updated = change.update_acme_directory(&after).await;
        updated.map_err(|error| name_conflict(error, "ACME directory", after.settings.name()))?;
        self.finish_directory(call, "acme-directory.replace", change, &after).await?;
        after.revision = after.revision.saturating_add(1);
        Ok(after)
    }

    /// Deletes a directory without accounts; `if_match` is checked when given.
    pub async fn delete_acme_directory(
        &self,
        call: &Call,
        directory: &Reference,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        let found = self.may_acme_directory(call, Permission::AcmeDirectoryManage, directory).await?;
        let mut change = self.inner.begin_change(call, "acme-directory.delete").await?;
        let found = find(&mut **change, &by_id(found.id.as_str())?).await?;
        check_if_match(if_match, found.revision)?;
        // The row first: an account that is being made keeps it, and is waited for. Then nobody makes one any more.
        change.delete_acme_directory(&found.id, found.revision).await?;
        if change.has_acme_accounts(&found.id).await? {
            return Err(Error::conflict(
                "acme_directory_in_use",
                format!("The ACME directory {} has accounts.", found.settings.name()),
                "Disable it instead: PUT it with \"enabled\": false. Its accounts keep what they have, and get nothing new.",
            ));
        }
        self.finish_directory(call, "acme-directory.delete", change, &found).await
    }

    /// A directory that the caller may do this to.
    pub(super) async fn may_acme_directory(
        &self,
        call: &Call,
        permission: Permission,
        reference: &Reference,
    ) -> Result<Directory, Error> {
        let found = find(&mut *self.inner.store.read().await?, reference).await?;
        self.may_directory_itself(call, permission, &found, Some(reference)).await?;
        Ok(found)
    }

    /// May the caller do this to this directory, or, without a reference, where such a one would lie?
    pub(super) async fn may_directory_itself(
        &self,
        call: &Call,
        permission: Permission,
        directory: &Directory,
        reference: Option<&Reference>,
    ) -> Result<(), Error> {
        let compartment = self.inner.store.read().await?.compartment_of(directory.ca.as_str()).await?;
        let object = match reference {
            Some(reference) => crate::access::Object::acme_directory(directory, compartment).called(reference),
            None => crate::access::Object::place("ACME directory", compartment),
        };
        self.authorize(call, permission, &object).map(drop)
    }

    /// Profiles are there, and the caller may have the CA sign whatever it likes.
    async fn may_give(&self, change: &mut Change<'_>, call: &Call, directory: &Directory) -> Result<(), Error> {
        for (index, profile) in directory.settings.profiles().iter().enumerate() {
            let known = certwright_domain::profile::Profile::built_in(profile.as_str()).is_some()
                || change.profile(&by_id(profile.as_str())?).await?.is_some();
            if !known {
                return Err(Error::invalid(
                    format!("/profiles/{index}"),
                    Invalid::new(
                        "unknown_profile",
                        format!("There is no profile `{profile}`."),
                        "GET /v1/profiles lists those that there are.",
                    ),
                ));
            }
        }
        let compartment = change.compartment_of(directory.ca.as_str()).await?;
        self.may_give_signing(&mut ***change, call, &compartment, Giving::Directory).await
    }

    async fn finish_directory(
        &self,
        call: &Call,
        action: &'static str,
        mut change: Change<'_>,
        directory: &Directory,
    ) -> Result<(), Error> {
        let raw = directory.settings.to_raw();
        let (profiles, challenges) = (raw.profiles.join(" "), raw.challenges.join(" "));
        let names = raw.names.map_or_else(String::new, |names| names.join(" "));
        let ranges = raw.allowed_private_ranges.join(" ");
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let details = [
            ("ca", directory.ca.as_str()),
            ("profiles", &profiles),
            ("challenges", &challenges),
            ("names", &names),
            ("allowedPrivateRanges", &ranges),
            ("externalAccountRequired", flag(raw.external_account_required)),
            ("withoutChallenge", flag(raw.without_challenge)),
            ("clientCertificates", flag(raw.client_certificates)),
            ("enabled", flag(raw.enabled)),
        ];
        let name = directory.settings.name().as_str();
        let target = Target { kind: "acme-directory", id: directory.id.as_str(), name };
        change.insert_audit(&self.inner.audit(call, action, target, &details)).await?;
        change.commit().await
    }
}

pub(super) async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<Directory, Error> {
    let found = queries.acme_directory(reference).await?;
    found.ok_or_else(|| Error::not_found("ACME directory", reference))
}

fn read_settings(raw: RawDirectory) -> Result<DirectorySettings, Error> {
    DirectorySettings::new(raw).map_err(|faults| {
        Error::Invalid(faults.into_iter().map(|(pointer, invalid)| Pointed::at(pointer, invalid)).collect())
    })
}
