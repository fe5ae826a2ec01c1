//! Filters that an index answers, as statements that yield ids.

use super::super::super::push_ids_by_digest;
use super::super::walk::number;
use super::wanted::{Anything, beyond};
use super::{Builder, Result, Session};
use crate::rows::Digest;
use certwright_domain::serial::{Serial, Sha256};

/// A filter that an index answers.
pub(super) enum Source<'f> {
    Fingerprint(&'f Sha256),
    Serial(&'f Serial),
    Anything(&'f Anything),
    /// A name of any kind.
    Name(&'f str),
    Column(&'static str, &'f str),
    Revoked,
    Range(&'static str, Option<i64>, Option<i64>),
}

impl Source<'_> {
    /// Pushes a statement that yields its ids, reading nothing but indexes. A source of several parts yields at most `most`
    /// of each.
    pub(super) fn push_ids(&self, query: &mut Builder, most: usize) {
        const FROM: &str = "SELECT id FROM issued_certificates WHERE ";
        let most = number(most);
        match self {
            Self::Fingerprint(fingerprint) => {
                push_ids_by_digest(query, Digest::Fingerprint, fingerprint);
            }
            Self::Serial(serial) => {
                query.push(FROM).push("serial = ").push_bind(serial.as_bytes().to_vec());
            }
            Self::Name(name) => {
                query.push("SELECT issued_id AS id FROM issued_names WHERE value = ").push_bind((*name).to_owned());
            }
            Self::Column(column, value) => {
                query.push(FROM).push(column).push(" = ").push_bind((*value).to_owned());
            }
            Self::Revoked => {
                query.push(FROM).push("revoked_at IS NOT NULL");
            }
            Self::Range(column, from, before) => {
                // Both ends, so that the index is entered and left where it should be.
                query.push(FROM).push(column).push(" >= ").push_bind(from.unwrap_or(i64::MIN));
                query.push(" AND ").push(column).push(" < ").push_bind(before.unwrap_or(i64::MAX));
            }
            Self::Anything(anything) => {
                query.push("SELECT id FROM (SELECT issued_id AS id FROM issued_names WHERE value >= ");
                query.push_bind(anything.prefix.clone()).push(" AND value < ");
                query.push_bind(beyond(&anything.prefix)).push(" LIMIT ").push_bind(most).push(") AS by_prefix");
                query.push(" UNION SELECT id FROM (SELECT issued_id AS id FROM issued_names WHERE value = ");
                query.push_bind(anything.name.clone()).push(" LIMIT ").push_bind(most).push(") AS by_name");
                if let Some(serial) = &anything.serial {
                    query.push(" UNION ").push(FROM).push("serial = ").push_bind(serial.as_bytes().to_vec());
                }
                if let Some(fingerprint) = &anything.fingerprint {
                    query.push(" UNION ");
                    push_ids_by_digest(query, Digest::Fingerprint, fingerprint);
                }
            }
        }
    }
}

/// Does the source hold at most so many rows? Reads at most one index entry more.
pub(super) async fn holds_at_most(session: &mut Session, source: &Source<'_>, most: usize) -> Result<bool> {
    let probe = most.saturating_add(1);
    let mut query = Builder::new("SELECT COUNT(*) AS found FROM (SELECT id FROM (");
    source.push_ids(&mut query, probe);
    query.push(") AS ids LIMIT ").push_bind(number(probe)).push(") AS few");
    let rows = session.built(query).await?;
    let found = super::super::vaults::count(rows.first())?;
    Ok(usize::try_from(found).is_ok_and(|found| found <= most))
}
