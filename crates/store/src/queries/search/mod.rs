//! The search in the inventory. See [`super::walk`] for why it looks as it does.
//!
//! 1. Every filter that an index answers is a *source* of ids. The first source (the most selective kinds first) that
//!    holds at most [`FEW`] rows is taken whole: the other filters are judged on it, and it is sorted in memory.
//! 2. Without such a source the list is walked along an index that has the wanted order, in windows. For an order by id,
//!    the ids of a source of at most [`MANY`] rows may be sorted first.

mod order;
mod source;
mod wanted;

use super::super::EACH_ISSUED;
use super::issued::{issued_columns, read_issued};
use super::walk::{Position, Walk, number, page};
use super::{Driver, Error, Result, Row, Session, clamp};
use crate::{IssuedFilter, Page, PageRequest};
use certwright_domain::id::CaId;
use certwright_domain::issued::{IssuedCertificate, IssuedStatus};
use order::Order;
use source::{Source, holds_at_most};
use sqlx::QueryBuilder;
use wanted::Wanted;

type Builder = QueryBuilder<Driver>;

/// A source of so few rows is taken whole.
const FEW: usize = 2_000;
/// The ids of a source of so many rows are sorted to drive an order by id.
const MANY: usize = 300_000;

/// A page of the search.
pub(super) async fn run(
    session: &mut Session,
    filter: &IssuedFilter,
    request: &PageRequest,
) -> Result<Page<IssuedCertificate>> {
    let order = Order::of(filter.sort);
    let after = order.after(request)?;
    let texts = [&filter.q, &filter.name, &filter.san, &filter.profile, &filter.requester];
    // No row holds a NUL, and PostgreSQL would refuse the statement.
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let wanted = Wanted::of(filter);
    for source in wanted.sources() {
        if holds_at_most(session, &source, FEW).await? {
            return take(session, &wanted, &source, order, clamp(request), after).await;
        }
    }
    let mut sorted = None;
    if order.time.is_none() && filter.san.is_none() && filter.name.is_none() {
        for source in wanted.sortable_sources() {
            if holds_at_most(session, &source, MANY).await? {
                sorted = Some(source);
                break;
            }
        }
    }
    page(session, &IssuedWalk::new(&wanted, order, sorted.as_ref()), clamp(request), after).await
}

/// A page of a small source.
async fn take(
    session: &mut Session,
    wanted: &Wanted<'_>,
    source: &Source<'_>,
    order: Order,
    limit: usize,
    after: Option<Position>,
) -> Result<Page<IssuedCertificate>> {
    let mut query = Builder::new(concat!("SELECT ", issued_columns!(), " FROM ("));
    query.push("SELECT DISTINCT id FROM (");
    source.push_ids(&mut query, FEW);
    query.push(") AS ids LIMIT ").push_bind(number(FEW)).push(") AS w").push(EACH_ISSUED);
    wanted.push_conditions(&mut query);
    if let Some(after) = &after {
        query.push(" AND ");
        order.push_after(&mut query, "t.", after);
    }
    query.push(order.by_t).push(" LIMIT ").push_bind(number(limit.saturating_add(1)));
    let rows = session.built(query).await?;
    let mut items = rows.iter().map(read_issued).collect::<Result<Vec<_>>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|item| order.cursor(&order.position(item)));
    Ok(Page { items, next })
}

/// What a walk follows.
enum Drive<'w> {
    /// The rows of a name, by id.
    Name(&'w str),
    /// An index on a column and the id (or, in the order of expiry, the CA's).
    Column(&'static str, &'w str),
    /// The revoked ones, by id.
    Revoked,
    /// The sorted ids of a source.
    Sorted(&'w Source<'w>),
    /// The index of the order itself.
    Everything,
}

/// The walk along the index of an order.
struct IssuedWalk<'w> {
    wanted: &'w Wanted<'w>,
    order: Order,
    drive: Drive<'w>,
}

impl<'w> IssuedWalk<'w> {
    fn new(wanted: &'w Wanted<'w>, order: Order, sorted: Option<&'w Source<'w>>) -> Self {
        let f = wanted.filter;
        let column = |name, value: Option<&'w str>| value.map(|value| Drive::Column(name, value));
        let by_id = || {
            f.san
                .as_deref()
                .or(wanted.common_name.as_deref())
                .map(Drive::Name)
                .or(sorted.map(Drive::Sorted))
                .or_else(|| wanted.is_revoked().then_some(Drive::Revoked))
                .or_else(|| wanted.requester.map(|(column, value)| Drive::Column(column, value)))
                .or_else(|| column("profile", f.profile.as_deref()))
                .or_else(|| column("ca_id", f.ca_id.as_ref().map(CaId::as_str)))
        };
        let drive = match order.time {
            None => by_id(),
            Some("not_after") => column("ca_id", f.ca_id.as_ref().map(CaId::as_str)),
            Some(_) => None,
        };
        Self { wanted, order, drive: drive.unwrap_or(Drive::Everything) }
    }

    /// The part of the time index that can hold matches.
    fn time_range(&self) -> (Option<i64>, Option<i64>) {
        let f = self.wanted.filter;
        match self.order.time {
            Some("not_after") => {
                let from = f.expires_after.map(|at| at.unix_ms());
                let before = f.expires_before.map(|at| at.unix_ms());
                match f.status.map(|(status, now)| (status, now.floor_to_second().unix_ms())) {
                    Some((IssuedStatus::Valid, now)) => (Some(from.map_or(now, |from| from.max(now))), before),
                    Some((IssuedStatus::Expired, now)) => (from, Some(before.map_or(now, |before| before.min(now)))),
                    _ => (from, before),
                }
            }
            Some(_) => (None, f.renew_before.map(|at| at.unix_ms())),
            None => (None, None),
        }
    }
}

impl Walk for IssuedWalk<'_> {
    type Item = IssuedCertificate;

    fn drive(&self, query: &mut Builder, after: Option<&Position>) {
        query.push("SELECT id");
        if let Some(time) = self.order.time {
            query.push(", ").push(time).push(" AS at");
        }
        query.push(" FROM ");
        match &self.drive {
            Drive::Name(name) => {
                query.push("(SELECT issued_id AS id FROM issued_names WHERE value = ").push_bind((*name).to_owned());
                query.push(") AS named WHERE 1 = 1");
            }
            Drive::Sorted(source) => {
                query.push("(");
                source.push_ids(query, MANY);
                query.push(") AS ids WHERE 1 = 1");
            }
            Drive::Column(column, value) => {
                query.push("issued_certificates WHERE ").push(column).push(" = ").push_bind((*value).to_owned());
            }
            Drive::Revoked => {
                query.push("issued_certificates WHERE revoked_at IS NOT NULL");
            }
            Drive::Everything => {
                query.push("issued_certificates WHERE 1 = 1");
            }
        }
        if let Some(time) = self.order.time {
            let (from, before) = self.time_range();
            query.push(" AND ").push(time).push(" >= ").push_bind(from.unwrap_or(i64::MIN));
            query.push(" AND ").push(time).push(" < ").push_bind(before.unwrap_or(i64::MAX));
        }
        if let Some(after) = after {
            query.push(" AND ");
            self.order.push_after(query, "", after);
        }
        query.push(self.order.by);
    }

    fn rows(&self, query: &mut Builder, drive: &mut dyn FnMut(&mut Builder)) {
        query.push(concat!("SELECT ", issued_columns!(), " FROM ("));
        drive(query);
        query.push(") AS w").push(EACH_ISSUED);
        self.wanted.push_conditions(query);
        query.push(self.order.by_t);
    }

    fn read(&self, row: &Row) -> Result<IssuedCertificate> {
        read_issued(row)
    }

    fn position(&self, item: &IssuedCertificate) -> Position {
        self.order.position(item)
    }

    fn cursor(&self, position: &Position) -> String {
        self.order.cursor(position)
    }
}

/// The drive of this filter's walk, to be explained.
#[cfg(test)]
pub(crate) fn explain_drive(explain: &'static str, filter: &IssuedFilter, is_first_page: bool) -> Builder {
    let (wanted, order) = (Wanted::of(filter), Order::of(filter.sort));
    let after = Position { at: order.time.map(|_| 1), id: "issued_01JD8XK4M2W7Z3T5V9YQ6B1C0D".to_owned() };
    let mut query = Builder::new(explain);
    IssuedWalk::new(&wanted, order, None).drive(&mut query, Some(&after).filter(|_| !is_first_page));
    query.push(" LIMIT 50");
    query
}
