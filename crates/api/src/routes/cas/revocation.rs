//! How a CA offers revocation, as bodies tell of it.

use crate::parse::Faults;
use certwright_domain::ca::{DeltaSettings, OcspResponderKind, RevocationSettings};
use certwright_domain::crl::Shards;
use certwright_domain::time::Span;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;

/// A list that lives shorter could not be fetched in time.
const SHORTEST_LIFE: Span = Span::from_minutes(5);
/// A list that lives longer is of no use to anybody.
const LONGEST_LIFE: Span = Span::from_days(3660);
/// The longest pause between two lists.
const LONGEST_PAUSE: Span = Span::from_days(366);

/// The settings of a CA, laid over those that are there.
pub(super) fn revocation(
    faults: &mut Faults,
    wish: Option<&wire::UpdateRevocation>,
    before: RevocationSettings,
) -> Option<RevocationSettings> {
    let Some(wish) = wish else { return Some(before) };
    let crl = wish.crl.clone().unwrap_or_default();
    let ocsp = wish.ocsp.as_ref();
    let lifetime = faults.optional("/revocation/crl/lifetime", crl.lifetime.as_deref(), life);
    let interval = faults.optional("/revocation/crl/interval", crl.interval.as_deref(), pause);
    let shards = faults.take("/revocation/crl/shards", crl.shards.map(Shards::new).transpose());
    let delta = delta(faults, crl.delta.as_ref(), before.delta);
    let responder = ocsp.and_then(|ocsp| ocsp.responder.as_deref());
    let responder = faults.optional("/revocation/ocsp/responder", responder, OcspResponderKind::parse);
    Some(RevocationSettings {
        crl_enabled: crl.enabled.unwrap_or(before.crl_enabled),
        crl_lifetime: lifetime?.unwrap_or(before.crl_lifetime),
        crl_interval: interval?.unwrap_or(before.crl_interval),
        crl_shards: shards?.unwrap_or(before.crl_shards),
        delta: delta?,
        hold_enabled: wish.hold_enabled.unwrap_or(before.hold_enabled),
        ocsp_enabled: ocsp.and_then(|ocsp| ocsp.enabled).unwrap_or(before.ocsp_enabled),
        ocsp_responder: responder?.unwrap_or(before.ocsp_responder),
    })
}

fn delta(
    faults: &mut Faults,
    wish: Option<&wire::UpdateDelta>,
    before: Option<DeltaSettings>,
) -> Option<Option<DeltaSettings>> {
    let Some(wish) = wish else { return Some(before) };
    let lifetime = faults.optional("/revocation/crl/delta/lifetime", wish.lifetime.as_deref(), life);
    let interval = faults.optional("/revocation/crl/delta/interval", wish.interval.as_deref(), pause);
    let base = before.unwrap_or(DeltaSettings::DEFAULT);
    let settings =
        DeltaSettings { lifetime: lifetime?.unwrap_or(base.lifetime), interval: interval?.unwrap_or(base.interval) };
    Some(wish.enabled.unwrap_or(before.is_some()).then_some(settings))
}

fn life(text: &str) -> Result<Span, Invalid> {
    bounded(text, SHORTEST_LIFE, LONGEST_LIFE, "lifetime")
}

fn pause(text: &str) -> Result<Span, Invalid> {
    match text {
        "PT0S" => Ok(Span::ZERO),
        text => bounded(text, Span::from_s(1), LONGEST_PAUSE, "interval"),
    }
}

fn bounded(text: &str, least: Span, most: Span, what: &str) -> Result<Span, Invalid> {
    let span = Span::parse(text)?;
    if (least..=most).contains(&span) {
        return Ok(span);
    }
    Err(Invalid::new(
        "out_of_range",
        format!("The {what} of a revocation list cannot be {span}."),
        format!("Choose {least} to {most}."),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, before: RevocationSettings) -> Result<RevocationSettings, Vec<(String, String)>> {
        let wish = serde_json::from_str(text).unwrap();
        let mut faults = Faults::default();
        let settings = revocation(&mut faults, Some(&wish), before);
        faults.finish(settings).map_err(|problem| {
            problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
        })
    }

    #[test]
    fn a_partial_change_keeps_the_rest() {
        let before = RevocationSettings::default();
        let delta = DeltaSettings { lifetime: Span::from_hours(6), ..DeltaSettings::DEFAULT };
        let with = read(r#"{"crl":{"delta":{"enabled":true,"lifetime":"PT6H"}}}"#, before).unwrap();
        assert_eq!(with, RevocationSettings { delta: Some(delta), ..before });
        let cut = read(r#"{"crl":{"shards":16,"interval":"PT0S"}}"#, with).unwrap();
        assert_eq!((cut.crl_shards.number(), cut.crl_interval, cut.delta), (16, Span::ZERO, Some(delta)));
        let off = read(r#"{"crl":{"delta":{"enabled":false}},"holdEnabled":true}"#, cut).unwrap();
        assert_eq!((off.delta, off.hold_enabled), (None, true));
        assert_eq!(read(r#"{"crl":{"delta":{"lifetime":"PT6H"}}}"#, before).unwrap().delta, None, "not asked for");
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let text =
            r#"{"crl":{"lifetime":"PT1M","interval":"P5000D","shards":0,"delta":{"lifetime":"P20Y","interval":"x"}}}"#;
        let faults = read(text, RevocationSettings::default()).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
        let crl = ["lifetime", "interval", "shards", "delta/lifetime", "delta/interval"];
        assert_eq!(pointers, crl.map(|leaf| format!("/revocation/crl/{leaf}")));
    }
}
