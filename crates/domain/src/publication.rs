//! Publication elsewhere: a CA's lists and certificates as objects of a folder or a bucket, and the URLs under which others
//! serve them.
//!
//! A **target** is a place that the operator of the server has set up; a CA names it and says how its objects are called. In
//! formats `{}` stands for the number of the CA's version, and `{shard}` for `N-I` where lists are cut: of `N` shards the
//! one with the index `I`; for a whole list it is `1-0`.

use crate::algorithm::named_enum;
use crate::crl::{CrlKind, CrlScope, Shards, retry_after};
use crate::id::CaId;
use crate::name::ResourceName;
use crate::time::{Span, Timestamp};
use crate::violation::Invalid;

mod format;

pub use format::{ObjectName, ObjectNameFormat, UrlFormat};

named_enum! {
    /// What an object holds.
    ObjectKind, "invalid_object_kind", "kind of object" {
        /// A full list.
        List = "LIST",
        /// A delta list.
        Delta = "DELTA",
        /// The certificate of a CA's version.
        Issuer = "ISSUER",
    }
}

impl ObjectKind {
    /// That of lists of a kind.
    pub fn of_list(kind: CrlKind) -> Self {
        match kind {
            CrlKind::Full => Self::List,
            CrlKind::Delta => Self::Delta,
        }
    }
}

/// How objects of one kind are called, and where others find them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    name: ObjectNameFormat,
    urls: Vec<UrlFormat>,
}

impl Placed {
    /// Most URLs of a kind of object: certificates carry all of them.
    pub const MAX_URLS: usize = 4;

    /// Checks how many URLs there are.
    pub fn new(name: ObjectNameFormat, urls: Vec<UrlFormat>) -> Result<Self, Invalid> {
        if urls.len() > Self::MAX_URLS {
            return Err(Invalid::new(
                "too_many_urls",
                format!("{} URLs were given; certificates carry {} at most.", urls.len(), Self::MAX_URLS),
                "Leave some of them out.",
            ));
        }
        Ok(Self { name, urls })
    }

    /// The format of names.
    pub fn name(&self) -> &ObjectNameFormat {
        &self.name
    }

    /// The formats of URLs; none: nobody else serves them under an address that certificates should carry.
    pub fn urls(&self) -> &[UrlFormat] {
        &self.urls
    }

    fn names_shards(&self) -> bool {
        self.name.has_shard() && self.urls.iter().all(UrlFormat::has_shard)
    }
}

/// What a CA publishes elsewhere. Two formats of it never give the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    target: ResourceName,
    list: Placed,
    delta: Option<Placed>,
    issuer: Option<Placed>,
}

/// A fault of a publication: the kind of object whose format is meant, and what is wrong.
pub type Misplaced = (ObjectKind, Invalid);

impl Publication {
    /// Most publications that a CA had before and that certificates still name.
    pub const MAX_PAST: usize = 8;

    /// Checks the formats against each other.
    pub fn new(
        target: ResourceName,
        list: Placed,
        delta: Option<Placed>,
        issuer: Option<Placed>,
    ) -> Result<Self, Misplaced> {
        if issuer.as_ref().is_some_and(|issuer| issuer.name.has_shard() || issuer.urls.iter().any(UrlFormat::has_shard))
        {
            let wrong = Invalid::new(
                "invalid_object_name_format",
                "The certificate of a CA is not cut into shards.",
                "Leave `{shard}` out of its formats.",
            );
            return Err((ObjectKind::Issuer, wrong));
        }
        let publication = Self { target, list, delta, issuer };
        let mut before: Vec<&Placed> = Vec::new();
        for (kind, placed) in publication.placed() {
            if let Some(other) = before.iter().find(|other| other.name.may_meet(&placed.name)) {
                return Err((kind, same_name(&placed.name, &format!("`{}` of this CA", other.name))));
            }
            before.push(placed);
        }
        Ok(publication)
    }

    /// The target's name.
    pub fn target(&self) -> &ResourceName {
        &self.target
    }

    /// What is published, by kind.
    pub fn placed(&self) -> impl Iterator<Item = (ObjectKind, &Placed)> {
        let delta = self.delta.iter().map(|placed| (ObjectKind::Delta, placed));
        let issuer = self.issuer.iter().map(|placed| (ObjectKind::Issuer, placed));
        std::iter::once((ObjectKind::List, &self.list)).chain(delta).chain(issuer)
    }

    /// Full lists.
    pub fn list(&self) -> &Placed {
        &self.list
    }

    /// Delta lists; `None`: they are not published elsewhere.
    pub fn delta(&self) -> Option<&Placed> {
        self.delta.as_ref()
    }

    /// The certificates of the CA's versions; `None`: they are not published elsewhere.
    pub fn issuer(&self) -> Option<&Placed> {
        self.issuer.as_ref()
    }

    /// Can lists that are cut like this be told apart?
    pub fn fits(&self, shards: Shards) -> Result<(), Misplaced> {
        let cut = |(kind, placed): &(ObjectKind, &Placed)| *kind == ObjectKind::Issuer || placed.names_shards();
        match self.placed().find(|placed| shards != Shards::ONE && !cut(placed)) {
            None => Ok(()),
            Some((kind, _)) => Err((
                kind,
                Invalid::new(
                    "format_without_shard",
                    format!("The CA's lists are cut into {} shards, which would all have one name.", shards.number()),
                    "Put `{shard}` into the format of the name and of each URL, for example `ca-{}-{shard}.crl`.",
                ),
            )),
        }
    }

    /// Could an object of this publication be one of the other's? `own`: the other is of the same CA, where one format may
    /// go on in another publication. The kind of object that would be, and why.
    pub fn refuse_meeting(&self, other: &Self, own: bool, whose: &str) -> Result<(), Misplaced> {
        if self.target != other.target {
            return Ok(());
        }
        for (kind, placed) in self.placed() {
            for (of, theirs) in other.placed() {
                let goes_on = own && kind == of && placed.name == theirs.name;
                if !goes_on && placed.name.may_meet(&theirs.name) {
                    return Err((kind, same_name(&placed.name, &format!("`{}` of {whose}", theirs.name))));
                }
            }
        }
        Ok(())
    }

    /// The name of a series' object; `None`: it is not published here.
    pub fn list_object(&self, scope: &CrlScope) -> Option<ObjectName> {
        self.of(scope).map(|placed| placed.name.expand(scope.ca_version, scope.shards, scope.shard))
    }

    /// Where others serve a series.
    pub fn list_urls(&self, scope: &CrlScope) -> Vec<String> {
        let urls = self.of(scope).map(Placed::urls).unwrap_or_default();
        urls.iter().map(|url| url.expand(scope.ca_version, scope.shards, scope.shard)).collect()
    }

    /// The name of the object with the certificate of a version; `None`: it is not published here.
    pub fn issuer_object(&self, ca_version: u32) -> Option<ObjectName> {
        self.issuer.as_ref().map(|placed| placed.name.expand(ca_version, Shards::ONE, 0))
    }

    /// Where others serve the certificate of a version.
    pub fn issuer_urls(&self, ca_version: u32) -> Vec<String> {
        let urls = self.issuer.as_ref().map(Placed::urls).unwrap_or_default();
        urls.iter().map(|url| url.expand(ca_version, Shards::ONE, 0)).collect()
    }

    fn of(&self, scope: &CrlScope) -> Option<&Placed> {
        let placed = match scope.kind {
            CrlKind::Full => Some(&self.list),
            CrlKind::Delta => self.delta.as_ref(),
        };
        placed.filter(|placed| scope.shards == Shards::ONE || placed.names_shards())
    }
}

impl std::fmt::Display for Publication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "target {}", self.target)?;
        for (kind, placed) in self.placed() {
            write!(f, " {kind} {}", placed.name)?;
            for url in &placed.urls {
                write!(f, " at {url}")?;
            }
        }
        Ok(())
    }
}

fn same_name(format: &ObjectNameFormat, other: &str) -> Invalid {
    Invalid::new(
        "object_name_taken",
        format!("`{format}` may give the same name as {other}: one would overwrite the other."),
        "Choose another format, for example with the CA's name in front.",
    )
}

/// A publication that a CA had before: its objects go on being written, because certificates of its day name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastPublication {
    /// The CA's revision until which it was in force.
    pub number: i64,
    /// What it was.
    pub publication: Publication,
    /// The last certificate that may name it has expired by then.
    pub retires_at: Timestamp,
}

/// An object of a target, as it was last written and as it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedObject {
    /// The target.
    pub target: ResourceName,
    /// The name, unique in the target.
    pub name: ObjectName,
    /// The CA.
    pub ca_id: CaId,
    /// Its version.
    pub ca_version: u32,
    /// What it holds.
    pub kind: ObjectKind,
    /// Into how many shards its list is cut.
    pub shards: Shards,
    /// Which of them, from 0.
    pub shard: u16,
    /// What is there: the id of the list, or the fingerprint of the certificate. `None`: not known; it is written.
    pub content: Option<String>,
    /// Number of that list.
    pub number: Option<i64>,
    /// When it was written.
    pub published_at: Option<Timestamp>,
    /// Failed attempts since the last success.
    pub failures: u32,
    /// The last attempt.
    pub last_attempt_at: Option<Timestamp>,
    /// Why it failed, in our words.
    pub last_error: Option<String>,
    /// No attempt is made before; while one is made: when another node may take over.
    pub next_attempt_at: Timestamp,
    /// Grows with every change.
    pub revision: i64,
}

impl PublishedObject {
    /// Failures after which it is told: a short outage is nobody's business.
    pub const TOLD_AFTER: u32 = 3;

    /// The object of a series, not written yet.
    pub fn of_list(target: &ResourceName, name: ObjectName, scope: &CrlScope, now: Timestamp) -> Self {
        let kind = ObjectKind::of_list(scope.kind);
        Self {
            shards: scope.shards,
            shard: scope.shard,
            ..Self::new(target, name, &scope.ca_id, scope.ca_version, kind, now)
        }
    }

    /// The object of a version's certificate, not written yet.
    pub fn of_issuer(target: &ResourceName, name: ObjectName, ca_id: &CaId, ca_version: u32, now: Timestamp) -> Self {
        Self::new(target, name, ca_id, ca_version, ObjectKind::Issuer, now)
    }

    fn new(
        target: &ResourceName,
        name: ObjectName,
        ca_id: &CaId,
        ca_version: u32,
        kind: ObjectKind,
        now: Timestamp,
    ) -> Self {
        Self {
            target: target.clone(),
            name,
            ca_id: ca_id.clone(),
            ca_version,
            kind,
            shards: Shards::ONE,
            shard: 0,
            content: None,
            number: None,
            published_at: None,
            failures: 0,
            last_attempt_at: None,
            last_error: None,
            next_attempt_at: now,
            revision: 1,
        }
    }

    /// The series whose lists it holds; `None`: it holds a certificate.
    pub fn scope(&self) -> Option<CrlScope> {
        let kind = match self.kind {
            ObjectKind::List => CrlKind::Full,
            ObjectKind::Delta => CrlKind::Delta,
            ObjectKind::Issuer => return None,
        };
        let (ca_id, ca_version) = (self.ca_id.clone(), self.ca_version);
        Some(CrlScope { ca_id, ca_version, shards: self.shards, shard: self.shard, kind })
    }

    /// Taken by a node that writes it now. Should the node die, another one may try after `until`.
    #[must_use]
    pub fn claimed(self, now: Timestamp, until: Timestamp) -> Self {
        Self { last_attempt_at: Some(now), next_attempt_at: until, ..self }
    }

    /// After it was written: the next content may follow at once.
    #[must_use]
    pub fn written(self, content: String, number: Option<i64>, now: Timestamp) -> Self {
        Self {
            content: Some(content),
            number,
            published_at: Some(now),
            failures: 0,
            last_error: None,
            next_attempt_at: now,
            ..self
        }
    }

    /// After it was not: it is tried again, for ever, at most ten minutes later.
    #[must_use]
    pub fn failed(self, error: String, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        Self { failures, last_error: Some(error), next_attempt_at: now.plus(retry_after(failures)), ..self }
    }
}

/// How long readers may keep a copy of a list that lapses at `next_update`: a tenth of what is left of it, at most five
/// minutes; so none is kept beyond it, whenever it was fetched, as long as its successor comes in time.
pub fn keep_for(now: Timestamp, next_update: Timestamp) -> Span {
    Span::from_ms((next_update.ms_since(now).max(0) / 10).min(Span::from_minutes(5).ms()))
}

#[cfg(test)]
mod tests;
