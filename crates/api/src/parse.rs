//! Wire text to the types of the domain. Every fault of a body is collected with its JSON pointer.

use crate::answer::DEFAULT_LIMIT;
use crate::problem::{Problem, fault};
use certwright_app::{App, Call, PageRequest};
use certwright_domain::access::{PrincipalReference, description};
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::san::{MAX_NAMES, San};
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_domain::violation::Invalid;
use certwright_wire as wire;

/// Collects faults while a body is parsed.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<wire::ProblemError>);

impl Faults {
    /// The value, or `None` with the fault noted.
    pub(crate) fn take<T>(&mut self, pointer: impl Into<String>, parsed: Result<T, Invalid>) -> Option<T> {
        parsed.map_err(|invalid| self.note(pointer, invalid)).ok()
    }

    /// An optional text: `Some(None)` when it is missing, `None` with the fault noted when it does not parse.
    pub(crate) fn optional<T>(
        &mut self,
        pointer: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        match text {
            None => Some(None),
            Some(text) => self.take(pointer, parse(text)).map(Some),
        }
    }

    /// A value that must be there.
    pub(crate) fn required<T>(&mut self, pointer: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let name = pointer.trim_start_matches('/');
            self.note(
                pointer,
                Invalid::new("missing_field", format!("The field `{name}` is missing."), "Add the field."),
            );
        }
        value
    }

    /// Notes a fault.
    pub(crate) fn note(&mut self, pointer: impl Into<String>, invalid: Invalid) {
        self.0.push(fault(pointer.into(), invalid));
    }

    /// The result, if it came out whole and nothing was noted.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match (value, self.0.is_empty()) {
            (Some(value), true) => Ok(value),
            (None, true) => Err(Problem::internal("a value is missing and nobody said why")),
            (_, false) => Err(Problem::malformed(self.0)),
        }
    }

    /// A name.
    pub(crate) fn name(&mut self, pointer: &str, text: &str) -> Option<ResourceName> {
        self.take(pointer, ResourceName::parse(text))
    }

    /// A description for people; missing: none.
    pub(crate) fn description(&mut self, text: Option<&str>) -> Option<String> {
        self.take("/description", description(text.unwrap_or_default()))
    }

    /// A subject.
    pub(crate) fn subject(&mut self, pointer: &str, subject: &wire::Subject) -> Option<DistinguishedName> {
        let attributes: Vec<Option<Attribute>> = subject
            .attributes()
            .into_iter()
            .map(|(place, kind, value)| {
                let place = format!("{pointer}{place}");
                let parsed = AttributeType::parse(kind).and_then(|kind| Attribute::parse(kind, value));
                self.take(place, parsed)
            })
            .collect();
        let attributes = attributes.into_iter().collect::<Option<Vec<_>>>()?;
        self.take(pointer, DistinguishedName::new(attributes))
    }

    /// A subject that may be missing.
    pub(crate) fn optional_subject(
        &mut self,
        pointer: &str,
        subject: Option<&wire::Subject>,
    ) -> Option<Option<DistinguishedName>> {
        subject.map_or(Some(None), |subject| self.subject(pointer, subject).map(Some))
    }

    /// Subject alternative names that may be missing.
    pub(crate) fn optional_names(&mut self, pointer: &str, names: Option<&[wire::Name]>) -> Option<Option<Vec<San>>> {
        names.map_or(Some(None), |names| self.names(pointer, names).map(Some))
    }

    /// Subject alternative names.
    pub(crate) fn names(&mut self, pointer: &str, names: &[wire::Name]) -> Option<Vec<San>> {
        if names.len() > MAX_NAMES {
            let detail = format!("There are {} names, {MAX_NAMES} are allowed.", names.len());
            self.note(pointer, Invalid::new("too_many_names", detail, "Ask for several certificates."));
            return None;
        }
        let parsed: Vec<Option<San>> = names
            .iter()
            .enumerate()
            .map(|(index, name)| self.take(format!("{pointer}/{index}"), parse_name(name)))
            .collect();
        parsed.into_iter().collect()
    }

    /// A validity; the fields stand below `pointer`.
    pub(crate) fn validity(&mut self, pointer: &str, validity: &wire::Validity) -> Option<RequestedValidity> {
        let before = self.optional(&format!("{pointer}/notBefore"), validity.not_before.as_deref(), Timestamp::parse);
        let after = self.optional(&format!("{pointer}/notAfter"), validity.not_after.as_deref(), Timestamp::parse);
        let length = self.optional(&format!("{pointer}/duration"), validity.duration.as_deref(), Span::parse);
        let (before, after, length) = (before?, after?, length?);
        let end = match (after, length) {
            (Some(_), Some(_)) => {
                self.note(
                    format!("{pointer}/duration"),
                    Invalid::new(
                        "contradicting_fields",
                        "`duration` and `notAfter` both say when the validity ends.",
                        "Give one of them.",
                    ),
                );
                return None;
            }
            (Some(at), None) => RequestedEnd::NotAfter(at),
            (None, Some(span)) => RequestedEnd::Duration(span),
            (None, None) => RequestedEnd::Longest,
        };
        if let (Some(before), RequestedEnd::NotAfter(after)) = (before, end)
            && after < before
        {
            let detail = format!("The end {after} lies before the start {before}.");
            let invalid = Invalid::new("invalid_validity", detail, "Give an end after the start.");
            self.note(format!("{pointer}/notAfter"), invalid);
            return None;
        }
        Some(RequestedValidity { not_before: before, end })
    }

    /// A reason for revocation; `unspecified` when there is none.
    pub(crate) fn reason(&mut self, reason: Option<&str>) -> Option<RevocationReason> {
        let reason = self.optional("/reason", reason, RevocationReason::parse);
        reason.map(|reason| reason.unwrap_or(RevocationReason::Unspecified))
    }

    /// A validity that may be missing.
    pub(crate) fn optional_validity(
        &mut self,
        pointer: &str,
        validity: Option<&wire::Validity>,
    ) -> Option<RequestedValidity> {
        validity.map_or(Some(RequestedValidity::DEFAULT), |validity| self.validity(pointer, validity))
    }
}

/// A reference in a path.
pub(crate) fn reference(text: &str) -> Result<Reference, Problem> {
    Reference::parse(text).map_err(|invalid| Problem::invalid("", invalid))
}

/// The call, with what it makes put into this compartment.
pub(crate) fn into(call: Call, compartment: Option<&str>) -> Result<Call, Problem> {
    let parsed = compartment.map(Reference::parse).transpose();
    Ok(call.within(parsed.map_err(|invalid| Problem::invalid("/compartment", invalid))?))
}

/// A reference to a user or group in a path.
pub(crate) fn principal(text: &str) -> Result<PrincipalReference, Problem> {
    PrincipalReference::parse(text).map_err(|invalid| Problem::invalid("", invalid))
}

/// A version number in a path.
pub(crate) fn version(text: &str) -> Result<u32, Problem> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
        let detail = format!("`{}` is not a version number.", text.escape_debug());
        Problem::invalid("", Invalid::new("invalid_version", detail, "Versions are numbers from 1."))
    })
}

/// A page of a list.
pub(crate) fn page(app: &App, limit: Option<u32>, cursor: Option<&str>) -> Result<PageRequest, Problem> {
    let mut faults = Faults::default();
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=500).contains(&limit) {
        let detail = format!("The limit {limit} is not between 1 and 500.");
        faults.note("/limit", Invalid::new("invalid_limit", detail, "Use 1 to 500; `nextCursor` leads on."));
    }
    let wrong =
        || Invalid::new("invalid_cursor", "The cursor does not belong to this list.", "Leave it out to begin anew.");
    let after = faults.optional("/cursor", cursor, |text| app.open_cursor(text).ok_or_else(wrong));
    faults.finish(after.map(|after| PageRequest { limit, after }))
}

fn parse_name(name: &wire::Name) -> Result<San, Invalid> {
    match &name.kind {
        None => San::parse(&name.value),
        Some(kind) if ["dns", "ip", "email", "uri"].iter().any(|known| known.eq_ignore_ascii_case(kind)) => {
            San::parse(&format!("{kind}:{}", name.value))
        }
        Some(kind) => Err(Invalid::new(
            "invalid_name_type",
            format!("`{}` is not a kind of name.", kind.escape_debug()),
            "Choose one of: DNS IP EMAIL URI",
        )),
    }
}

/// A distinguished name in one line, as the inventory keeps it (`C=KR, O=DDIM, CN=a`), back to attributes.
/// The escapes are those that [`DistinguishedName`] writes; `None` for anything else.
pub(crate) fn subject_of_text(text: &str) -> Option<wire::Subject> {
    let mut attributes: Vec<(&'static str, String)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (short, after) = rest.split_once('=')?;
        let kind = AttributeType::ALL.iter().find(|kind| short_name(**kind) == short)?;
        let mut value = String::new();
        let mut symbols = after.char_indices();
        let mut end = after.len();
        while let Some((at, symbol)) = symbols.next() {
            match symbol {
                '\\' => value.push(symbols.next()?.1),
                ',' => {
                    end = at;
                    break;
                }
                other => value.push(other),
            }
        }
        attributes.push((kind.as_str(), value));
        let tail = after.get(end..)?;
        rest = if tail.is_empty() { tail } else { tail.strip_prefix(", ")? };
    }
    Some(wire::Subject::from_attributes(attributes.iter().map(|(kind, value)| (*kind, value.as_str()))))
}

fn short_name(kind: AttributeType) -> &'static str {
    use AttributeType as T;
    match kind {
        T::CommonName => "CN",
        T::Organization => "O",
        T::OrganizationalUnit => "OU",
        T::Locality => "L",
        T::StateOrProvince => "ST",
        T::Country => "C",
        T::DomainComponent => "DC",
        T::UserId => "UID",
        T::GivenName => "GN",
        T::Surname => "SN",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_collected_with_its_pointer() {
        let subject: wire::Subject =
            serde_json::from_str(r#"{"country":"Korea","colour":"red","commonName":["ok",""]}"#).unwrap();
        let names: Vec<wire::Name> =
            serde_json::from_str(r#"["ok.example.com","a b",{"type":"IP","value":"x"},{"type":"OID","value":"1"}]"#)
                .unwrap();
        let mut faults = Faults::default();
        assert!(faults.subject("/subject", &subject).is_none());
        assert!(faults.names("/names", &names).is_none());
        let problem = faults.finish::<()>(None).unwrap_err();
        let document = problem.document();
        let pointers: Vec<&str> = document.errors.iter().map(|error| error.pointer.as_str()).collect();
        let expected =
            ["/subject/country", "/subject/colour", "/subject/commonName/1", "/names/1", "/names/2", "/names/3"];
        assert_eq!(pointers, expected);
        assert_eq!(document.code, "invalid_request");
        let unknown = &document.errors[1];
        assert!(unknown.hint.contains("organizationalUnit"), "the list of attributes: {}", unknown.hint);
    }

    #[test]
    fn the_end_is_said_once() {
        let parse = |text: &str| {
            let mut faults = Faults::default();
            let validity = faults.validity("/validity", &serde_json::from_str(text).unwrap());
            faults.finish(validity).map_err(|problem| Box::new(problem.document().errors[0].clone()))
        };
        let error = parse(r#"{"duration":"P1D","notAfter":"2030-01-01T00:00:00Z"}"#).unwrap_err();
        assert_eq!((error.code.as_str(), error.pointer.as_str()), ("contradicting_fields", "/validity/duration"));
        let error = parse(r#"{"notBefore":"2030-01-01T00:00:00Z","notAfter":"2029-01-01T00:00:00Z"}"#).unwrap_err();
        assert_eq!((error.code.as_str(), error.pointer.as_str()), ("invalid_validity", "/validity/notAfter"));
        assert_eq!(parse(r#"{"duration":"-P1D"}"#).unwrap_err().code, "invalid_duration");
        assert_eq!(parse("{}").unwrap(), RequestedValidity::DEFAULT);
        assert_eq!(parse(r#"{"duration":"12h"}"#).unwrap().end, RequestedEnd::Duration(Span::from_hours(12)));
    }

    #[test]
    fn subjects_come_back_from_their_text() {
        let table: &[&[(AttributeType, &str)]] = &[
            &[],
            &[
                (AttributeType::Country, "KR"),
                (AttributeType::Organization, "A, B + C"),
                (AttributeType::CommonName, "a=b\\c"),
            ],
            &[
                (AttributeType::DomainComponent, "x"),
                (AttributeType::Country, "KR"),
                (AttributeType::DomainComponent, "y"),
            ],
            &[(AttributeType::EmailAddress, "a@example.com"), (AttributeType::SerialNumber, "7")],
        ];
        for attributes in table {
            let parsed = attributes.iter().map(|(kind, value)| Attribute::parse(*kind, value).unwrap()).collect();
            let name = DistinguishedName::new(parsed).unwrap();
            let expected =
                wire::Subject::from_attributes(attributes.iter().map(|(kind, value)| (kind.as_str(), *value)));
            assert_eq!(subject_of_text(&name.to_string()), Some(expected), "{name}");
        }
        for kind in AttributeType::ALL {
            let value = match kind {
                AttributeType::Country => "KR",
                AttributeType::EmailAddress => "a@b",
                _ => "v",
            };
            let name = DistinguishedName::new(vec![Attribute::parse(*kind, value).unwrap()]).unwrap();
            let expected = wire::Subject::from_attributes([(kind.as_str(), value)]);
            assert_eq!(subject_of_text(&name.to_string()), Some(expected), "{name}");
        }
        assert_eq!(subject_of_text("nonsense"), None);
    }
}
