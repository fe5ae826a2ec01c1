//! Walks along an index in windows: how lists with any combination of filters stay flat.
//!
//! The filter that an index answers drives, the others are judged on the rows it yields. A statement that did both at
//! once would leave the choice of the index to a planner that may sort or scan the whole table for it. So the driving
//! part is a subquery that reads nothing but the index, in the order of the list, up to a limit: there is one way to run
//! it. Windows grow while they yield too little, and after [`BUDGET`] rows the page ends early, with a cursor: one call
//! never costs more than that, however large the table and rare the matches. (Empty pages get [`LAST_BUDGET`].)

use super::{Driver, Result, Row, Session};
use crate::Page;
use sqlx::{QueryBuilder, Row as _};

/// Most index entries that one page looks at.
const BUDGET: usize = 50_000;
/// Most that a page without any row yet looks at: an empty page with a next one is a nuisance, if a rare one.
const LAST_BUDGET: usize = 100_000;
/// Most index entries of one window.
const LARGEST_WINDOW: usize = 8_192;
/// How much larger the next window is.
const GROWTH: usize = 8;

/// Where a page ended: the order's time (where the order has one) and the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) at: Option<i64>,
    pub(super) id: String,
}

/// A list that can be walked.
pub(super) trait Walk: Send + Sync {
    /// A row of the list.
    type Item: Send;

    /// Pushes the driving subquery without its LIMIT: columns `id` and, in orders by time, `at`, in the list's order,
    /// strictly after `after`.
    fn drive(&self, query: &mut QueryBuilder<Driver>, after: Option<&Position>);
    /// Pushes the statement around the driving one, which `drive` pushes: everything a row needs, the other filters, the order.
    fn rows(&self, query: &mut QueryBuilder<Driver>, drive: &mut dyn FnMut(&mut QueryBuilder<Driver>));
    /// Reads a row.
    fn read(&self, row: &Row) -> Result<Self::Item>;
    /// Where a row stands.
    fn position(&self, item: &Self::Item) -> Position;
    /// The cursor of a position.
    fn cursor(&self, position: &Position) -> String;
}

/// A page of the list.
pub(super) async fn page<W: Walk>(
    session: &mut Session,
    list: &W,
    limit: usize,
    after: Option<Position>,
) -> Result<Page<W::Item>> {
    let mut items: Vec<W::Item> = Vec::new();
    let mut after = after;
    let mut window = limit.saturating_add(1);
    let mut seen = 0_usize;
    loop {
        let wanted = limit.saturating_add(1).saturating_sub(items.len());
        for row in session.built(window_rows(list, after.as_ref(), window, wanted)).await? {
            items.push(list.read(&row)?);
        }
        if items.len() > limit {
            items.truncate(limit);
            let next = items.last().map(|item| list.cursor(&list.position(item)));
            return Ok(Page { items, next });
        }
        let Some(end) = window_end(session, list, after.as_ref(), window).await? else {
            return Ok(Page { items, next: None });
        };
        seen = seen.saturating_add(window);
        if seen >= if items.is_empty() { LAST_BUDGET } else { BUDGET } {
            return Ok(Page { items, next: Some(list.cursor(&end)) });
        }
        after = Some(end);
        window = window.saturating_mul(GROWTH).min(LARGEST_WINDOW);
    }
}

fn window_rows<W: Walk>(list: &W, after: Option<&Position>, window: usize, wanted: usize) -> QueryBuilder<Driver> {
    let mut query = QueryBuilder::new("");
    list.rows(&mut query, &mut |query| {
        list.drive(query, after);
        query.push(" LIMIT ").push_bind(number(window));
    });
    query.push(" LIMIT ").push_bind(number(wanted));
    query
}

/// The last position of a window, or `None` when the index ends within it.
async fn window_end<W: Walk>(
    session: &mut Session,
    list: &W,
    after: Option<&Position>,
    window: usize,
) -> Result<Option<Position>> {
    let mut query = QueryBuilder::new("");
    list.drive(&mut query, after);
    query.push(" LIMIT 1 OFFSET ").push_bind(number(window.saturating_sub(1)));
    let rows = session.built(query).await?;
    rows.first()
        .map(|row| {
            Ok(Position { at: row.try_get("at").ok(), id: row.try_get("id").map_err(crate::Error::from_driver)? })
        })
        .transpose()
}

/// A count as a bound value.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
