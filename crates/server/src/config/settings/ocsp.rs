//! Settings of OCSP.

use super::{Judge, Raw, at_least};
use crate::config::values;
use certwright_domain::time::Span;

/// Settings of OCSP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ocsp {
    /// From thisUpdate to nextUpdate.
    pub(crate) response_lifetime: Span,
    /// How long what is known is trusted.
    pub(crate) recheck: Span,
    /// Lifetime of a delegated responder's certificate.
    pub(crate) responder_lifetime: Span,
    /// Bytes for answers that are used again.
    pub(crate) cache: usize,
}

pub(super) fn ocsp(raw: &Raw, judge: &mut Judge<'_>) -> Option<Ocsp> {
    let response_lifetime = judge.text("ocsp.response_lifetime", &raw.ocsp_response_lifetime, |text| {
        at_least(values::span(text, Span::from_days(10))?, Span::from_minutes(1), "1m")
    });
    let recheck = judge.text("ocsp.recheck", &raw.ocsp_recheck, |text| values::span(text, Span::from_minutes(5)));
    let responder_lifetime = judge.text("ocsp.responder_lifetime", &raw.ocsp_responder_lifetime, |text| {
        at_least(values::span(text, Span::from_days(366))?, Span::from_hours(1), "1h")
    });
    let cache = judge.text("ocsp.cache", &raw.ocsp_cache, |text| values::size(text, 1 << 20, 64 << 30));
    if let (Some(response), Some(responder)) = (response_lifetime, responder_lifetime)
        && responder.ms() / 2 < response.ms()
    {
        let wrong = (
            "Half of it is shorter than `ocsp.response_lifetime`: answers would outlive their responder.".to_owned(),
            "Raise it, or lower the other.".to_owned(),
        );
        judge.fault("ocsp.responder_lifetime", &raw.ocsp_responder_lifetime, wrong);
    }
    Some(Ocsp {
        response_lifetime: response_lifetime?,
        recheck: recheck?,
        responder_lifetime: responder_lifetime?,
        cache: cache?,
    })
}
