//! Calls to renew early.

use super::issued::{issued_columns, read_issued};
use super::page::{id_after, one_more};
use super::{Reading, Result, Row, Session, clamp, name_page, sql, swapped};
use crate::{EarlyRenewalQueries, Page, PageRequest, cursor};
use async_trait::async_trait;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::{AcmeDirectoryId, CaId, EarlyRenewalId, IssuedId};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::name::ResourceName;
use certwright_domain::renewal::{EarlyRenewal, EarlyRenewalTerms, MovedRenewal};
use certwright_domain::time::{Span, Timestamp};

const TABLE: &str = "early_renewals";
const MOVED: &str = "moved_renewals";
/// Sorts after every id.
const ABOVE_EVERY_ID: &str = "~";

macro_rules! select_call {
    ($rest:literal) => {
        concat!(
            "SELECT id, ca_id, created_at, issued_before, profile, directory_id, renew_from, spread, reason, \
             explanation_url, reached, moved, settled_at, withdrawn_at, revision FROM early_renewals ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<EarlyRenewal> {
    let row = Reading::of(row, TABLE, "id")?;
    let terms = EarlyRenewalTerms {
        issued_before: row.time("issued_before")?,
        profile: row.parse_optional("profile", ResourceName::parse)?,
        directory: row.parse_optional("directory_id", AcmeDirectoryId::parse)?,
        from: row.time("renew_from")?,
        spread: Span::from_ms(row.get("spread")?),
        reason: row.text("reason")?,
        explanation_url: row.parse_optional("explanation_url", HttpUrl::parse)?,
    };
    Ok(EarlyRenewal {
        id: row.parse("id", EarlyRenewalId::parse)?,
        ca: row.parse("ca_id", CaId::parse)?,
        terms,
        created_at: row.time("created_at")?,
        reached: row.text("reached")?,
        moved: u64::try_from(row.get::<i64>("moved")?).map_err(|_| row.corrupt("moved"))?,
        settled_at: row.time_optional("settled_at")?,
        withdrawn_at: row.time_optional("withdrawn_at")?,
        revision: row.get("revision")?,
    })
}

fn read_moved(row: &Row) -> Result<MovedRenewal> {
    let row = Reading::of(row, MOVED, "issued_id")?;
    Ok(MovedRenewal {
        issued: row.parse("issued_id", IssuedId::parse)?,
        call: row.parse("early_renewal_id", EarlyRenewalId::parse)?,
        renew_at: row.time("renew_at")?,
        usual: row.time("usual_renew_at")?,
    })
}

#[async_trait]
impl EarlyRenewalQueries for Session {
    async fn insert_early_renewal(&mut self, call: &EarlyRenewal) -> Result<()> {
        let terms = &call.terms;
        self.execute(
            sql(
                "INSERT INTO early_renewals (id, ca_id, created_at, issued_before, profile, directory_id, renew_from, \
                 spread, reason, explanation_url, reached, moved, settled_at, withdrawn_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            )
            .bind(call.id.as_str())
            .bind(call.ca.as_str())
            .bind(call.created_at.unix_ms())
            .bind(terms.issued_before.unix_ms())
            .bind(terms.profile.as_ref().map(ResourceName::as_str))
            .bind(terms.directory.as_ref().map(AcmeDirectoryId::as_str))
            .bind(terms.from.unix_ms())
            .bind(terms.spread.ms())
            .bind(terms.reason.as_str())
            .bind(terms.explanation_url.as_ref().map(ToString::to_string))
            .bind(call.reached.as_str())
            .bind(i64::try_from(call.moved).unwrap_or(i64::MAX))
            .bind(call.settled_at.map(Timestamp::unix_ms))
            .bind(call.withdrawn_at.map(Timestamp::unix_ms))
            .bind(call.revision),
        )
        .await
        .map(drop)
    }

    async fn early_renewal(&mut self, id: &EarlyRenewalId) -> Result<Option<EarlyRenewal>> {
        self.optional(sql(select_call!("WHERE id = $1")).bind(id.as_str())).await?.as_ref().map(read).transpose()
    }

    async fn early_renewals(&mut self, ca: &CaId, page: &PageRequest) -> Result<Page<EarlyRenewal>> {
        let before = id_after(TABLE, page)?.unwrap_or_else(|| ABOVE_EVERY_ID.to_owned());
        let statement = sql(select_call!("WHERE ca_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"));
        let rows = self.all(statement.bind(ca.as_str()).bind(before).bind(one_more(clamp(page)))).await?;
        let calls = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(name_page(calls, page, |call: &EarlyRenewal| cursor::encode(TABLE, &[call.id.as_str()])))
    }

    async fn open_early_renewals(&mut self, limit: u32) -> Result<Vec<EarlyRenewal>> {
        let statement = sql(select_call!("WHERE settled_at IS NULL ORDER BY id LIMIT $1"));
        self.all(statement.bind(i64::from(limit))).await?.iter().map(read).collect()
    }

    async fn update_early_renewal(&mut self, call: &EarlyRenewal) -> Result<()> {
        let statement = sql("UPDATE early_renewals SET reached = $3, moved = $4, settled_at = $5, withdrawn_at = $6, \
                             revision = revision + 1 WHERE id = $1 AND revision = $2")
        .bind(call.id.as_str())
        .bind(call.revision)
        .bind(call.reached.as_str())
        .bind(i64::try_from(call.moved).unwrap_or(i64::MAX))
        .bind(call.settled_at.map(Timestamp::unix_ms))
        .bind(call.withdrawn_at.map(Timestamp::unix_ms));
        swapped(self.execute(statement).await?, TABLE)
    }

    async fn delete_early_renewal(&mut self, id: &EarlyRenewalId, revision: i64) -> Result<()> {
        let statement = sql("DELETE FROM early_renewals WHERE id = $1 AND revision = $2");
        swapped(self.execute(statement.bind(id.as_str()).bind(revision)).await?, TABLE)
    }

    async fn issued_behind(&mut self, ca: &CaId, id: &str, limit: u32) -> Result<Vec<IssuedCertificate>> {
        let statement = sql(concat!(
            "SELECT ",
            issued_columns!(),
            " FROM issued_certificates t WHERE t.ca_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3"
        ));
        let rows = self.all(statement.bind(ca.as_str()).bind(id.to_owned()).bind(i64::from(limit))).await?;
        rows.iter().map(read_issued).collect()
    }

    async fn moved_renewal(&mut self, issued: &IssuedId) -> Result<Option<MovedRenewal>> {
        let statement = sql(
            "SELECT issued_id, early_renewal_id, renew_at, usual_renew_at FROM moved_renewals WHERE issued_id = $1",
        );
        self.optional(statement.bind(issued.as_str())).await?.as_ref().map(read_moved).transpose()
    }

    async fn moved_renewals(&mut self, call: &EarlyRenewalId, limit: u32) -> Result<Vec<MovedRenewal>> {
        let statement = sql("SELECT issued_id, early_renewal_id, renew_at, usual_renew_at FROM moved_renewals \
                             WHERE early_renewal_id = $1 ORDER BY issued_id LIMIT $2");
        self.all(statement.bind(call.as_str()).bind(i64::from(limit))).await?.iter().map(read_moved).collect()
    }

    async fn move_renewal(&mut self, moved: &MovedRenewal, before: Timestamp) -> Result<()> {
        let (issued, at) = (moved.issued.as_str(), moved.renew_at.unix_ms());
        let statement = sql("UPDATE issued_certificates SET renew_at = $3 WHERE id = $1 AND renew_at = $2");
        swapped(self.execute(statement.bind(issued).bind(before.unix_ms()).bind(at)).await?, "issued_certificates")?;
        let statement = sql("INSERT INTO moved_renewals (issued_id, early_renewal_id, renew_at, usual_renew_at) \
                             VALUES ($1, $2, $3, $4) ON CONFLICT (issued_id) DO UPDATE SET \
                             early_renewal_id = excluded.early_renewal_id, renew_at = excluded.renew_at");
        let statement = statement.bind(issued).bind(moved.call.as_str()).bind(at).bind(moved.usual.unix_ms());
        self.execute(statement).await?;
        // Whoever read the row before writes nothing over it: the revision has grown.
        let statement = sql("UPDATE certificates SET next_attempt_at = $2, revision = revision + 1 \
                             WHERE next_attempt_at > $2 AND id IN (SELECT v.certificate_id FROM certificate_versions v \
                             WHERE v.issued_id = $1 AND v.number = certificates.current_version)");
        self.execute(statement.bind(issued).bind(at)).await.map(drop)
    }

    async fn set_usual_renewal(&mut self, issued: &IssuedId, usual: Timestamp) -> Result<()> {
        // The inventory's row first, as when it is moved: what was moved is read while nobody else moves it.
        for statement in [
            "UPDATE issued_certificates SET renew_at = $2 WHERE id = $1",
            "UPDATE moved_renewals SET usual_renew_at = $2 WHERE issued_id = $1",
            "UPDATE issued_certificates SET renew_at = m.renew_at FROM moved_renewals m \
             WHERE issued_certificates.id = $1 AND m.issued_id = $1 AND m.renew_at < $2",
        ] {
            self.execute(sql(statement).bind(issued.as_str()).bind(usual.unix_ms())).await?;
        }
        Ok(())
    }

    async fn put_renewal_back(&mut self, moved: &MovedRenewal) -> Result<()> {
        let statement = sql("UPDATE issued_certificates SET renew_at = $3 WHERE id = $1 AND renew_at = $2");
        let statement = statement.bind(moved.issued.as_str()).bind(moved.renew_at.unix_ms());
        self.execute(statement.bind(moved.usual.unix_ms())).await?;
        // Another call may have moved it since.
        let statement =
            sql("DELETE FROM moved_renewals WHERE issued_id = $1 AND early_renewal_id = $2 AND renew_at = $3");
        let statement = statement.bind(moved.issued.as_str()).bind(moved.call.as_str());
        self.execute(statement.bind(moved.renew_at.unix_ms())).await.map(drop)
    }
}
