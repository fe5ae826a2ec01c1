//! What operators see of accounts and orders, and the keys for external account bindings that they hand out.

use super::directories::find;
use super::problem::AcmeError;
use super::secret::AcmeKeys;
use crate::access::Giving;
use crate::audit::Target;
use crate::change::{by_id, name_conflict};
use crate::{App, Call, Error, Permission};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::acme::{Account, AccountState, Directory, EabKey, NameGrant, Order, OrderError, OrderState};
use certwright_domain::id::{AcmeAccountId, AcmeDirectoryId, AcmeOrderId, EabKeyId};
use certwright_domain::identity::AllowedNames;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::secret::SecretText;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::violation::Invalid;
use certwright_store::{AcmeFilter, Page, PageRequest};

use super::view::OrderView;

/// Most accounts that a counted key may bind.
const MOST_USES: u32 = 1_000_000;
/// Ids that are drawn for a key before something must be wrong.
const MOST_DRAWS: usize = 100;
/// Longest life of a key that ends at all.
const LONGEST: Span = Span::from_days(3_650);

/// A key for external account bindings to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEabKey {
    /// Name, unique in its directory.
    pub name: ResourceName,
    /// The directory.
    pub directory: Reference,
    /// Patterns of names that accounts bound by it may order; `None`: directory and profile alone decide.
    pub names: Option<Vec<String>>,
    /// How many accounts it may bind; `None`: any number.
    pub uses: Option<u32>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// An order with its directory's name, for operators.
#[derive(Debug, Clone)]
pub struct AcmeOrderDetail {
    /// The order as it is now.
    pub view: OrderView,
    /// Name of the directory.
    pub directory: String,
}

impl App {
    /// Makes a key for external account bindings. Its MAC key is in the answer alone: base64url of 48 bytes,
    /// which does not begin with a hyphen. Where its names need no challenge it gives away what the CA may sign: nobody
    /// gives what they lack.
    pub async fn create_eab_key(&self, call: &Call, new: NewEabKey) -> Result<(EabKey, Directory, SecretText), Error> {
        let directory = self.may_acme_directory(call, Permission::AcmeAccountManage, &new.directory).await?;
        let now = self.now();
        let grant = read_grant(new.names.as_deref())?;
        if new.uses.is_some_and(|uses| uses == 0 || uses > MOST_USES) {
            let detail = format!("A key binds 1 to {MOST_USES} accounts.");
            return Err(Error::invalid("/uses", Invalid::new("invalid_uses", detail, "Use 1 for a single account.")));
        }
        if new.expires_at.is_some_and(|end| end <= now || end > now.plus(LONGEST)) {
            let detail = "The key would end in the past, or in more than ten years.";
            let hint = "Give a time ahead, or leave it out.";
            return Err(Error::invalid("/expiresAt", Invalid::new("invalid_expiry", detail, hint)));
        }
        let keys = self.acme_keys().await?;
        let (id, mac_key) = self.new_binding_key(keys, now)?;
        let key = EabKey {
            id,
            directory: directory.id.clone(),
            name: new.name,
            grant,
            uses_left: new.uses,
            expires_at: new.expires_at,
            revoked_at: None,
            created_at: now,
            last_used_at: None,
            revision: 1,
        };
        let mut change = self.inner.begin_change(call, "eab-key.create").await?;
        // By the directory and the policies as they are now that nobody can change them any more.
        let directory = find(&mut **change, &by_id(directory.id.as_str())?).await?;
        if directory.settings.without_challenge() && key.grant.names.is_some() {
            // Patterns are more than the names that a condition may speak of: leave for anything.
            let compartment = change.compartment_of(directory.ca.as_str()).await?;
            self.may_give_signing(&mut **change, call, &compartment, Giving::BindingKey).await?;
        }
        let inserted = change.insert_eab_key(&key).await;
        inserted.map_err(|error| name_conflict(error, "key for external account bindings", &key.name))?;
        let names = key.grant.names.as_ref().map_or_else(String::new, |names| names.texts().join(" "));
        let uses = key.uses_left.map_or_else(String::new, |uses| uses.to_string());
        let details = [("directory", directory.settings.name().as_str()), ("names", &names), ("uses", &uses)];
        let target = Target { kind: "eab-key", id: key.id.as_str(), name: key.name.as_str() };
        change.insert_audit(&self.inner.audit(call, "eab-key.create", target, &details)).await?;
        change.commit().await?;
        Ok((key, directory, mac_key))
    }

    /// An id, and the MAC key that belongs to it as text. Clients take it on their command lines, where certbot and others
    /// read what begins with a hyphen as an option: ids with such a key, one of 64, are not given out.
    fn new_binding_key(&self, keys: &AcmeKeys, now: Timestamp) -> Result<(EabKeyId, SecretText), Error> {
        for _ in 0..MOST_DRAWS {
            let id = EabKeyId::new(now, self.inner.id_entropy());
            let text = URL_SAFE_NO_PAD.encode(keys.binding_key(&id).expose());
            if !text.starts_with('-') {
                return Ok((id, SecretText::new(text)));
            }
        }
        Err(Error::Internal(format!("{MOST_DRAWS} ids in a row had keys that begin with a hyphen")))
    }

    /// Keys for external account bindings, newest first.
    pub async fn eab_keys(
        &self,
        call: &Call,
        directory: Option<&Reference>,
        page: &PageRequest,
    ) -> Result<Page<(EabKey, Directory)>, Error> {
        let filter = self.acme_filter(call, directory, None).await?;
        let found = self.inner.store.read().await?.eab_keys(&filter, page).await?;
        self.seen(call, found, |key| &key.directory).await
    }

    /// One key for external account bindings.
    pub async fn eab_key(&self, call: &Call, id: &str) -> Result<(EabKey, Directory), Error> {
        let absent = || Error::not_found("key for external account bindings", id);
        let key = match EabKeyId::parse(id) {
            Ok(id) => self.inner.store.read().await?.eab_key(&id).await?,
            Err(_) => None,
        };
        let key = key.ok_or_else(absent)?;
        let directory = self.directory_of(call, Permission::AcmeAccountRead, &key.directory, absent).await?;
        Ok((key, directory))
    }

    /// Revokes a key: it binds no account any more. Those that it has bound stay.
    pub async fn revoke_eab_key(&self, call: &Call, id: &str) -> Result<(), Error> {
        let absent = || Error::not_found("key for external account bindings", id);
        let parsed = EabKeyId::parse(id).map_err(|_| absent())?;
        let mut change = self.inner.begin_change(call, "eab-key.revoke").await?;
        let key = change.eab_key(&parsed).await?.ok_or_else(absent)?;
        self.directory_of(call, Permission::AcmeAccountManage, &key.directory, absent).await?;
        if key.revoked_at.is_some() {
            return change.undo().await;
        }
        if !change.revoke_eab_key(&key.id, self.now()).await? {
            return change.undo().await;
        }
        let target = Target { kind: "eab-key", id: key.id.as_str(), name: key.name.as_str() };
        change.insert_audit(&self.inner.audit(call, "eab-key.revoke", target, &[])).await?;
        change.commit().await
    }

    /// Accounts, newest first.
    pub async fn acme_accounts(
        &self,
        call: &Call,
        directory: Option<&Reference>,
        page: &PageRequest,
    ) -> Result<Page<(Account, Directory)>, Error> {
        let filter = self.acme_filter(call, directory, None).await?;
        let found = self.inner.store.read().await?.acme_accounts(&filter, page).await?;
        self.seen(call, found, |account| &account.directory).await
    }

    /// One account, for operators.
    pub async fn known_acme_account(&self, call: &Call, id: &str) -> Result<(Account, Directory), Error> {
        let absent = || Error::not_found("ACME account", id);
        let account = match AcmeAccountId::parse(id) {
            Ok(id) => self.inner.store.read().await?.acme_account(&id).await?,
            Err(_) => None,
        };
        let account = account.ok_or_else(absent)?;
        let directory = self.directory_of(call, Permission::AcmeAccountRead, &account.directory, absent).await?;
        Ok((account, directory))
    }

    /// Ends an account: its key can do nothing any more. Its certificates stay as they are.
    pub async fn revoke_acme_account(&self, call: &Call, id: &str) -> Result<(Account, Directory), Error> {
        let absent = || Error::not_found("ACME account", id);
        let parsed = AcmeAccountId::parse(id).map_err(|_| absent())?;
        let mut change = self.inner.begin_change(call, "acme-account.revoke").await?;
        let account = change.acme_account(&parsed).await?.ok_or_else(absent)?;
        let directory = self.directory_of(call, Permission::AcmeAccountManage, &account.directory, absent).await?;
        if account.state != AccountState::Valid {
            change.undo().await?;
            return Ok((account, directory));
        }
        let mut after = Account { state: AccountState::Revoked, ..account };
        change.update_acme_account(&after).await?;
        let details = [("directory", directory.settings.name().as_str())];
        let target = Target { kind: "acme-account", id: after.id.as_str(), name: "" };
        change.insert_audit(&self.inner.audit(call, "acme-account.revoke", target, &details)).await?;
        let committed = change.commit().await;
        self.inner.acme.accounts.forget(&after.id);
        committed?;
        after.revision = after.revision.saturating_add(1);
        Ok((after, directory))
    }

    /// Orders, newest first, each as it is now with why its proofs failed.
    pub async fn known_acme_orders(
        &self,
        call: &Call,
        directory: Option<&Reference>,
        account: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<AcmeOrderDetail>, Error> {
        let filter = self.acme_filter(call, directory, account).await?;
        let found = self.inner.store.read().await?.acme_orders(&filter, page).await?;
        let Page { items, next } = self.seen(call, found, |order| &order.directory).await?;
        let mut details = Vec::with_capacity(items.len());
        for (order, directory) in items {
            details.push(self.order_detail(order, &directory).await?);
        }
        Ok(Page { items: details, next })
    }

    /// One order, for operators.
    pub async fn known_acme_order(&self, call: &Call, id: &str) -> Result<AcmeOrderDetail, Error> {
        let absent = || Error::not_found("ACME order", id);
        let order = match AcmeOrderId::parse(id) {
            Ok(id) => self.inner.store.read().await?.acme_order(&id).await?,
            Err(_) => None,
        };
        let order = order.ok_or_else(absent)?;
        let directory = self.directory_of(call, Permission::AcmeAccountRead, &order.directory, absent).await?;
        self.order_detail(order, &directory).await
    }

    async fn order_detail(&self, order: Order, directory: &Directory) -> Result<AcmeOrderDetail, Error> {
        let mut read = self.inner.store.read().await?;
        let account = read.acme_account(&order.account).await?;
        let mut view = self.view_order(&mut *read, order).await.map_err(|error| match error {
            AcmeError::Internal(error) => error,
            AcmeError::Problem(problem) => Error::Internal(problem.detail),
        })?;
        // Nobody can finalize what an account that has ended left behind.
        let is_open = matches!(view.state, OrderState::Pending | OrderState::Ready);
        if let Some(account) = account.filter(|account| is_open && account.state != AccountState::Valid) {
            let detail = format!("The account is {}.", account.state);
            view.state = OrderState::Invalid;
            view.error = Some(OrderError { kind: "unauthorized".to_owned(), detail });
        }
        Ok(AcmeOrderDetail { view, directory: directory.settings.name().to_string() })
    }

    /// What a list is to hold; whoever may not see anything of the sort is refused.
    async fn acme_filter(
        &self,
        call: &Call,
        directory: Option<&Reference>,
        account: Option<&str>,
    ) -> Result<AcmeFilter, Error> {
        let directory = match directory {
            Some(reference) => Some(self.may_acme_directory(call, Permission::AcmeAccountRead, reference).await?.id),
            None => {
                if !call.caller.is_system() {
                    self.may_list(call, Permission::AcmeAccountRead)?;
                }
                None
            }
        };
        let account = match account {
            Some(text) => Some(AcmeAccountId::parse(text).map_err(|invalid| Error::invalid("/account", invalid))?),
            None => None,
        };
        Ok(AcmeFilter { directory, account })
    }

    /// Those of a page whose directory the caller may look into.
    async fn seen<T>(
        &self,
        call: &Call,
        page: Page<T>,
        directory: impl Fn(&T) -> &AcmeDirectoryId,
    ) -> Result<Page<(T, Directory)>, Error> {
        let mut read = self.inner.store.read().await?;
        let mut known: Vec<(AcmeDirectoryId, Option<Directory>)> = Vec::new();
        let Page { items, next } = page;
        let mut seen = Vec::with_capacity(items.len());
        for item in items {
            let id = directory(&item).clone();
            if !known.iter().any(|(one, _)| *one == id) {
                // An account may have come in at the moment when its directory went.
                let seen = match read.acme_directory(&by_id(id.as_str())?).await? {
                    Some(found) => {
                        let place = read.compartment_of(found.ca.as_str()).await?;
                        let object = crate::access::Object::acme_directory(&found, place);
                        self.is_allowed(call, Permission::AcmeAccountRead, &object).then_some(found)
                    }
                    None => None,
                };
                known.push((id.clone(), seen));
            }
            if let Some((_, Some(found))) = known.iter().find(|(one, _)| *one == id) {
                seen.push((item, found.clone()));
            }
        }
        Ok(Page { items: seen, next })
    }

    /// The directory of something, where the caller may do this; else that is absent.
    async fn directory_of(
        &self,
        call: &Call,
        permission: Permission,
        id: &AcmeDirectoryId,
        absent: impl Fn() -> Error,
    ) -> Result<Directory, Error> {
        let reference = by_id(id.as_str())?;
        self.may_acme_directory(call, permission, &reference).await.map_err(|error| match error {
            Error::NotFound { .. } => absent(),
            other => other,
        })
    }
}

fn read_grant(names: Option<&[String]>) -> Result<NameGrant, Error> {
    let Some(texts) = names else { return Ok(NameGrant::default()) };
    let names = AllowedNames::parse(texts).map_err(|invalid| Error::invalid("/names", invalid))?;
    Ok(NameGrant { names: Some(names) })
}
