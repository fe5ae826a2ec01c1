//! Putting a heap of certificates in order.

use crate::certificate::{Certificate, check_issued_by};
use crate::name;
use certwright_domain::violation::Invalid;
use x509_parser::prelude::{FromDer, X509Name};

/// Longest chain above a leaf.
const MAX_CHAIN: usize = 10;
/// Most certificates in a heap that is put in order: every step looks at all that are left.
const MAX_POOL: usize = 50;

/// The certificates above `leaf`, nearest first, each link checked by name and signature. The pool may come in any order and
/// with repetitions. The end of the chain may be missing (programs leave the root out); a gap in the middle, and
/// certificates that do not belong to the chain, are refused by name. Of a CA that is there twice, self-signed and signed
/// by another (a cross-certificate), the self-signed one is taken, and the other with what stands above it is passed over.
pub fn order_chain(leaf: &Certificate, mut pool: Vec<Certificate>) -> Result<Vec<Certificate>, Invalid> {
    pool.retain(|one| one.fingerprint != leaf.fingerprint);
    if pool.len() > MAX_POOL {
        return Err(Invalid::new(
            "chain_too_long",
            format!("There are {} certificates, {MAX_POOL} are allowed.", pool.len()),
            "Give the certificates of one chain.",
        ));
    }
    let mut ordered: Vec<Certificate> = Vec::new();
    let mut top = leaf.clone();
    while let Some(next) = take_issuer(&top, &mut pool)? {
        if ordered.len() >= MAX_CHAIN {
            let detail = format!("The chain of `{}` is longer than {MAX_CHAIN}.", leaf.subject);
            return Err(Invalid::new("chain_too_long", detail, "Shorten it."));
        }
        pool.retain(|one| one.fingerprint != next.fingerprint);
        ordered.push(next.clone());
        top = next;
    }
    drop_crossings(leaf, &ordered, &mut pool);
    match pool.as_slice() {
        [] => Ok(ordered),
        strays => Err(refuse(&top, strays)),
    }
}

/// Takes the issuer out of the pool; `None` at the end of the chain.
fn take_issuer(top: &Certificate, pool: &mut Vec<Certificate>) -> Result<Option<Certificate>, Invalid> {
    let signed = |one: &Certificate| check_issued_by(top, one).is_ok();
    if top.is_self_issued() {
        // The old signatures of old roots are not verified: they prove nothing.
        let own = match top.signature_algorithm {
            Some(_) => check_issued_by(top, top),
            None => Ok(()),
        };
        // A new key of a CA, certified by its old one, is self-issued, too.
        return match (own, pool.iter().position(signed)) {
            (Ok(()), _) => Ok(None),
            (Err(_), Some(place)) => Ok(Some(pool.swap_remove(place))),
            (Err(invalid), None) => Err(Invalid { code: "broken_chain", ..invalid }),
        };
    }
    let mut found = None;
    for (place, one) in pool.iter().enumerate() {
        if one.subject_der == top.issuer_der && signed(one) {
            found = Some(place);
            if one.is_self_issued() {
                break;
            }
        }
    }
    Ok(found.map(|place| pool.swap_remove(place)))
}

/// Drops what certifies a member of the chain in another way, and what stands above that.
fn drop_crossings(leaf: &Certificate, chain: &[Certificate], pool: &mut Vec<Certificate>) {
    let same = |a: &Certificate, b: &Certificate| {
        a.subject_der == b.subject_der && a.public_key.spki_sha256 == b.public_key.spki_sha256
    };
    let (mut crossings, mut rest): (Vec<_>, Vec<_>) =
        std::mem::take(pool).into_iter().partition(|one| chain.iter().chain([leaf]).any(|member| same(member, one)));
    while let Some(crossing) = crossings.pop() {
        let (above, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|one| check_issued_by(&crossing, one).is_ok());
        crossings.extend(above);
        rest = others;
    }
    *pool = rest;
}

fn refuse(top: &Certificate, strays: &[Certificate]) -> Invalid {
    let named = strays.iter().map(|one| format!("`{}`", one.subject)).collect::<Vec<_>>().join(", ");
    let hint = "Give every certificate between the leaf and its root, and no others.";
    let detail = if top.is_self_issued() {
        format!("Certificates that do not belong to the chain: {named}.")
    } else {
        format!(
            "The certificate of `{}`, which signed `{}`, is missing; these do not continue the chain: {named}.",
            issuer_name(top),
            top.subject
        )
    };
    Invalid::new("broken_chain", detail, hint)
}

/// The issuer's name as text, for refusals.
fn issuer_name(certificate: &Certificate) -> String {
    X509Name::from_der(&certificate.issuer_der)
        .ok()
        .and_then(|(_, name)| name::decode(&name).ok())
        .map_or_else(|| "its issuer".to_owned(), |name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{self, TestKey, approve_subordinate, ca_rules, cn};
    use certwright_domain::algorithm::KeyAlgorithm;

    struct Pki {
        root: Certificate,
        middle: Certificate,
        low: Certificate,
        /// `middle`'s name and key, signed by another root.
        crossing: Certificate,
        other: Certificate,
    }

    fn subordinate(name: &str, key: &TestKey, ca: &Certificate, ca_key: &TestKey) -> Certificate {
        let approved = approve_subordinate(ca, cn(name), &key.public, ca_rules(None, None));
        support::issue(approved, ca, ca_key, &support::urls())
    }

    fn pki() -> Pki {
        let keys: Vec<TestKey> = (0..4).map(|_| TestKey::new(KeyAlgorithm::EcdsaP256)).collect();
        let [root_key, middle_key, low_key, other_key] = keys.as_slice() else { panic!() };
        let root = support::root_with(root_key, cn("Root"), ca_rules(None, None));
        let other = support::root_with(other_key, cn("Other"), ca_rules(None, None));
        let middle = subordinate("Middle", middle_key, &root, root_key);
        let crossing = subordinate("Middle", middle_key, &other, other_key);
        let low = subordinate("Low", low_key, &middle, middle_key);
        Pki { root, middle, low, crossing, other }
    }

    fn subjects(chain: &[Certificate]) -> Vec<String> {
        chain.iter().map(|one| one.subject.to_string()).collect()
    }

    #[test]
    fn any_order_repetitions_and_a_missing_root_are_fine() {
        let Pki { root, middle, low, .. } = pki();
        let heap = vec![root.clone(), low.clone(), middle.clone(), root.clone(), middle.clone()];
        assert_eq!(subjects(&order_chain(&low, heap).unwrap()), ["CN=Middle", "CN=Root"]);
        assert_eq!(subjects(&order_chain(&low, vec![middle.clone()]).unwrap()), ["CN=Middle"]);
        assert_eq!(order_chain(&low, vec![]).unwrap(), []);
        assert_eq!(order_chain(&root, vec![root.clone()]).unwrap(), []);
    }

    #[test]
    fn gaps_and_strays_are_named() {
        let Pki { root, middle, low, other, .. } = pki();
        let gap = order_chain(&low, vec![root.clone()]).unwrap_err();
        assert_eq!(gap.code, "broken_chain");
        assert!(gap.detail.contains("`CN=Middle`, which signed `CN=Low`, is missing"), "{}", gap.detail);
        assert!(gap.detail.contains("`CN=Root`"), "{}", gap.detail);
        let stray = order_chain(&low, vec![other, middle, root]).unwrap_err();
        assert!(stray.detail.contains("do not belong to the chain: `CN=Other`"), "{}", stray.detail);
    }

    #[test]
    fn a_name_alone_is_no_issuer() {
        let Pki { root, middle, .. } = pki();
        let namesake = support::root_with(&TestKey::new(KeyAlgorithm::EcdsaP256), cn("Root"), ca_rules(None, None));
        assert_eq!(order_chain(&middle, vec![namesake.clone(), root]).unwrap_err().code, "broken_chain");
        assert_eq!(order_chain(&middle, vec![namesake]).unwrap_err().code, "broken_chain");
    }

    #[test]
    fn cross_certificates_are_passed_over() {
        let Pki { root, middle, low, crossing, other } = pki();
        let chain = order_chain(&low, vec![other.clone(), crossing.clone(), middle, root]).unwrap();
        assert_eq!(chain.len(), 2);
        let chain = order_chain(&low, vec![other, crossing]).unwrap();
        assert_eq!(subjects(&chain), ["CN=Middle", "CN=Other"]);
    }

    #[test]
    fn heaps_are_bounded() {
        let Pki { root, low, .. } = pki();
        assert_eq!(order_chain(&low, vec![root; 51]).unwrap_err().code, "chain_too_long");
    }
}
