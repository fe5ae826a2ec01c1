//! API tokens.
use crate::{App, Call, Caller, Error};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::secret::SecretText;
use certwright_domain::time::Timestamp;
use certwright_domain::token::Token;
use certwright_store::{Page, PageRequest};

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Name.
    pub name: ResourceName,
    /// Whom it speaks for; default: the caller's user.
    pub user: Option<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl App {
    /// Who is behind this bearer token? Constant-time comparison; unknown, expired, revoked all answer the same 401.
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller, Error> {
        let _ = bearer;
        todo!()
    }
    /// Makes a token; its text is returned once.
    pub async fn create_token(&self, call: &Call, new: NewToken) -> Result<(Token, SecretText), Error> {
        let _ = (call, new);
        todo!()
    }
    /// Tokens, newest first.
    pub async fn tokens(&self, call: &Call, page: &PageRequest) -> Result<Page<Token>, Error> {
        let _ = (call, page);
        todo!()
    }
    /// One token.
    pub async fn token(&self, call: &Call, reference: &Reference) -> Result<Token, Error> {
        let _ = (call, reference);
        todo!()
    }
    /// Revokes a token; takes effect at once. Revoking twice answers the same.
    pub async fn revoke_token(&self, call: &Call, reference: &Reference) -> Result<Token, Error> {
        let _ = (call, reference);
        todo!()
    }
}
