//! What a managed certificate is to be, as text.

use super::{STANDARD, Subject, json, read_names, subject_from_document, subject_to_document, write_names};
use base64::Engine as _;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::id::CaId;
use certwright_domain::managed::Wish;
use certwright_domain::name::ResourceName;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WishDocument {
    ca: String,
    profile: String,
    subject: Option<Subject>,
    names: Option<String>,
    key_algorithm: Option<String>,
    not_before: Option<i64>,
    not_after: Option<i64>,
    duration: Option<i64>,
    csr: Option<String>,
}

/// A wish as text.
pub(crate) fn write_wish(wish: &Wish) -> String {
    let (not_after, duration) = match wish.validity.end {
        RequestedEnd::Longest => (None, None),
        RequestedEnd::NotAfter(end) => (Some(end.unix_ms()), None),
        RequestedEnd::Duration(span) => (None, Some(span.ms())),
    };
    json(&WishDocument {
        ca: wish.ca.to_string(),
        profile: wish.profile.to_string(),
        subject: wish.subject.as_ref().map(subject_to_document),
        names: wish.names.as_deref().map(write_names),
        key_algorithm: wish.key_algorithm.map(|algorithm| algorithm.to_string()),
        not_before: wish.validity.not_before.map(Timestamp::unix_ms),
        not_after,
        duration,
        csr: wish.csr.as_deref().map(|der| STANDARD.encode(der)),
    })
}

/// A wish from text.
pub(crate) fn read_wish(text: &str) -> Option<Wish> {
    let document: WishDocument = serde_json::from_str(text).ok()?;
    let end = match (document.not_after, document.duration) {
        (None, None) => RequestedEnd::Longest,
        (Some(end), None) => RequestedEnd::NotAfter(Timestamp::from_unix_ms(end)),
        (None, Some(span)) => RequestedEnd::Duration(Span::from_ms(span)),
        (Some(_), Some(_)) => return None,
    };
    Some(Wish {
        ca: CaId::parse(&document.ca).ok()?,
        profile: ResourceName::parse(&document.profile).ok()?,
        subject: present(document.subject, subject_from_document)?,
        names: present(document.names, |names| read_names(&names))?,
        key_algorithm: present(document.key_algorithm, |name| KeyAlgorithm::parse(&name).ok())?,
        validity: RequestedValidity { not_before: document.not_before.map(Timestamp::from_unix_ms), end },
        csr: present(document.csr, |der| STANDARD.decode(der).ok())?,
    })
}

/// A part that may be missing, but not be wrong.
fn present<A, B>(part: Option<A>, read: impl FnOnce(A) -> Option<B>) -> Option<Option<B>> {
    match part {
        None => Some(None),
        Some(part) => read(part).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
    use certwright_domain::san::San;

    #[test]
    fn wishes_come_back() {
        let at = Timestamp::from_unix_s(1_800_000_000);
        let name = Attribute::parse(AttributeType::CommonName, "a").unwrap();
        let full = Wish {
            ca: CaId::new(at, [7; 10]),
            profile: ResourceName::parse("tls-server").unwrap(),
            subject: Some(DistinguishedName::new(vec![name]).unwrap()),
            names: Some(vec![San::parse("a.example.com").unwrap()]),
            key_algorithm: Some(KeyAlgorithm::Ed25519),
            validity: RequestedValidity { not_before: Some(at), end: RequestedEnd::Duration(Span::from_days(3)) },
            csr: Some(vec![1, 2, 255]),
        };
        let bare = Wish {
            subject: None,
            names: None,
            key_algorithm: None,
            validity: RequestedValidity::DEFAULT,
            csr: None,
            ..full.clone()
        };
        let dated = RequestedValidity { not_before: None, end: RequestedEnd::NotAfter(at) };
        for wish in [full, Wish { validity: dated, ..bare.clone() }, bare] {
            assert_eq!(read_wish(&write_wish(&wish)), Some(wish));
        }
        assert_eq!(read_wish("{}"), None);
    }
}
