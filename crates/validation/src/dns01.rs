//! dns-01 (RFC 8555 section 8.4).

use crate::dns::{Data, Kind, Resolve};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::ChallengeCheck;
use certwright_domain::acme::{Failure, FailureKind};
use certwright_domain::san::San;

/// Looks for a TXT record with the digest of the key authorization; any of several counts.
pub(crate) async fn look(resolver: &dyn Resolve, check: &ChallengeCheck<'_>) -> Result<(), Failure> {
    let San::Dns(name) = check.identifier else {
        let detail = format!("{} has no TXT records: addresses are not proved with dns-01.", check.identifier);
        return Err(Failure::new(FailureKind::Unauthorized, detail));
    };
    let place = format!("_acme-challenge.{}", name.base());
    let found = resolver.lookup(&place, Kind::Txt).await.map_err(|error| {
        Failure::new(FailureKind::Dns, format!("The TXT records of {place} cannot be looked up: {error}."))
    })?;
    let wanted = URL_SAFE_NO_PAD.encode(digest(&SHA256, check.key_authorization.as_bytes()));
    // All of them are compared: how long it takes does not tell which one matched.
    let matching = found.iter().filter(|data| match data {
        Data::Text(text) => verify_slices_are_equal(text, wanted.as_bytes()).is_ok(),
        _ => false,
    });
    if matching.count() == 0 {
        let detail = match found.len() {
            1 => format!("The TXT record of {place} does not hold the digest of this challenge."),
            many => format!("None of the {many} TXT records of {place} holds the digest of this challenge."),
        };
        return Err(Failure::new(FailureKind::Unauthorized, detail));
    }
    Ok(())
}
