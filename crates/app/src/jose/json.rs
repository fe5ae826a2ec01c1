//! JSON as strangers write it, read strictly: a member that stands twice in an object is refused (RFC 7519 section 4 leaves
//! it open which of the two counts, and two readers may choose differently), and so is anything behind the value. The
//! reader's own bound of 128 levels holds.

use certwright_domain::identity::Claims;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Object),
}

/// An object.
pub type Object = BTreeMap<String, Json>;

/// Reads an object; `None`: it is not one, or not well formed.
pub fn object(bytes: &[u8]) -> Option<Object> {
    match serde_json::from_slice(bytes) {
        Ok(Json::Object(object)) => Some(object),
        _ => None,
    }
}

impl Json {
    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A time as JWT has it (RFC 7519 section 2, NumericDate); fractions are cut off.
    pub(crate) fn seconds(&self) -> Option<i64> {
        match self {
            Self::Integer(seconds) => i64::try_from(*seconds).ok(),
            Self::Number(seconds) => whole(*seconds),
            _ => None,
        }
    }
}

/// Without its fraction; `None` where that is not exact.
fn whole(number: f64) -> Option<i64> {
    let whole = number.floor();
    // Up to 2^53, every whole number has its own text.
    (whole.abs() < 9_007_199_254_740_992.0).then(|| format!("{whole}").parse().ok())?
}

/// Flattens an object into claims; `None`: there are too many, or two have one path.
pub(crate) fn flatten(object: &Object) -> Option<Claims> {
    let mut claims = Claims::default();
    nested(object, "", &mut claims).then_some(claims)
}

fn nested(object: &Object, path: &str, claims: &mut Claims) -> bool {
    object.iter().all(|(name, value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Json::Object(inner) => nested(inner, &path, claims),
            Json::List(items) => claims.insert(path, items.iter().filter_map(scalar).collect()),
            value => claims.insert(path, scalar(value).into_iter().collect()),
        }
    })
}

/// The text of what is a single value. Numbers with a fraction have more than one, and none here.
fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.clone()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Integer(number) => Some(number.to_string()),
        Json::Null | Json::Number(_) | Json::List(_) | Json::Object(_) => None,
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Object::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Json::Object(object))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_two_meanings_is_refused() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":1} {"a":2}"#,
            r#"{"a":1}x"#,
            r#"{"a":NaN}"#,
            r#"{'a':1}"#,
            r#"{"a":1,}"#,
            r#"{"a":"\ud800"}"#,
            "[]",
            "1",
            "",
            "\u{feff}{}",
            &format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200)),
            &format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)),
        ] {
            assert_eq!(object(text.as_bytes()), None, "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), None);
    }

    #[test]
    fn claims_are_flattened_and_none_has_two_values_by_two_ways() {
        let flat = |text: &str| flatten(&object(text.as_bytes()).unwrap());
        let claims = flat(
            r#"{"sub":"s","n":7,"t":true,"f":1.5,"z":null,"l":["a",1,{"x":1},["y"]],
                "kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"sa"}},"big":18446744073709551615}"#,
        );
        let claims = claims.unwrap();
        for (path, values) in [
            ("sub", &["s"][..]),
            ("n", &["7"]),
            ("t", &["true"]),
            ("f", &[]),
            ("z", &[]),
            ("l", &["a", "1"]),
            ("kubernetes.io.namespace", &["ns"]),
            ("kubernetes.io.serviceaccount.name", &["sa"]),
            ("big", &["18446744073709551615"]),
            ("kubernetes.io", &[]),
        ] {
            assert_eq!(claims.get(path), values, "{path}");
        }
        assert_eq!(flat(r#"{"a.b":"x","a":{"b":"y"}}"#), None);
        let many: Vec<String> = (0..300).map(|index| format!("\"c{index}\":1")).collect();
        assert_eq!(flat(&format!("{{{}}}", many.join(","))), None);
    }

    #[test]
    fn times_are_whole_seconds() {
        for (value, expected) in [
            (Json::Integer(7), Some(7)),
            (Json::Integer(i128::from(u64::MAX)), None),
            (Json::Number(1.9), Some(1)),
            (Json::Number(-1.5), Some(-2)),
            (Json::Number(1e300), None),
            (Json::Number(f64::NAN), None),
            (Json::Text("7".to_owned()), None),
            (Json::Null, None),
        ] {
            assert_eq!(value.seconds(), expected, "{value:?}");
        }
    }
}
