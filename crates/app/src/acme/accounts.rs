//! Accounts: making, finding, changing, ending them; changing their key (RFC 8555 sections 7.3 to 7.3.6).

use super::problem::{AcmeError, Problem, ProblemKind, absent, refuse};
use super::view::{AcmeCall, AcmeDoor, NewAccount};
use crate::access::AcmeGrant;
use crate::audit::Target;
use crate::jose::Jwk;
use crate::{App, Call, Caller};
use certwright_domain::acme::{Account, AccountState, Authorization, Contact, Directory, Identifier, NameGrant};
use certwright_domain::audit::AuditEvent;
use certwright_domain::id::{AcmeAccountId, IssuedId};
use certwright_domain::identity::AllowedNames;
use certwright_domain::serial::Sha256;
use std::sync::Arc;

impl AcmeDoor {
    /// A caller that has no account, or whose account is about to be made.
    pub(super) fn call(&self, account: Option<&AcmeAccountId>, revocable: Option<IssuedId>) -> Call {
        let settings = &self.directory.settings;
        let grant = AcmeGrant {
            directory: settings.name().to_string(),
            ca: self.directory.ca.clone(),
            profiles: settings.profiles().to_vec(),
            revocable,
        };
        Call { address: self.address, ..Call::new(Caller::acme(account, grant), self.request_id.clone()) }
    }
}

impl AcmeCall {
    /// As the use cases see it.
    pub(super) fn call(&self) -> Call {
        self.door.call(Some(&self.account.id), None)
    }

    /// Does the directory let the account do without a challenge for this name, now: by its binding, or by the certificate
    /// that it shows with this request?
    pub(super) fn needs_no_challenge(&self, identifier: &Identifier) -> bool {
        let settings = &self.door.directory.settings;
        let bound = settings.without_challenge() && self.account.grant.vouches_for(identifier.san());
        bound || self.door.vouched.as_ref().is_some_and(|names| names.allows(identifier.san()))
    }

    /// A proof stays one; leave to do without is gone when the directory does not give it any more.
    pub(super) fn still_counts(&self, authorization: &Authorization) -> bool {
        authorization.proven_by().is_some() || self.needs_no_challenge(&authorization.identifier)
    }

    /// What the inventory calls the account.
    pub(super) fn requester(&self) -> String {
        self.call().caller.id()
    }
}

impl App {
    /// The names that a client certificate (SHA-256 of its DER) vouches for in this directory, as things stand now. `None`: the
    /// directory heeds none, or no trust means this one. A trust that gives no names vouches for none.
    pub async fn acme_vouched(
        &self,
        directory: &Directory,
        certificate: Option<&Sha256>,
    ) -> Result<Option<AllowedNames>, AcmeError> {
        let Some(certificate) = certificate.filter(|_| directory.settings.client_certificates()) else {
            return Ok(None);
        };
        match self.admit_certificate(certificate).await {
            Ok((workload, _, _)) => {
                let names = AllowedNames::parse(&workload.names.unwrap_or_default());
                names.map(Some).map_err(|fault| crate::Error::Internal(fault.to_string()).into())
            }
            Err(crate::Error::Unauthenticated { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// The account that a `kid` names, in use or not. Accounts of other directories are as absent as unknown ones.
    pub async fn acme_account(&self, door: &AcmeDoor, id: &str) -> Result<Arc<Account>, AcmeError> {
        let unknown = || Problem::new(ProblemKind::AccountDoesNotExist, "There is no such account in this directory.");
        let id = AcmeAccountId::parse(id).map_err(|_| unknown())?;
        let (memory, now) = (&self.inner.acme.accounts, self.now());
        let found = match memory.get(&id, now) {
            Some(known) => known,
            None => {
                let before = memory.before();
                let found = self.inner.store.glance().await?.acme_account(&id).await?;
                let found = Arc::new(found.ok_or_else(unknown)?);
                memory.keep(before, now, &found);
                found
            }
        };
        match found.directory == door.directory.id {
            true => Ok(found),
            false => Err(unknown().into()),
        }
    }

    /// The account of a key, in use or not.
    pub async fn acme_account_of(&self, door: &AcmeDoor, key: &Jwk) -> Result<Option<Account>, AcmeError> {
        Ok(self.inner.store.glance().await?.acme_account_of(&door.directory.id, &key.thumbprint()).await?)
    }

    /// Finds the account of a key or makes one; true: it was made.
    pub async fn new_acme_account(
        &self,
        door: &AcmeDoor,
        key: &Jwk,
        new: NewAccount,
    ) -> Result<(Account, bool), AcmeError> {
        if let Some(found) = self.acme_account_of(door, key).await? {
            return in_use(found).map(|account| (account, false));
        }
        if new.only_existing {
            return refuse(ProblemKind::AccountDoesNotExist, "There is no account with this key.");
        }
        let settings = &door.directory.settings;
        if settings.terms_of_service().is_some() && !new.terms_agreed {
            return refuse(
                ProblemKind::UserActionRequired,
                "The terms of service must be agreed to: send `termsOfServiceAgreed`.",
            );
        }
        if settings.external_account_required() && new.binding.is_none() && door.vouched.is_none() {
            return refuse(
                ProblemKind::ExternalAccountRequired,
                "Accounts of this directory are bound to an external account: ask its operator for a key identifier and a MAC \
                 key.",
            );
        }
        let contacts = contacts(&new.contacts)?;
        let spent = self.spend_account(door.address)?;
        let now = self.now();
        let mut account = Account {
            id: AcmeAccountId::new(now, self.inner.id_entropy()),
            directory: door.directory.id.clone(),
            key: key.canonical(),
            thumbprint: key.thumbprint(),
            state: AccountState::Valid,
            contacts,
            terms_agreed_at: new.terms_agreed.then_some(now),
            eab_key: None,
            grant: NameGrant::default(),
            created_at: now,
            revision: 1,
        };
        let mut tx = self.inner.store.begin("acme.new-account").await?;
        if let Some(binding) = &new.binding {
            self.bind_account(&mut *tx, door, binding, &mut account).await?;
        }
        match tx.insert_acme_account(&account).await {
            Ok(()) => {}
            // Another request with the same key was faster: there is one account, and what this one used up is given back.
            Err(certwright_store::Error::Conflict { .. }) => {
                drop(tx);
                let found = self.acme_account_of(door, key).await?;
                let found = found.ok_or_else(|| absent("account"))?;
                return in_use(found).map(|account| (account, false));
            }
            // Deleted at this moment, on another node perhaps: an account of nobody's directory would be nobody's to end.
            Err(certwright_store::Error::Stale { .. }) => return Err(absent("directory")),
            Err(error) => return Err(error.into()),
        }
        self.use_binding(&mut *tx, &account).await?;
        tx.insert_audit(&self.account_event(door, "acme-account.create", &account)).await?;
        tx.commit().await?;
        spent.keep();
        Ok((account, true))
    }

    /// Replaces the contacts.
    pub async fn update_acme_account(
        &self,
        call: &AcmeCall,
        new_contacts: Option<&[String]>,
    ) -> Result<Account, AcmeError> {
        let Some(new_contacts) = new_contacts else { return Ok((*call.account).clone()) };
        let after = Account { contacts: contacts(new_contacts)?, ..(*call.account).clone() };
        if after == *call.account {
            return Ok(after);
        }
        self.write_account(&call.door, "acme-account.update", after).await
    }

    /// Ends the account; nothing can be done with it any more (RFC 8555 section 7.3.6).
    pub async fn deactivate_acme_account(&self, call: &AcmeCall) -> Result<Account, AcmeError> {
        let after = Account { state: AccountState::Deactivated, ..(*call.account).clone() };
        self.write_account(&call.door, "acme-account.deactivate", after).await
    }

    /// Puts another key in place of the account's (RFC 8555 section 7.3.5). Its bindings, orders and proofs stay.
    pub async fn change_acme_key(&self, call: &AcmeCall, new: &Jwk) -> Result<Account, AcmeError> {
        let taken = |account: AcmeAccountId| {
            let problem = Problem::new(ProblemKind::Malformed, "The new key has an account already.");
            AcmeError::from(Problem { account: Some(account), ..problem }.with_status(409))
        };
        if let Some(other) = self.acme_account_of(&call.door, new).await? {
            return Err(taken(other.id));
        }
        let after = Account { key: new.canonical(), thumbprint: new.thumbprint(), ..(*call.account).clone() };
        match self.write_account(&call.door, "acme-account.change-key", after).await {
            Err(AcmeError::Internal(crate::Error::Conflict { code: "exists_already", .. })) => {
                let other = self.acme_account_of(&call.door, new).await?;
                Err(other.map_or_else(|| absent("account"), |other| taken(other.id)))
            }
            outcome => outcome,
        }
    }

    async fn write_account(&self, door: &AcmeDoor, action: &'static str, after: Account) -> Result<Account, AcmeError> {
        let mut tx = self.inner.store.begin("acme.account").await?;
        tx.update_acme_account(&after).await?;
        tx.insert_audit(&self.account_event(door, action, &after)).await?;
        let committed = tx.commit().await;
        // Also when it is not known what became of it.
        self.inner.acme.accounts.forget(&after.id);
        committed?;
        Ok(Account { revision: after.revision.saturating_add(1), ..after })
    }

    fn account_event(&self, door: &AcmeDoor, action: &'static str, account: &Account) -> AuditEvent {
        let call = door.call(Some(&account.id), None);
        let thumbprint = account.thumbprint.to_string();
        let mut details =
            vec![("directory", door.directory.settings.name().as_str()), ("keySha256", thumbprint.as_str())];
        details.extend(account.eab_key.as_ref().map(|key| ("eabKey", key.as_str())));
        let target = Target { kind: "acme-account", id: account.id.as_str(), name: "" };
        self.inner.audit(&call, action, target, &details)
    }
}

/// An account that has ended can do nothing (RFC 8555 section 7.3.6).
pub(super) fn in_use(account: Account) -> Result<Account, AcmeError> {
    match account.state {
        AccountState::Valid => Ok(account),
        state => {
            Err(Problem::new(ProblemKind::Unauthorized, format!("The account is {state}.")).with_status(401).into())
        }
    }
}

fn contacts(texts: &[String]) -> Result<Vec<Contact>, AcmeError> {
    if texts.len() > Contact::MOST {
        return refuse(ProblemKind::InvalidContact, format!("At most {} contacts are kept.", Contact::MOST));
    }
    let contact = |text: &String| {
        Contact::parse(text).map_err(|invalid| {
            let kind = match invalid.code {
                "unsupportedContact" => ProblemKind::UnsupportedContact,
                _ => ProblemKind::InvalidContact,
            };
            AcmeError::from(Problem::new(kind, format!("{} {}", invalid.detail, invalid.hint)))
        })
    };
    texts.iter().map(contact).collect()
}
