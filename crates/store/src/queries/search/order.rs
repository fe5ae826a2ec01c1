//! The orders of the inventory, and where in them a page begins.

use super::super::walk::Position;
use super::{Builder, Error, Result};
use crate::{IssuedSort, PageRequest, cursor};
use certwright_domain::id::looks_like_id;
use certwright_domain::issued::IssuedCertificate;

/// An order of the inventory, as SQL.
#[derive(Clone, Copy)]
pub(super) struct Order {
    /// Tag of its cursors.
    list: &'static str,
    /// The time it goes by, if any; the id decides among equals.
    pub(super) time: Option<&'static str>,
    pub(super) descending: bool,
    /// ORDER BY on the table.
    pub(super) by: &'static str,
    /// ORDER BY on `t`.
    pub(super) by_t: &'static str,
}

impl Order {
    pub(super) fn of(sort: IssuedSort) -> Self {
        match sort {
            IssuedSort::NewestFirst => Self {
                list: "issued-newest-first",
                time: None,
                descending: true,
                by: " ORDER BY id DESC",
                by_t: " ORDER BY t.id DESC",
            },
            IssuedSort::OldestFirst => Self {
                list: "issued-oldest-first",
                time: None,
                descending: false,
                by: " ORDER BY id",
                by_t: " ORDER BY t.id",
            },
            IssuedSort::ExpiresFirst => Self {
                list: "issued-expires-first",
                time: Some("not_after"),
                descending: false,
                by: " ORDER BY not_after, id",
                by_t: " ORDER BY t.not_after, t.id",
            },
            IssuedSort::RenewsFirst => Self {
                list: "issued-renews-first",
                time: Some("renew_at"),
                descending: false,
                by: " ORDER BY renew_at, id",
                by_t: " ORDER BY t.renew_at, t.id",
            },
        }
    }

    /// Where the page begins.
    pub(super) fn after(&self, request: &PageRequest) -> Result<Option<Position>> {
        let Some(after) = &request.after else { return Ok(None) };
        let (at, id) = match self.time {
            None => {
                let [id] = cursor::decode(self.list, after)?;
                (None, id)
            }
            Some(_) => {
                let [at, id] = cursor::decode(self.list, after)?;
                (Some(at.parse().map_err(|_| Error::BadCursor)?), id)
            }
        };
        if looks_like_id(&id) { Ok(Some(Position { at, id })) } else { Err(Error::BadCursor) }
    }

    pub(super) fn cursor(&self, position: &Position) -> String {
        match position.at {
            None => cursor::encode(self.list, &[&position.id]),
            Some(at) => cursor::encode(self.list, &[&at.to_string(), &position.id]),
        }
    }

    pub(super) fn position(&self, item: &IssuedCertificate) -> Position {
        let at = match self.time {
            None => None,
            Some("renew_at") => Some(item.renew_at.unix_ms()),
            Some(_) => Some(item.validity.not_after().unix_ms()),
        };
        Position { at, id: item.id.as_str().to_owned() }
    }

    /// Pushes the condition "strictly after the position", on columns with this prefix.
    pub(super) fn push_after(&self, query: &mut Builder, prefix: &'static str, after: &Position) {
        match (self.time, after.at) {
            (Some(time), Some(at)) => {
                query.push("(").push(prefix).push(time).push(", ").push(prefix).push("id) > (");
                query.push_bind(at).push(", ").push_bind(after.id.clone()).push(")");
            }
            _ => {
                query.push(prefix).push(if self.descending { "id < " } else { "id > " }).push_bind(after.id.clone());
            }
        }
    }
}
