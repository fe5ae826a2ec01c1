//! CAA records (RFC 8659) with the parameters of RFC 8657.
//!
//! [`look`] climbs from the name to its parents until one has records; [`judge`] says what they mean and does nothing else.

use crate::dns::{CaaRecord, Data, Kind, Resolve};
use certwright_app::CaaCheck;
use certwright_domain::acme::{Failure, FailureKind};

/// Labels of a name that are climbed; DNS names have 127 at most.
const LABELS: usize = 127;
/// Bytes of a property value that are read.
const VALUE: usize = 4096;
/// Characters of what a record says that we repeat.
const SHOWN: usize = 100;

/// Finds the records that count for the name and judges them. A look-up that fails refuses (RFC 8659 section 3).
pub(crate) async fn look(resolver: &dyn Resolve, check: &CaaCheck<'_>) -> Result<(), Failure> {
    let mut place = check.name.base();
    for _ in 0..LABELS {
        match resolver.lookup(place, Kind::Caa).await {
            Ok(found) => {
                let records: Vec<CaaRecord> = found.into_iter().filter_map(only).collect();
                return judge(&records, check).map_err(|refusal| {
                    let detail = format!("The CAA records of {place} do not allow {}: {refusal}.", check.name.as_str());
                    Failure::new(FailureKind::Caa, detail)
                });
            }
            Err(error) if error.is_absence() => {}
            Err(error) => {
                let detail = format!("The CAA records of {place} cannot be looked up: {error}.");
                return Err(Failure::new(FailureKind::Caa, detail));
            }
        }
        match place.split_once('.') {
            Some((_, parent)) => place = parent,
            None => return Ok(()),
        }
    }
    Err(Failure::new(FailureKind::Caa, format!("{} has too many labels.", check.name.as_str())))
}

fn only(data: Data) -> Option<CaaRecord> {
    match data {
        Data::Caa(record) => Some(record),
        _ => None,
    }
}

/// Why records do not let us issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A property that we do not know has the critical flag.
    #[error("the property `{0}` is critical and not known here")]
    Critical(String),
    /// No record names us.
    #[error("none of {0} `{1}` records names this CA ({2})")]
    Others(usize, &'static str, String),
    /// Records name us, and their parameters ask for something else.
    #[error("a record names this CA, but {0}")]
    Parameters(&'static str),
}

/// Do these records, the whole set of one name, let us issue?
pub(crate) fn judge(records: &[CaaRecord], check: &CaaCheck<'_>) -> Result<(), Refusal> {
    let is = |record: &CaaRecord, tag: &str| record.tag.eq_ignore_ascii_case(tag);
    let known = |record: &CaaRecord| ["issue", "issuewild", "iodef"].iter().any(|tag| is(record, tag));
    if let Some(record) = records.iter().find(|record| record.critical && !known(record)) {
        return Err(Refusal::Critical(record.tag.chars().take(SHOWN).collect::<String>().escape_debug().to_string()));
    }
    // RFC 8659 section 4.3: `issuewild` counts for wildcards alone, and where there is one, `issue` does not.
    let wild = check.wildcard && records.iter().any(|record| is(record, "issuewild"));
    let tag = if wild { "issuewild" } else { "issue" };
    let mut count = 0_usize;
    let mut refusal = None;
    for record in records.iter().filter(|record| is(record, tag)) {
        count = count.saturating_add(1);
        // RFC 8659 section 4.2: a value that cannot be read names nobody.
        let Some(value) = Issue::parse(&record.value) else { continue };
        if !check.issuers.iter().any(|issuer| issuer.eq_ignore_ascii_case(value.domain)) || value.domain.is_empty() {
            continue;
        }
        match value.judge(check) {
            Ok(()) => return Ok(()),
            Err(why) => refusal = Some(Refusal::Parameters(why)),
        }
    }
    match (count, refusal) {
        (0, _) => Ok(()),
        (_, Some(refusal)) => Err(refusal),
        (count, None) => Err(Refusal::Others(count, tag, check.issuers.join(", "))),
    }
}

/// The value of `issue` and `issuewild` (RFC 8659 section 4.2).
struct Issue<'a> {
    domain: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Issue<'a> {
    /// `None`: it breaks the grammar.
    fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= VALUE)?;
        let (domain, rest) = match text.split_once(';') {
            Some((domain, rest)) => (domain, trim(rest)),
            None => (text, ""),
        };
        let domain = trim(domain);
        if !domain.is_empty() && !domain.split('.').all(is_label) {
            return None;
        }
        let mut parameters = Vec::new();
        if !rest.is_empty() {
            for parameter in rest.split(';') {
                let (tag, value) = parameter.split_once('=')?;
                let (tag, value) = (trim(tag), trim(value));
                if !is_label(tag) || !value.bytes().all(|byte| matches!(byte, 0x21..=0x3a | 0x3c..=0x7e)) {
                    return None;
                }
                parameters.push((tag, value));
            }
        }
        Some(Self { domain, parameters })
    }

    /// RFC 8657: `accounturi` (section 3) and `validationmethods` (section 4). Other parameters are for other CAs.
    fn judge(&self, check: &CaaCheck<'_>) -> Result<(), &'static str> {
        let all = |wanted: &str| {
            let matching = self.parameters.iter().filter(|(tag, _)| tag.eq_ignore_ascii_case(wanted));
            matching.map(|(_, value)| *value).collect::<Vec<_>>()
        };
        match all("accounturi").as_slice() {
            [] => {}
            // Compared as text, byte for byte.
            [one] if *one == check.account_url => {}
            [_] => return Err("its `accounturi` is not this account"),
            _ => return Err("`accounturi` stands in it twice"),
        }
        match all("validationmethods").as_slice() {
            [] => Ok(()),
            [one] if !one.split(',').all(is_label) => Err("its `validationmethods` is not a list of methods"),
            [one] if one.split(',').any(|method| method == check.method.as_str()) => Ok(()),
            [_] => Err("its `validationmethods` does not hold the method that was used"),
            _ => Err("`validationmethods` stands in it twice"),
        }
    }
}

/// Letters and digits, with hyphens between them: labels, tags, and methods (RFC 8657 section 4).
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Without blanks and tabs around it.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests;
