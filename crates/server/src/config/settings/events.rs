//! Settings of events, webhooks, and the way out.

use super::{Judge, Raw, at_least, path};
use crate::config::values;
use certwright_domain::egress::EgressRules;
use certwright_domain::time::Span;
use std::path::PathBuf;

/// Settings of events, webhooks, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Events {
    /// Age at which events and deliveries are deleted.
    pub(crate) retention: Span,
    /// The first pause between attempts.
    pub(crate) first_retry: Span,
    /// Where we may connect to.
    pub(crate) rules: EgressRules,
    /// Whom to trust there beside the system and ourselves.
    pub(crate) ca_file: Option<PathBuf>,
}

pub(super) fn events(raw: &Raw, judge: &mut Judge<'_>) -> Option<Events> {
    let retention = judge.text("events.retention", &raw.events_retention, |text| {
        at_least(values::span(text, Span::from_days(36_525))?, Span::from_days(1), "1d")
    });
    let first_retry = judge.text("webhooks.first_retry", &raw.webhooks_first_retry, |text| {
        at_least(values::span(text, Span::from_hours(1))?, Span::from_s(1), "1s")
    });
    let ranges: Option<Vec<String>> = judge.list("egress.allowed_ranges", &raw.egress_allowed_ranges, |text| {
        EgressRules::parse([text]).map(|_| text.to_owned()).map_err(|invalid| (invalid.detail, invalid.hint))
    });
    let ca_file = judge.optional("egress.ca_file", &raw.egress_ca_file, path);
    let rules = EgressRules::parse(ranges?.iter().map(String::as_str)).ok()?;
    Some(Events { retention: retention?, first_retry: first_retry?, rules, ca_file: ca_file? })
}
