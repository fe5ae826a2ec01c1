//! ACME. The trait is one; what is alike lies together in the files beside this one.

mod accounts;
pub(crate) mod at_once;
pub(crate) mod beginnings;
mod directories;
pub(crate) mod endings;
mod orders;

use super::page::{by_name, id_after, name_after, name_page, one_more};
use super::{Driver, Error, Reading, Result, Row, Session, Statement, clamp, sql, swapped};
use crate::{AcmeFilter, AcmeQueries, KnownProofs, Page, PageRequest, ProofSearch, cursor};
use async_trait::async_trait;
use certwright_domain::acme::{Account, Authorization, Directory, EabKey, Order};
use certwright_domain::id::{AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeOrderId, EabKeyId, IssuedId};
use certwright_domain::key::SealedBlob;
use certwright_domain::name::Reference;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;

/// A page of a list that is ordered by id, newest first, narrowed to a directory or an account.
async fn newest_first<T>(
    session: &mut Session,
    table: &'static str,
    texts: (&'static str, &'static str, &'static str),
    filter: &AcmeFilter,
    page: &PageRequest,
    read: impl Fn(&Row) -> Result<T>,
    id: impl Fn(&T) -> &str,
) -> Result<Page<T>> {
    // `~` sorts behind every id.
    let before = id_after(table, page)?.unwrap_or_else(|| "~".to_owned());
    let limit = one_more(clamp(page));
    let (all, of_directory, of_account) = texts;
    let statement: Statement<'_> = match (&filter.directory, &filter.account) {
        (_, Some(account)) => sql(of_account).bind(before).bind(limit).bind(account.as_str()),
        (Some(directory), None) => sql(of_directory).bind(before).bind(limit).bind(directory.as_str()),
        (None, None) => sql(all).bind(before).bind(limit),
    };
    let items = session.all(statement).await?.iter().map(read).collect::<Result<Vec<T>>>()?;
    Ok(name_page(items, page, |item| cursor::encode(table, &[id(item)])))
}

#[async_trait]
impl AcmeQueries for Session {
    async fn acme_secret(&mut self) -> Result<Option<(SealedBlob, String)>> {
        directories::secret(self).await
    }
    async fn insert_acme_secret(&mut self, sealed: &SealedBlob, root_key_id: &str) -> Result<()> {
        directories::insert_secret(self, sealed, root_key_id).await
    }
    async fn rewrap_acme_secret(&mut self, before: &str, sealed: &SealedBlob, root_key_id: &str) -> Result<()> {
        directories::rewrap_secret(self, before, sealed, root_key_id).await
    }

    async fn insert_acme_directory(&mut self, directory: &Directory) -> Result<()> {
        directories::insert(self, directory).await
    }
    async fn acme_directory(&mut self, reference: &Reference) -> Result<Option<Directory>> {
        directories::find(self, reference).await
    }
    async fn acme_directories(&mut self, page: &PageRequest) -> Result<Page<Directory>> {
        directories::list(self, page).await
    }
    async fn count_acme_directories(&mut self) -> Result<u64> {
        directories::count(self).await
    }
    async fn update_acme_directory(&mut self, directory: &Directory) -> Result<()> {
        directories::update(self, directory).await
    }
    async fn delete_acme_directory(&mut self, id: &AcmeDirectoryId, revision: i64) -> Result<()> {
        directories::delete(self, id, revision).await
    }

    async fn insert_acme_account(&mut self, account: &Account) -> Result<()> {
        accounts::insert(self, account).await
    }
    async fn acme_account(&mut self, id: &AcmeAccountId) -> Result<Option<Account>> {
        accounts::find(self, id).await
    }
    async fn acme_account_of(&mut self, directory: &AcmeDirectoryId, key: &Sha256) -> Result<Option<Account>> {
        accounts::of_key(self, directory, key).await
    }
    async fn acme_accounts(&mut self, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<Account>> {
        accounts::list(self, filter, page).await
    }
    async fn has_acme_accounts(&mut self, directory: &AcmeDirectoryId) -> Result<bool> {
        accounts::any_in(self, directory).await
    }
    async fn update_acme_account(&mut self, account: &Account) -> Result<()> {
        accounts::update(self, account).await
    }

    async fn insert_eab_key(&mut self, key: &EabKey) -> Result<()> {
        accounts::insert_eab_key(self, key).await
    }
    async fn eab_key(&mut self, id: &EabKeyId) -> Result<Option<EabKey>> {
        accounts::eab_key(self, id).await
    }
    async fn eab_keys(&mut self, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<EabKey>> {
        accounts::eab_keys(self, filter, page).await
    }
    async fn use_eab_key(&mut self, id: &EabKeyId, now: Timestamp) -> Result<bool> {
        accounts::use_eab_key(self, id, now).await
    }
    async fn revoke_eab_key(&mut self, id: &EabKeyId, now: Timestamp) -> Result<bool> {
        accounts::revoke_eab_key(self, id, now).await
    }

    async fn insert_acme_authorization(&mut self, authorization: &Authorization) -> Result<()> {
        orders::insert_authorization(self, authorization).await
    }
    async fn acme_authorization(&mut self, id: &AcmeAuthorizationId) -> Result<Option<Authorization>> {
        orders::authorization(self, id).await
    }
    async fn search_acme_authorizations(&mut self, search: &ProofSearch<'_>) -> Result<KnownProofs> {
        orders::search(self, search).await
    }
    async fn due_acme_authorizations(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Authorization>> {
        orders::due(self, now, limit).await
    }

    async fn acme_order(&mut self, id: &AcmeOrderId) -> Result<Option<Order>> {
        orders::find(self, id).await
    }
    async fn acme_order_with_proofs(&mut self, id: &AcmeOrderId) -> Result<Option<(Order, Vec<Authorization>)>> {
        orders::with_proofs(self, id).await
    }
    async fn acme_orders(&mut self, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<Order>> {
        orders::list(self, filter, page).await
    }
    async fn acme_orders_of_use(
        &mut self,
        account: &AcmeAccountId,
        now: Timestamp,
        page: &PageRequest,
    ) -> Result<Page<Order>> {
        orders::of_use(self, account, now, page).await
    }
    async fn acme_order_replacing(&mut self, issued: &IssuedId) -> Result<Option<AcmeOrderId>> {
        orders::replacing(self, issued).await
    }

    async fn purge_acme(&mut self, nonces_before: Timestamp, before: Timestamp, limit: u32) -> Result<u64> {
        orders::purge(self, nonces_before, before, limit).await
    }
}
