//! Distinguished names as JSON, keeping the order in which they were given.

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A distinguished name. The order of the attributes is the order in the certificate.
///
/// Either an object (`{"country":"KR","organizationalUnit":["A","B"],"commonName":"x"}`; an array repeats the
/// attribute), or an array of `{type, value}` for names in which repeats do not stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Attributes by type; no type twice.
    Object(Vec<(String, Values)>),
    /// Attributes one by one.
    List(Vec<SubjectAttribute>),
}

/// One value, or several of the same attribute type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
pub enum Values {
    /// One value.
    One(String),
    /// Several, in order.
    Many(Vec<String>),
}

/// One attribute of a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectAttribute {
    /// Attribute type by its name, for example `commonName`.
    #[serde(rename = "type")]
    #[schema(example = "commonName")]
    pub kind: String,
    /// Value.
    #[schema(example = "service-a.example.com")]
    pub value: String,
}

impl Subject {
    /// Attributes in order, each with its JSON pointer (RFC 6901) below the subject.
    pub fn attributes(&self) -> Vec<(String, &str, &str)> {
        match self {
            Self::Object(entries) => entries.iter().flat_map(|(kind, values)| of_type(kind, values)).collect(),
            Self::List(list) => list
                .iter()
                .enumerate()
                .map(|(index, a)| (format!("/{index}/value"), a.kind.as_str(), a.value.as_str()))
                .collect(),
        }
    }

    /// From attributes in order: an object where repeats of a type stand together, otherwise an array.
    pub fn from_attributes<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let attributes: Vec<(&str, &str)> = attributes.into_iter().collect();
        let mut entries: Vec<(String, Values)> = Vec::new();
        for (kind, value) in &attributes {
            let repeats_last = entries.last().is_some_and(|(last, _)| last == kind);
            if !repeats_last && entries.iter().any(|(seen, _)| seen == kind) {
                let one = |(kind, value): &(&str, &str)| SubjectAttribute {
                    kind: (*kind).to_owned(),
                    value: (*value).to_owned(),
                };
                return Self::List(attributes.iter().map(one).collect());
            }
            match entries.last_mut() {
                Some((_, values)) if repeats_last => values.push((*value).to_owned()),
                _ => entries.push(((*kind).to_owned(), Values::One((*value).to_owned()))),
            }
        }
        Self::Object(entries)
    }
}

fn of_type<'a>(kind: &'a str, values: &'a Values) -> Vec<(String, &'a str, &'a str)> {
    let name = kind.replace('~', "~0").replace('/', "~1");
    match values {
        Values::One(value) => vec![(format!("/{name}"), kind, value)],
        Values::Many(values) => {
            values.iter().enumerate().map(|(index, v)| (format!("/{name}/{index}"), kind, v.as_str())).collect()
        }
    }
}

impl Values {
    fn push(&mut self, value: String) {
        match self {
            Self::One(first) => *self = Self::Many(vec![std::mem::take(first), value]),
            Self::Many(values) => values.push(value),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (kind, values) in entries {
                    map.serialize_entry(kind, values)?;
                }
                map.end()
            }
            Self::List(list) => list.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SubjectVisitor;
        impl<'de> Visitor<'de> for SubjectVisitor {
            type Value = Subject;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of attributes, or an array of objects with `type` and `value`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Subject, A::Error> {
                let mut entries: Vec<(String, Values)> = Vec::new();
                while let Some((kind, values)) = map.next_entry::<String, Values>()? {
                    if entries.iter().any(|(seen, _)| *seen == kind) {
                        return Err(A::Error::custom(format_args!(
                            "duplicate field `{kind}`: repeat an attribute by giving an array of values"
                        )));
                    }
                    entries.push((kind, values));
                }
                Ok(Subject::Object(entries))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Subject, A::Error> {
                let mut list = Vec::new();
                while let Some(attribute) = seq.next_element()? {
                    list.push(attribute);
                }
                Ok(Subject::List(list))
            }
        }
        deserializer.deserialize_any(SubjectVisitor)
    }
}

impl PartialSchema for Subject {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let values = OneOfBuilder::new().item(text()).item(ArrayBuilder::new().items(text()));
        let object = ObjectBuilder::new()
            .additional_properties(Some(AdditionalProperties::from(Schema::OneOf(values.build()))))
            .description(Some("Attributes by type, in order; an array repeats the attribute."));
        let list = ArrayBuilder::new()
            .items(<SubjectAttribute as PartialSchema>::schema())
            .description(Some("Attributes one by one."));
        let either = OneOfBuilder::new()
            .description(Some(
                "A distinguished name in the order in which it stands in the certificate. Attribute types: commonName, \
                 organization, organizationalUnit, locality, stateOrProvince, country, emailAddress, serialNumber, \
                 street, postalCode, domainComponent, userId, givenName, surname, title, initials, pseudonym, \
                 generationQualifier, distinguishedNameQualifier, organizationIdentifier.",
            ))
            .item(object)
            .item(list)
            .examples([
                serde_json::json!({"commonName": "service-a.example.com", "organization": "DDIM", "country": "KR"}),
            ]);
        RefOr::T(Schema::OneOf(either.build()))
    }
}

impl ToSchema for Subject {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_given_is_kept() {
        let text = r#"{"country":"KR","organizationalUnit":["B","A"],"commonName":"x"}"#;
        let subject: Subject = serde_json::from_str(text).unwrap();
        let flat: Vec<(&str, &str)> = subject.attributes().into_iter().map(|(_, k, v)| (k, v)).collect();
        let expected =
            [("country", "KR"), ("organizationalUnit", "B"), ("organizationalUnit", "A"), ("commonName", "x")];
        assert_eq!(flat, expected);
        assert_eq!(serde_json::to_string(&subject).unwrap(), text);
        assert_eq!(Subject::from_attributes(flat), subject);
    }

    #[test]
    fn interleaved_repeats_become_an_array() {
        let subject = Subject::from_attributes([("domainComponent", "a"), ("country", "KR"), ("domainComponent", "b")]);
        let text = serde_json::to_string(&subject).unwrap();
        assert!(text.starts_with(r#"[{"type":"domainComponent","value":"a"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Subject>(&text).unwrap(), subject);
        assert_eq!(subject.attributes()[2].0, "/2/value");
    }

    #[test]
    fn pointers_name_the_attribute() {
        let subject: Subject = serde_json::from_str(r#"{"a/b":"x","organizationalUnit":["p","q"]}"#).unwrap();
        let pointers: Vec<String> = subject.attributes().into_iter().map(|(pointer, ..)| pointer).collect();
        assert_eq!(pointers, ["/a~1b", "/organizationalUnit/0", "/organizationalUnit/1"]);
    }

    #[test]
    fn a_repeated_key_is_refused() {
        let error = serde_json::from_str::<Subject>(r#"{"commonName":"a","commonName":"b"}"#).unwrap_err().to_string();
        assert!(error.contains("duplicate field `commonName`"), "{error}");
        assert!(serde_json::from_str::<Subject>(r#"{"commonName":7}"#).is_err());
        assert!(serde_json::from_str::<Subject>(r#""CN=x""#).is_err());
        assert!(serde_json::from_str::<Subject>(r#"[{"type":"commonName","value":"x","extra":1}]"#).is_err());
    }
}
