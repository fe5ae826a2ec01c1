//! API tokens.

use super::page::{id_after, one_more};
use super::{Reading, Result, Session, clamp, name_page, sql, swapped};
use crate::documents::{read_texts, read_workload, write_texts, write_workload};
use crate::{Page, PageRequest, TokenQueries, cursor};
use async_trait::async_trait;
use certwright_domain::id::{TokenId, looks_like_id};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::principal::PrincipalName;
use certwright_domain::time::Timestamp;
use certwright_domain::token::Token;

macro_rules! select_token {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, user_name, workload, scopes, bound_sha256, secret_sha256, created_at, expires_at, revoked_at, \
             last_used_at FROM tokens ",
            $rest
        )
    };
}

/// Sorts after every id.
const ABOVE_EVERY_ID: &str = "~";

fn read_token(row: &super::Row) -> Result<Token> {
    let row = Reading::of(row, "tokens", "id")?;
    Ok(Token {
        id: row.parse("id", TokenId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        user: row.text("user_name")?,
        workload: row.document_optional("workload", read_workload)?,
        scopes: row.document("scopes", read_texts)?,
        bound_to: row.sha256_optional("bound_sha256")?,
        secret_sha256: row.sha256("secret_sha256")?,
        created_at: row.time("created_at")?,
        expires_at: row.time_optional("expires_at")?,
        revoked_at: row.time_optional("revoked_at")?,
        last_used_at: row.time_optional("last_used_at")?,
    })
}

#[async_trait]
impl TokenQueries for Session {
    async fn insert_token(&mut self, token: &Token) -> Result<()> {
        self.execute(
            sql("INSERT INTO tokens \
                 (id, name, user_name, scopes, secret_sha256, created_at, expires_at, revoked_at, last_used_at, workload, \
                 bound_sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(token.id.as_str())
            .bind(token.name.as_str())
            .bind(&token.user)
            .bind(write_texts(&token.scopes))
            .bind(token.secret_sha256.0.as_slice())
            .bind(token.created_at.unix_ms())
            .bind(token.expires_at.map(Timestamp::unix_ms))
            .bind(token.revoked_at.map(Timestamp::unix_ms))
            .bind(token.last_used_at.map(Timestamp::unix_ms))
            .bind(token.workload.as_ref().map(write_workload))
            .bind(token.bound_to.as_ref().map(|bound| bound.0.as_slice())),
        )
        .await
        .map(drop)
    }

    async fn token(&mut self, id: &TokenId) -> Result<Option<Token>> {
        let row = self.optional(sql(select_token!("WHERE id = $1")).bind(id.as_str())).await?;
        row.as_ref().map(read_token).transpose()
    }

    async fn find_token(&mut self, reference: &Reference) -> Result<Option<Token>> {
        let by = if looks_like_id(reference.as_str()) {
            select_token!("WHERE id = $1")
        } else {
            select_token!("WHERE name = $1 AND revoked_at IS NULL")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_token).transpose()
    }

    async fn tokens(&mut self, page: &PageRequest) -> Result<Page<Token>> {
        let after = id_after("tokens", page)?.unwrap_or_else(|| ABOVE_EVERY_ID.to_owned());
        let rows = self
            .all(sql(select_token!("WHERE id < $1 ORDER BY id DESC LIMIT $2")).bind(after).bind(one_more(clamp(page))))
            .await?;
        let tokens = rows.iter().map(read_token).collect::<Result<_>>()?;
        Ok(name_page(tokens, page, |token: &Token| cursor::encode("tokens", &[token.id.as_str()])))
    }

    async fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
                    .bind(id.as_str())
                    .bind(at.unix_ms()),
            )
            .await?;
        swapped(rows, "tokens")
    }

    async fn revoke_tokens_of(&mut self, user: &PrincipalName, at: Timestamp) -> Result<Vec<TokenId>> {
        let rows = self
            .all(
                sql("UPDATE tokens SET revoked_at = $2 WHERE user_name = $1 AND revoked_at IS NULL RETURNING id")
                    .bind(user.as_str())
                    .bind(at.unix_ms()),
            )
            .await?;
        rows.iter().map(|row| Reading::of(row, "tokens", "id")?.parse("id", TokenId::parse)).collect()
    }

    async fn touch_token(&mut self, id: &TokenId, at: Timestamp) -> Result<()> {
        self.execute(
            sql("UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)")
                .bind(id.as_str())
                .bind(at.unix_ms()),
        )
        .await
        .map(drop)
    }
}
