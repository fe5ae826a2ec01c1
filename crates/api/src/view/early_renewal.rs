//! Calls to renew early as JSON.

use certwright_domain::renewal::EarlyRenewal;
use certwright_wire as wire;

/// A call.
pub(crate) fn early_renewal(call: &EarlyRenewal) -> wire::EarlyRenewal {
    let state = match (call.withdrawn_at, call.settled_at) {
        (Some(_), _) => "WITHDRAWN",
        (None, Some(_)) => "MOVED",
        (None, None) => "MOVING",
    };
    let terms = &call.terms;
    wire::EarlyRenewal {
        id: call.id.to_string(),
        ca: call.ca.to_string(),
        state: state.to_owned(),
        moved: call.moved,
        from: terms.from.to_string(),
        until: terms.from.plus(terms.spread).to_string(),
        issued_before: terms.issued_before.to_string(),
        profile: terms.profile.as_ref().map(ToString::to_string),
        acme_directory: terms.directory.as_ref().map(ToString::to_string),
        reason: terms.reason.clone(),
        explanation_url: terms.explanation_url.as_ref().map(ToString::to_string),
        created_at: call.created_at.to_string(),
    }
}
