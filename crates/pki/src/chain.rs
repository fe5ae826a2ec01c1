//! Putting a heap of certificates in order.

use crate::certificate::{Certificate, check_issued_by};
use certwright_domain::violation::Invalid;

/// The certificates above `leaf`, nearest first, each link checked by name and signature. The root may be missing; a
/// certificate that does not belong, or a gap below one that does, is refused with the name that is looked for.
pub fn order_chain(leaf: &Certificate, mut pool: Vec<Certificate>) -> Result<Vec<Certificate>, Invalid> {
    pool.retain(|one| one.fingerprint != leaf.fingerprint);
    let mut ordered: Vec<Certificate> = Vec::new();
    let mut top = leaf.clone();
    while !top.is_self_issued() {
        let place = pool.iter().position(|one| check_issued_by(&top, one).is_ok());
        let Some(place) = place else { break };
        top = pool.swap_remove(place);
        ordered.push(top.clone());
        pool.retain(|one| one.fingerprint != top.fingerprint);
    }
    if let Some(stray) = pool.first() {
        return Err(Invalid::new(
            "broken_chain",
            format!(
                "No certificate that was given has signed `{}`; `{}` does not belong to its chain.",
                top.subject, stray.subject
            ),
            "Give every certificate between the leaf and its root, and no others.",
        ));
    }
    Ok(ordered)
}
