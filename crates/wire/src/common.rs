//! Parts that several resources share.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use zeroize::Zeroize;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Pass it as `cursor` to get the next page; `null` on the last one. Opaque.
    pub next_cursor: Option<String>,
}

/// Answer of a trial (`?dryRun=true`): nothing was changed, nothing was signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRun<T> {
    /// Always `true`.
    #[schema(example = true)]
    pub dry_run: bool,
    /// What the call would have made.
    pub would_be: T,
    /// Every rule that was asked, with its verdict; empty where no rule applies.
    pub rules: Vec<RuleVerdict>,
}

/// The verdict of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleVerdict {
    /// The rule.
    #[schema(example = "leafMaxValidity")]
    pub rule: String,
    /// Who carries it.
    #[schema(example = "CA issuing-1")]
    pub owner: String,
    /// The limit.
    #[schema(example = "P90D")]
    pub limit: String,
    /// The value that was judged.
    #[schema(example = "PT24H")]
    pub value: String,
    /// Did the request keep the rule?
    pub passed: bool,
    /// Every way in which it was broken; empty when it passed.
    pub errors: Vec<crate::ProblemError>,
}

/// A validity that is asked for. Missing parts: it starts now and lasts as long as every rule allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"duration": "P89D"}))]
pub struct Validity {
    /// First second, RFC 3339.
    #[schema(example = "2026-11-20T00:00:00Z")]
    pub not_before: Option<String>,
    /// Last second, RFC 3339. Not together with `duration`.
    #[schema(example = "2027-02-18T00:00:00Z")]
    pub not_after: Option<String>,
    /// Length from `notBefore`, ISO 8601 (`P89D`, `PT12H`) or short (`89d`, `12h`, `30m`).
    #[schema(example = "P89D")]
    pub duration: Option<String>,
}

/// A body without fields: `{}`, or no body at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// When a deletion becomes final.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleDeletion {
    /// RFC 3339, 7 to 30 days from now; missing: 30 days from now.
    #[schema(example = "2026-12-20T00:00:00Z")]
    pub deletion_at: Option<String>,
}

/// Why a CA's version is revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revoke {
    /// Reason by its name in RFC 5280: `unspecified` (default), `keyCompromise`, `cACompromise`, `affiliationChanged`,
    /// `superseded`, `cessationOfOperation`, `privilegeWithdrawn`, `aACompromise`.
    #[schema(example = "keyCompromise")]
    pub reason: Option<String>,
}

/// Text that must not be printed: a private key, a token. Wiped when dropped; `Debug` shows nothing of it. Not to be compared: what
/// is compared with a secret is compared in constant time, where secrets are kept.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct SecretText(String);

impl SecretText {
    /// Takes ownership of the secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Looks at the secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A subject alternative name: a string whose form tells the kind, or an object that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// `DNS`, `IP`, `EMAIL` or `URI` in any case; `None`: the form of the value tells.
    pub kind: Option<String>,
    /// The name.
    pub value: String,
}

impl From<&str> for Name {
    fn from(value: &str) -> Self {
        Self { kind: None, value: value.to_owned() }
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            None => serializer.serialize_str(&self.value),
            Some(kind) => TypedName { kind: kind.clone(), value: self.value.clone() }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name as a string, or an object with `type` and `value`")
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Name, E> {
                Ok(Name::from(value))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Name, A::Error> {
                let typed = TypedName::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Name { kind: Some(typed.kind), value: typed.value })
            }
        }
        deserializer.deserialize_any(NameVisitor)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedName {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let typed = ObjectBuilder::new()
            .property("type", text().enum_values(Some(["DNS", "IP", "EMAIL", "URI"])))
            .property("value", text())
            .required("type")
            .required("value");
        let either = OneOfBuilder::new()
            .description(Some(
                "A subject alternative name: a string whose form tells the kind (`a://b` URI, IP address, `x@y` e-mail, \
                 else DNS), or an object that says it.",
            ))
            .item(text().description(Some("The name.")))
            .item(typed)
            .examples([serde_json::json!("service-a.example.com"), serde_json::json!({"type": "IP", "value": "10.0.0.5"})]);
        RefOr::T(Schema::OneOf(either.build()))
    }
}

impl ToSchema for Name {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_strings_or_typed_objects() {
        let names: Vec<Name> =
            serde_json::from_str(r#"["a.example.com", {"type":"DNS","value":"b.example.com"}]"#).unwrap();
        assert_eq!(names[0], Name { kind: None, value: "a.example.com".into() });
        assert_eq!(names[1], Name { kind: Some("DNS".into()), value: "b.example.com".into() });
        assert!(serde_json::from_str::<Name>(r#"{"type":"DNS","value":"b","x":1}"#).is_err());
        assert!(serde_json::from_str::<Name>("7").unwrap_err().to_string().contains("a name as a string"));
    }

    #[test]
    fn secrets_do_not_print() {
        let secret = SecretText::new("hush".into());
        assert!(!format!("{secret:?}").contains("hush"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hush\"");
    }
}
