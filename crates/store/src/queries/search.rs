//! The search in the inventory. See [`super::walk`] for why it looks as it does.
//!
//! 1. Every filter that an index answers is a *source* of ids. The first source (the most selective kinds first) that
//!    holds at most [`FEW`] rows is taken whole: the other filters are judged on it, and it is sorted in memory.
//! 2. Without such a source the list is walked along an index that has the wanted order, in windows.

use super::issued::{issued_columns, read_issued};
use super::walk::{Position, Walk, number, page};
use super::{Driver, Error, Result, Row, Session, clamp};
use crate::{IssuedFilter, IssuedSort, Page, PageRequest, cursor};
use certwright_domain::id::looks_like_id;
use certwright_domain::issued::{IssuedCertificate, IssuedStatus};
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use sqlx::QueryBuilder;

type Builder = QueryBuilder<Driver>;

/// A source of so few rows is taken whole.
const FEW: usize = 2_000;

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
        if is_small(session, &source).await? {
            return take(session, &wanted, &source, order, clamp(request), after).await;
        }
    }
    page(session, &IssuedWalk { wanted: &wanted, order }, clamp(request), after).await
}

/// What `q` may mean: the text is tried as each.
struct Anything {
    prefix: String,
    name: String,
    serial: Option<Serial>,
    fingerprint: Option<Sha256>,
}

/// The filter, brought into the form of the columns.
struct Wanted<'f> {
    filter: &'f IssuedFilter,
    anything: Option<Anything>,
    common_name: Option<String>,
    /// Column and value.
    requester: Option<(&'static str, &'f str)>,
}

impl<'f> Wanted<'f> {
    fn of(filter: &'f IssuedFilter) -> Self {
        let anything = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()).map(|q| Anything {
            prefix: q.to_lowercase(),
            name: San::parse(q).map_or_else(|_| q.to_owned(), |name| name.to_string()),
            serial: Serial::parse(q).ok(),
            fingerprint: Sha256::parse(q).ok(),
        });
        // Ids have a colon, names of tokens cannot have one; the server itself is `system`.
        let requester = filter.requester.as_deref().map(|requester| {
            let by_id = requester.contains(':') || requester == "system";
            (if by_id { "requester" } else { "requester_name" }, requester)
        });
        Self { filter, anything, common_name: filter.name.as_deref().map(str::to_lowercase), requester }
    }

    /// The filters that an index answers, the most selective kinds first.
    fn sources(&self) -> Vec<Source<'_>> {
        let f = self.filter;
        let revoked = matches!(f.status, Some((IssuedStatus::Revoked, _)));
        [
            f.fingerprint.as_ref().map(Source::Fingerprint),
            f.serial.as_ref().map(Source::Serial),
            self.anything.as_ref().map(Source::Anything),
            f.san.as_deref().map(Source::San),
            self.common_name.as_deref().map(|name| Source::Column("common_name_lower", name)),
            self.requester.map(|(column, value)| Source::Column(column, value)),
            revoked.then_some(Source::Revoked),
            f.ca_id.as_ref().map(|id| Source::Column("ca_id", id.as_str())),
            f.profile.as_deref().map(|profile| Source::Column("profile", profile)),
            (f.expires_before.is_some() || f.expires_after.is_some()).then_some(Source::Range(
                "not_after",
                f.expires_after.map(|at| at.unix_ms()),
                f.expires_before.map(|at| at.unix_ms()),
            )),
            f.renew_before.map(|at| Source::Range("renew_at", None, Some(at.unix_ms()))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Does it ask for nothing but what the drive of `order` answers?
    fn is_answered_by(&self, driver: Option<(&'static str, &str)>, san_drives: bool) -> bool {
        let f = self.filter;
        let columns = [
            self.common_name.as_deref().map(|name| ("common_name_lower", name)),
            self.requester,
            f.ca_id.as_ref().map(|id| ("ca_id", id.as_str())),
            f.profile.as_deref().map(|profile| ("profile", profile)),
        ];
        f.fingerprint.is_none()
            && f.serial.is_none()
            && self.anything.is_none()
            && (f.san.is_none() || san_drives)
            && columns.into_iter().flatten().all(|column| driver == Some(column))
            && f.status.is_none()
            && f.expires_before.is_none()
            && f.expires_after.is_none()
            && f.renew_before.is_none()
            && f.kind.is_none()
            && f.include_system
    }

    /// Pushes every filter as a condition on `t`, each with a leading AND.
    fn push_conditions(&self, query: &mut Builder) {
        let f = self.filter;
        if let Some(fingerprint) = &f.fingerprint {
            query.push(" AND t.fingerprint = ").push_bind(fingerprint.0.to_vec());
        }
        if let Some(serial) = &f.serial {
            query.push(" AND t.serial = ").push_bind(serial.as_bytes().to_vec());
        }
        if let Some(anything) = &self.anything {
            push_anything(query, anything);
        }
        if let Some(san) = &f.san {
            query.push(" AND EXISTS (SELECT 1 FROM issued_names n WHERE n.issued_id = t.id AND n.value = ");
            query.push_bind(san.clone()).push(")");
        }
        if let Some(name) = &self.common_name {
            query.push(" AND t.common_name_lower = ").push_bind(name.clone());
        }
        if let Some((column, value)) = self.requester {
            query.push(" AND t.").push(column).push(" = ").push_bind(value.to_owned());
        }
        if let Some(ca) = &f.ca_id {
            query.push(" AND t.ca_id = ").push_bind(ca.as_str().to_owned());
        }
        if let Some(profile) = &f.profile {
            query.push(" AND t.profile = ").push_bind(profile.clone());
        }
        if let Some(kind) = f.kind {
            query.push(" AND t.kind = ").push_bind(kind.as_str());
        }
        if let Some((status, now)) = f.status {
            // As `IssuedCertificate::status`: the last second belongs to the validity.
            let now = now.floor_to_second().unix_ms();
            match status {
                IssuedStatus::Revoked => query.push(" AND t.revoked_at IS NOT NULL"),
                IssuedStatus::Valid => query.push(" AND t.revoked_at IS NULL AND t.not_after >= ").push_bind(now),
                IssuedStatus::Expired => query.push(" AND t.revoked_at IS NULL AND t.not_after < ").push_bind(now),
            };
        }
        push_range(
            query,
            " AND t.not_after",
            f.expires_after.map(|t| t.unix_ms()),
            f.expires_before.map(|t| t.unix_ms()),
        );
        push_range(query, " AND t.renew_at", None, f.renew_before.map(|t| t.unix_ms()));
        if !f.include_system {
            query.push(" AND t.ca_id NOT IN (SELECT id FROM certificate_authorities WHERE system = 1)");
        }
    }
}

fn push_anything(query: &mut Builder, anything: &Anything) {
    query.push(" AND ((t.common_name_lower >= ").push_bind(anything.prefix.clone());
    query.push(" AND t.common_name_lower < ").push_bind(beyond(&anything.prefix)).push(")");
    query.push(" OR EXISTS (SELECT 1 FROM issued_names n WHERE n.issued_id = t.id AND n.value = ");
    query.push_bind(anything.name.clone()).push(")");
    if let Some(serial) = &anything.serial {
        query.push(" OR t.serial = ").push_bind(serial.as_bytes().to_vec());
    }
    if let Some(fingerprint) = &anything.fingerprint {
        query.push(" OR t.fingerprint = ").push_bind(fingerprint.0.to_vec());
    }
    query.push(")");
}

/// Sorts after everything that begins with `prefix` (by bytes, as both databases compare here).
fn beyond(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

fn push_range(query: &mut Builder, column: &'static str, from: Option<i64>, before: Option<i64>) {
    if let Some(from) = from {
        query.push(column).push(" >= ").push_bind(from);
    }
    if let Some(before) = before {
        query.push(column).push(" < ").push_bind(before);
    }
}

/// A filter that an index answers.
enum Source<'f> {
    Fingerprint(&'f Sha256),
    Serial(&'f Serial),
    Anything(&'f Anything),
    San(&'f str),
    Column(&'static str, &'f str),
    Revoked,
    Range(&'static str, Option<i64>, Option<i64>),
}

impl Source<'_> {
    /// Pushes a statement that yields its ids, at most one more than [`FEW`] from each of its parts.
    fn push_ids(&self, query: &mut Builder) {
        const FROM: &str = "SELECT id FROM issued_certificates WHERE ";
        let most = number(FEW.saturating_add(1));
        match self {
            Self::Fingerprint(fingerprint) => {
                query.push(FROM).push("fingerprint = ").push_bind(fingerprint.0.to_vec());
            }
            Self::Serial(serial) => {
                query.push(FROM).push("serial = ").push_bind(serial.as_bytes().to_vec());
            }
            Self::San(name) => {
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
                query.push("SELECT id FROM (SELECT id FROM issued_certificates WHERE common_name_lower >= ");
                query.push_bind(anything.prefix.clone()).push(" AND common_name_lower < ");
                query.push_bind(beyond(&anything.prefix)).push(" LIMIT ").push_bind(most).push(") AS by_common_name");
                query.push(" UNION SELECT id FROM (SELECT issued_id AS id FROM issued_names WHERE value = ");
                query.push_bind(anything.name.clone()).push(" LIMIT ").push_bind(most).push(") AS by_name");
                if let Some(serial) = &anything.serial {
                    query.push(" UNION ").push(FROM).push("serial = ").push_bind(serial.as_bytes().to_vec());
                }
                if let Some(fingerprint) = &anything.fingerprint {
                    query.push(" UNION ").push(FROM).push("fingerprint = ").push_bind(fingerprint.0.to_vec());
                }
            }
        }
    }
}

/// Does the source hold few rows?
async fn is_small(session: &mut Session, source: &Source<'_>) -> Result<bool> {
    let mut query = Builder::new("SELECT COUNT(*) AS found FROM (SELECT id FROM (");
    source.push_ids(&mut query);
    query.push(") AS ids LIMIT ").push_bind(number(FEW.saturating_add(1))).push(") AS few");
    let rows = session.built(query).await?;
    let found = super::vaults::count(rows.first())?;
    Ok(usize::try_from(found).is_ok_and(|found| found <= FEW))
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
    source.push_ids(&mut query);
    query
        .push(") AS ids LIMIT ")
        .push_bind(number(FEW))
        .push(") AS w CROSS JOIN issued_certificates t WHERE t.id = w.id");
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

/// An order of the inventory, as SQL.
#[derive(Clone, Copy)]
struct Order {
    /// Tag of its cursors.
    list: &'static str,
    /// The time it goes by, if any; the id decides among equals.
    time: Option<&'static str>,
    descending: bool,
    /// ORDER BY on the table.
    by: &'static str,
    /// ORDER BY on `t`.
    by_t: &'static str,
}

impl Order {
    fn of(sort: IssuedSort) -> Self {
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
    fn after(&self, request: &PageRequest) -> Result<Option<Position>> {
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

    fn cursor(&self, position: &Position) -> String {
        match position.at {
            None => cursor::encode(self.list, &[&position.id]),
            Some(at) => cursor::encode(self.list, &[&at.to_string(), &position.id]),
        }
    }

    fn position(&self, item: &IssuedCertificate) -> Position {
        let at = match self.time {
            None => None,
            Some("renew_at") => Some(item.renew_at.unix_ms()),
            Some(_) => Some(item.validity.not_after().unix_ms()),
        };
        Position { at, id: item.id.as_str().to_owned() }
    }

    /// Pushes the condition "strictly after the position", on columns with this prefix.
    fn push_after(&self, query: &mut Builder, prefix: &'static str, after: &Position) {
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

/// The walk along the index of an order.
struct IssuedWalk<'w> {
    wanted: &'w Wanted<'w>,
    order: Order,
}

impl IssuedWalk<'_> {
    /// The column whose index (column, id) drives an order by id.
    fn driver(&self) -> Option<(&'static str, &str)> {
        let f = self.wanted.filter;
        if self.order.time.is_some() || f.san.is_some() {
            return None;
        }
        let name = self.wanted.common_name.as_deref().map(|name| ("common_name_lower", name));
        name.or(self.wanted.requester)
            .or_else(|| f.profile.as_deref().map(|profile| ("profile", profile)))
            .or_else(|| f.ca_id.as_ref().map(|id| ("ca_id", id.as_str())))
    }

    fn san_drives(&self) -> bool {
        self.order.time.is_none() && self.wanted.filter.san.is_some()
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
        if let (true, Some(san)) = (self.san_drives(), &self.wanted.filter.san) {
            query
                .push("SELECT id FROM (SELECT issued_id AS id FROM issued_names WHERE value = ")
                .push_bind(san.clone());
            if let Some(after) = after {
                query.push(if self.order.descending { " AND issued_id < " } else { " AND issued_id > " });
                query.push_bind(after.id.clone());
            }
            query.push(") AS named").push(self.order.by);
            return;
        }
        query.push("SELECT id");
        if let Some(time) = self.order.time {
            query.push(", ").push(time).push(" AS at");
        }
        query.push(" FROM issued_certificates WHERE 1 = 1");
        if let Some((column, value)) = self.driver() {
            query.push(" AND ").push(column).push(" = ").push_bind(value.to_owned());
        }
        if let (Some(_), Some(ca)) = (self.order.time.filter(|time| *time == "not_after"), &self.wanted.filter.ca_id) {
            query.push(" AND ca_id = ").push_bind(ca.as_str().to_owned());
        }
        let (from, before) = self.time_range();
        match self.order.time {
            Some("not_after") => push_range(query, " AND not_after", from, before),
            _ => push_range(query, " AND renew_at", from, before),
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
        query.push(") AS w CROSS JOIN issued_certificates t WHERE t.id = w.id");
        self.wanted.push_conditions(query);
        query.push(self.order.by_t);
    }

    fn is_whole(&self) -> bool {
        self.wanted.is_answered_by(self.driver(), self.san_drives())
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
