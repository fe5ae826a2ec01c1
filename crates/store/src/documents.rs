//! What is stored as JSON text: subjects, name constraints, profiles, chains, names. The types are private to storage;
//! reading goes through the constructors of `domain`, so that a row is never trusted more than a request.

mod acme;
mod identity;
mod publication;
mod wish;

pub(crate) use acme::{
    read_authorization_ids, read_challenges, read_contacts, read_directory, read_grant, read_identifiers,
    write_authorization_ids, write_challenges, write_contacts, write_directory, write_grant, write_identifiers,
};
pub(crate) use identity::{read_provider, read_trust, read_workload, write_provider, write_trust, write_workload};
pub(crate) use publication::{read_publication, write_publication};
pub(crate) use wish::{read_wish, write_wish};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::profile::{Profile, RawNameLimits, RawProfile};
use certwright_domain::san::San;
use serde::{Deserialize, Serialize};

/// Types and values in order.
type Subject = Vec<(String, String)>;

fn subject_to_document(subject: &DistinguishedName) -> Subject {
    subject.attributes().iter().map(|a| (a.kind().as_str().to_owned(), a.value().to_owned())).collect()
}

fn subject_from_document(document: Subject) -> Option<DistinguishedName> {
    let attributes = document
        .iter()
        .map(|(kind, value)| Attribute::read(AttributeType::parse(kind).ok()?, value).ok())
        .collect::<Option<Vec<_>>>()?;
    DistinguishedName::new(attributes).ok()
}

/// JSON of types that cannot fail to serialize: strings, numbers and lists of them.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A distinguished name as text.
pub(crate) fn write_subject(subject: &DistinguishedName) -> String {
    json(&subject_to_document(subject))
}

/// A distinguished name from text.
pub(crate) fn read_subject(text: &str) -> Option<DistinguishedName> {
    subject_from_document(serde_json::from_str(text).ok()?)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubtreesDocument {
    dns: Vec<String>,
    ip: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    directory: Vec<Subject>,
}

impl SubtreesDocument {
    fn from_raw(raw: RawSubtrees) -> Self {
        let RawSubtrees { dns, ip, email, uri, directory } = raw;
        Self { dns, ip, email, uri, directory: directory.iter().map(subject_to_document).collect() }
    }

    fn into_raw(self) -> Option<RawSubtrees> {
        let Self { dns, ip, email, uri, directory } = self;
        let directory = directory.into_iter().map(subject_from_document).collect::<Option<_>>()?;
        Some(RawSubtrees { dns, ip, email, uri, directory })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConstraintsDocument {
    permitted: SubtreesDocument,
    excluded: SubtreesDocument,
}

/// Name constraints as text.
pub(crate) fn write_constraints(constraints: &NameConstraints) -> String {
    let (permitted, excluded) = constraints.to_raw();
    json(&ConstraintsDocument {
        permitted: SubtreesDocument::from_raw(permitted),
        excluded: SubtreesDocument::from_raw(excluded),
    })
}

/// Name constraints from text.
pub(crate) fn read_constraints(text: &str) -> Option<NameConstraints> {
    let ConstraintsDocument { permitted, excluded } = serde_json::from_str(text).ok()?;
    NameConstraints::read(permitted.into_raw()?, excluded.into_raw()?).ok()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileDocument {
    description: String,
    usages: Vec<String>,
    key_algorithms: Vec<String>,
    max_validity: Option<String>,
    key_holders: Vec<String>,
    names: NameLimitsDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NameLimitsDocument {
    dns: Option<Vec<String>>,
    wildcards: bool,
    ip: Option<Vec<String>>,
    email: Option<Vec<String>>,
    uri: Option<Vec<String>>,
    required: bool,
    common_name_in_names: bool,
    subject: Option<Vec<String>>,
}

/// A profile as text, without its name, which has a column of its own.
pub(crate) fn write_profile(profile: &Profile) -> String {
    let RawProfile { name: _, description, usages, key_algorithms, max_validity, key_holders, names } =
        profile.to_raw();
    let RawNameLimits { dns, wildcards, ip, email, uri, required, common_name_in_names, subject } = names;
    let names = NameLimitsDocument { dns, wildcards, ip, email, uri, required, common_name_in_names, subject };
    json(&ProfileDocument { description, usages, key_algorithms, max_validity, key_holders, names })
}

/// A profile from its name and text.
pub(crate) fn read_profile(name: String, text: &str) -> Option<Profile> {
    let ProfileDocument { description, usages, key_algorithms, max_validity, key_holders, names } =
        serde_json::from_str(text).ok()?;
    let NameLimitsDocument { dns, wildcards, ip, email, uri, required, common_name_in_names, subject } = names;
    let names = RawNameLimits { dns, wildcards, ip, email, uri, required, common_name_in_names, subject };
    Profile::new(RawProfile { name, description, usages, key_algorithms, max_validity, key_holders, names }).ok()
}

/// A list of DER certificates as text: base64.
pub(crate) fn write_chain(chain: &[Vec<u8>]) -> String {
    json(&chain.iter().map(|der| STANDARD.encode(der)).collect::<Vec<_>>())
}

/// A list of DER certificates from text.
pub(crate) fn read_chain(text: &str) -> Option<Vec<Vec<u8>>> {
    let encoded: Vec<String> = serde_json::from_str(text).ok()?;
    encoded.iter().map(|der| STANDARD.decode(der).ok()).collect()
}

/// Pairs of texts, in order.
pub(crate) fn write_pairs(pairs: &[(String, String)]) -> String {
    json(&pairs)
}

/// Pairs of texts from text.
pub(crate) fn read_pairs(text: &str) -> Option<Vec<(String, String)>> {
    serde_json::from_str(text).ok()
}

/// Texts, in order.
pub(crate) fn write_texts(texts: &[String]) -> String {
    json(&texts)
}

/// Texts from text.
pub(crate) fn read_texts(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// Names as text, each with its kind in front: `dns:example.com`.
pub(crate) fn write_names(names: &[San]) -> String {
    json(&names.iter().map(|name| format!("{}:{name}", name.kind())).collect::<Vec<_>>())
}

/// Names from text.
pub(crate) fn read_names(text: &str) -> Option<Vec<San>> {
    let names: Vec<String> = serde_json::from_str(text).ok()?;
    names.iter().map(|name| San::parse(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_keep_order_and_repeats() {
        let attribute = |kind, value| Attribute::parse(kind, value).unwrap();
        let subject = DistinguishedName::new(vec![
            attribute(AttributeType::Country, "KR"),
            attribute(AttributeType::OrganizationalUnit, "two"),
            attribute(AttributeType::OrganizationalUnit, "one"),
            attribute(AttributeType::CommonName, "a \"quoted\" name, with commas"),
        ])
        .unwrap();
        assert_eq!(read_subject(&write_subject(&subject)), Some(subject));
        assert_eq!(read_subject(&write_subject(&DistinguishedName::default())), Some(DistinguishedName::default()));
        // Kept from before such characters were refused, or read from a certificate of others.
        let joined = Attribute::read(AttributeType::CommonName, "a\u{200d}b").unwrap();
        let joined = DistinguishedName::new(vec![joined]).unwrap();
        assert_eq!(read_subject(&write_subject(&joined)), Some(joined));
        for bad in ["", "{}", "[[\"commonName\",\"\"]]", "[[\"unknown\",\"x\"]]"] {
            assert_eq!(read_subject(bad), None, "{bad}");
        }
    }

    #[test]
    fn constraints_come_back() {
        let directory = read_subject(r#"[["organization","DDIM"]]"#).unwrap();
        let permitted = RawSubtrees {
            dns: vec!["example.com".into()],
            ip: vec!["10.0.0.0/8".into(), "2001:db8::/32".into()],
            email: vec![".example.com".into()],
            uri: vec!["example.com".into()],
            directory: vec![directory],
        };
        let excluded = RawSubtrees { dns: vec!["bad.example.com".into()], ..RawSubtrees::default() };
        let constraints = NameConstraints::parse(permitted, excluded).unwrap();
        assert_eq!(read_constraints(&write_constraints(&constraints)), Some(constraints));
        // A leading dot is what a certificate of others has, and comes back with it.
        let dotted = |dns: &str| RawSubtrees { dns: vec![dns.into()], ..RawSubtrees::default() };
        let foreign = NameConstraints::read(dotted(".example.com"), dotted(".a.example.com")).unwrap();
        assert_eq!(read_constraints(&write_constraints(&foreign)), Some(foreign));
        assert_eq!(read_constraints("{}"), None);
    }

    #[test]
    fn profiles_come_back() {
        let raw = RawProfile {
            name: "web".into(),
            description: "for tests".into(),
            usages: vec!["serverAuth".into()],
            key_algorithms: vec!["ECDSA_P256".into()],
            max_validity: Some("P30D".into()),
            key_holders: vec!["REQUESTER".into()],
            names: RawNameLimits {
                dns: Some(vec!["*.example.com".into()]),
                ip: Some(vec!["10.0.0.0/8".into()]),
                subject: Some(vec!["*".into()]),
                required: true,
                ..RawNameLimits::default()
            },
        };
        let profile = Profile::new(raw).unwrap();
        assert_eq!(read_profile("web".into(), &write_profile(&profile)), Some(profile));
        assert_eq!(read_profile("web".into(), "{}"), None);
    }

    #[test]
    fn chains_and_names_come_back() {
        let chain = vec![vec![0, 1, 255], vec![]];
        assert_eq!(read_chain(&write_chain(&chain)), Some(chain));
        assert_eq!(read_chain("[\"*\"]"), None);
        let names: Vec<San> =
            ["a.example.com", "*.example.com", "10.0.0.5", "::1", "x@example.com", "spiffe://corp/db"]
                .iter()
                .map(|name| San::parse(name).unwrap())
                .collect();
        assert_eq!(read_names(&write_names(&names)), Some(names));
        assert_eq!(read_names("[\"dns:\"]"), None);
    }
}
