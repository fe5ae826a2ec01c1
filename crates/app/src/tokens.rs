//! API tokens.
//!
//! **Text.** `cwt_<ULID>_<43 characters><6 characters>`: the ULID of the token's id (a locator, not a secret), 32 random
//! bytes in base64url, and a checksum that lets scanners and typing errors be told from real tokens without asking the
//! database. Stored is the SHA-256 of the secret part alone: 256 random bits need no slow hash.

mod cache;
pub(crate) mod text;

pub(crate) use cache::TokenCache;

use crate::access::Workload;
use crate::audit::Target;
use crate::change::name_conflict;
use crate::identity::is_jwt;
use crate::policies::unreadable;
use crate::{App, Call, Caller, Error, Inner, Permission, Pointed};
use cache::Entry;
use certwright_domain::access::{ADMIN, PrincipalReference};
use certwright_domain::audit::AuditEvent;
use certwright_domain::id::TokenId;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::policy::Narrowing;
use certwright_domain::principal::PrincipalName;
use certwright_domain::secret::SecretText;
use certwright_domain::serial::Sha256;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::token::Token;
use certwright_domain::violation::Invalid;
use certwright_store::{Page, PageRequest};
use std::sync::Arc;

/// How old a token read from the database may be when it is used: on other nodes than the one that revoked it, a token
/// works at most this long. (On the revoking node it ends at once, and no certificate is recorded under an older epoch.)
const FRESH: Span = Span::from_s(1);
/// How often the last use of a token is written down.
const TOUCH: Span = Span::from_minutes(1);
/// Most scopes of a token.
const MAX_SCOPES: usize = 50;

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Name.
    pub name: ResourceName,
    /// Whom it speaks for; default: the caller's user.
    pub user: Option<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What it is narrowed to; empty: all that its user may do.
    pub scopes: Vec<String>,
    /// SHA-256 of the certificate of ours (its DER) that it is to be good with alone; `None`: whoever bears it may use it.
    pub bound_to: Option<Sha256>,
}

impl App {
    /// Who is behind this bearer token, which came without a client certificate?
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller, Error> {
        self.authenticate_with(bearer, None).await
    }

    /// Who is behind this bearer token, one of ours or of an identity provider's: its form tells. `certificate`: SHA-256 of
    /// the client certificate (its DER) whose key this very connection has proven. Constant-time comparison; unknown,
    /// expired and revoked tokens, those of users that are disabled, and those that are bound to another certificate or to
    /// one that does not stand all answer the same 401.
    pub async fn authenticate_with(&self, bearer: &str, certificate: Option<&Sha256>) -> Result<Caller, Error> {
        if is_jwt(bearer) {
            return self.authenticate_jwt(bearer).await;
        }
        let read = text::parse(text::API_TOKEN, bearer);
        let read = read.and_then(|(ulid, secret)| Some((TokenId::of_ulid(ulid)?, secret)));
        let Some((id, secret)) = read else {
            return Err(unauthenticated());
        };
        let now = self.now();
        let entry = self.token_entry(&id, now).await?;
        let same = text::fits(&secret, entry.as_ref().map(|entry| &entry.token.secret_sha256));
        let Some(entry) = entry.filter(|entry| same && entry.is_let_in(now)) else {
            return Err(unauthenticated());
        };
        if let Some(bound) = &entry.token.bound_to
            && (certificate != Some(bound) || self.standing_certificate(bound).await?.is_none())
        {
            return Err(unauthenticated());
        }
        self.touch(&entry, now);
        let token = &entry.token;
        if let Some(workload) = &token.workload {
            return self.workload_caller(token, workload, entry.epoch).await?.ok_or_else(unauthenticated);
        }
        let scopes = Arc::clone(&entry.scopes);
        let (id, name, user) = (token.id.clone(), token.name.as_str().to_owned(), token.user.clone());
        let caller = Caller::token(id, name, user, scopes, entry.epoch);
        // Decisions rest on what is in memory: it is brought up to date before the first of them.
        match self.access().await?.knows(&caller) {
            true => Ok(caller),
            false => Err(unauthenticated()),
        }
    }

    /// Makes a token; its text is returned once. As a trial there is no token, and the text is empty.
    pub async fn create_token(&self, call: &Call, new: NewToken) -> Result<(Token, SecretText), Error> {
        self.may(call, Permission::TokenManage, "token")?;
        let now = self.now();
        if let Some(at) = new.expires_at.filter(|at| *at <= now) {
            return Err(Error::invalid(
                "/expiresAt",
                Invalid::new(
                    "invalid_expiry",
                    format!("The token would have ended at {at}; it is {now} now."),
                    "Choose a time in the future, or leave it out for a token without an end.",
                ),
            ));
        }
        let user = new.user.as_deref().unwrap_or_else(|| call.caller.user().unwrap_or(ADMIN));
        let user = PrincipalName::parse(user).map_err(|invalid| Error::invalid("/user", invalid))?;
        read_scopes(&new.scopes)?;
        if let Some(bound) = &new.bound_to
            && self.standing_certificate(bound).await?.is_none()
        {
            return Err(Error::invalid("/boundTo", not_standing(bound)));
        }
        let (mut token, secret) = self.inner.mint_token(new.name, &user, new.expires_at);
        token.scopes = new.scopes;
        token.bound_to = new.bound_to;
        let mut change = self.inner.begin_change(call, "token.create").await?;
        if change.user(&PrincipalReference::from(&user)).await?.is_none() {
            return Err(unknown_user(&user));
        }
        self.may_act_for(&mut **change, call, &user).await?;
        change.insert_token(&token).await.map_err(|error| name_conflict(error, "token", &token.name))?;
        change.insert_audit(&self.inner.token_event(call, "token.create", &token)).await?;
        change.commit().await?;
        Ok((token, if call.dry_run { SecretText::new(String::new()) } else { secret }))
    }

    /// Tokens, newest first.
    pub async fn tokens(&self, call: &Call, page: &PageRequest) -> Result<Page<Token>, Error> {
        self.may(call, Permission::TokenRead, "token")?;
        Ok(self.inner.store.read().await?.tokens(page).await?)
    }

    /// One token.
    pub async fn token(&self, call: &Call, reference: &Reference) -> Result<Token, Error> {
        self.may(call, Permission::TokenRead, "token")?;
        let found = self.inner.store.read().await?.find_token(reference).await?;
        found.ok_or_else(|| Error::not_found("token", reference))
    }

    /// Revokes a token; takes effect at once. Revoking twice answers the same.
    pub async fn revoke_token(&self, call: &Call, reference: &Reference) -> Result<Token, Error> {
        self.may(call, Permission::TokenManage, "token")?;
        let now = self.now();
        let mut change = self.inner.begin_change(call, "token.revoke").await?;
        let found = change.find_token(reference).await?;
        let mut token = found.ok_or_else(|| Error::not_found("token", reference))?;
        if token.revoked_at.is_some() {
            change.undo().await?;
            return Ok(token);
        }
        change.revoke_token(&token.id, now).await?;
        change.insert_audit(&self.inner.token_event(call, "token.revoke", &token)).await?;
        let committed = change.commit().await;
        if !call.dry_run {
            // Also when the commit's outcome is unknown: the next use reads the row.
            self.inner.context.tokens.forget(&token.id);
        }
        committed?;
        token.revoked_at = Some(now);
        Ok(token)
    }

    /// Waits until the small writes that run beside the requests (last use of tokens, audit events of refusals) are done.
    /// For shutdown.
    pub async fn settle(&self) {
        if let Err(error) = self.write_refusals(true).await {
            tracing::error!(%error, "audit events of refusals were not written");
        }
        self.inner.context.tokens.settle(&self.inner.store).await;
    }

    async fn token_entry(&self, id: &TokenId, now: Timestamp) -> Result<Option<Arc<Entry>>, Error> {
        let context = &self.inner.context;
        if let Some(entry) = context.tokens.get(id, context.epoch(), now, FRESH) {
            return Ok(Some(entry));
        }
        if context.tokens.is_absent(id, context.epoch(), now, FRESH) {
            return Ok(None);
        }
        let mut read = self.inner.store.read().await?;
        // The epoch is read first: the token that is read after it is at least as new.
        let epoch = read.epoch().await?;
        let token = read.token(id).await?;
        let user = match token.as_ref().map(|token| PrincipalReference::parse(&token.user)) {
            Some(Ok(user)) => read.user(&user).await?,
            Some(Err(_)) | None => None,
        };
        context.note_epoch(epoch);
        let Some(token) = token else {
            context.tokens.keep_absent(id, epoch, now);
            return Ok(None);
        };
        let scopes = read_scopes(&token.scopes)?.into();
        Ok(Some(context.tokens.keep(Entry { epoch, read_at: now, token, user, scopes })))
    }

    /// Has the last use written down, beside the request and at most once a minute.
    fn touch(&self, entry: &Entry, now: Timestamp) {
        let due = entry.token.last_used_at.is_none_or(|last| now.ms_since(last) >= TOUCH.ms());
        if due {
            self.inner.context.tokens.touch(&entry.token.id, now, &self.inner.store);
        }
    }
}

impl Inner {
    /// Makes a token and its text; storing it is the caller's part.
    pub(crate) fn mint_token(
        &self,
        name: ResourceName,
        user: &PrincipalName,
        expires_at: Option<Timestamp>,
    ) -> (Token, SecretText) {
        self.mint(name, user.as_str().to_owned(), expires_at)
    }

    /// Makes a token for a machine and its text; storing it is the caller's part. `id` is what the audit trail calls the
    /// machine.
    pub(crate) fn mint_workload_token(
        &self,
        id: String,
        workload: Workload,
        expires_at: Timestamp,
    ) -> Result<(Token, SecretText), Error> {
        let name = format!("workload-{}", hex::encode(self.id_entropy()));
        let name = ResourceName::parse(&name).map_err(|invalid| Error::Internal(invalid.detail))?;
        let (token, text) = self.mint(name, id, Some(expires_at));
        Ok((Token { workload: Some(workload), ..token }, text))
    }

    fn mint(&self, name: ResourceName, user: String, expires_at: Option<Timestamp>) -> (Token, SecretText) {
        let created_at = self.clock.now();
        let id = TokenId::new(created_at, self.id_entropy());
        let (secret_sha256, text) = text::mint(text::API_TOKEN, id.as_str(), &*self.entropy);
        let token = Token {
            id,
            name,
            user,
            workload: None,
            scopes: Vec::new(),
            bound_to: None,
            secret_sha256,
            created_at,
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        (token, text)
    }

    /// The audit event of what was done to a token.
    pub(crate) fn token_event(&self, call: &Call, action: &'static str, token: &Token) -> AuditEvent {
        let expires = token.expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let target = Target { kind: "token", id: token.id.as_str(), name: token.name.as_str() };
        let bound = token.bound_to.map_or_else(|| "nothing".to_owned(), |bound| bound.to_string());
        let details = [("user", token.user.as_str()), ("expiresAt", expires.as_str()), ("boundTo", &bound)];
        self.audit(call, action, target, &details)
    }
}

/// Reads what a token is narrowed to; every fault is listed.
fn read_scopes(scopes: &[String]) -> Result<Vec<Narrowing>, Error> {
    if scopes.len() > MAX_SCOPES {
        let detail = format!("The token has {} scopes.", scopes.len());
        let hint = format!("Use at most {MAX_SCOPES}.");
        return Err(Error::invalid("/scopes", Invalid::new("too_many_scopes", detail, hint)));
    }
    let (mut read, mut faults) = (Vec::new(), Vec::new());
    for (index, text) in scopes.iter().enumerate() {
        match Narrowing::parse(text) {
            Ok(narrowing) => read.push(narrowing),
            Err(error) => faults.push(Pointed::at(format!("/scopes/{index}"), unreadable("invalid_scope", &error))),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(Error::Invalid(faults)) }
}

/// Tokens speak for users that there are.
fn unknown_user(user: &PrincipalName) -> Error {
    Error::conflict(
        "unknown_user",
        format!("There is no user `{user}`."),
        format!(
            "Make it with POST /v1/users {{\"name\": \"{user}\"}}, or leave `user` out for a token of your own user."
        ),
    )
}

/// Tokens are bound to certificates whose revocation is known here.
fn not_standing(fingerprint: &Sha256) -> Invalid {
    Invalid::new(
        "certificate_not_usable",
        format!("`{fingerprint}` is not the fingerprint of a client certificate of ours that is in force."),
        "Give the SHA-256 fingerprint of a certificate in the inventory for client authentication, as GET \
         /v1/issued-certificates shows it.",
    )
}

/// The one answer to every token that does not let its bearer in.
fn unauthenticated() -> Error {
    Error::Unauthenticated { detail: "The token is malformed, unknown, expired or revoked.".to_owned() }
}
