//! Payloads: strict JSON, members read one by one; what is not known is not looked at.

use crate::jws::malformed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::AcmeError;
use certwright_app::jose::json::{self, Json, Object};
use certwright_domain::time::Timestamp;

/// A payload.
pub(crate) struct Payload(Object);

impl Payload {
    /// Reads a payload; an empty one is not one.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, AcmeError> {
        let object = json::object(bytes);
        object.map(Self).ok_or_else(|| malformed("The payload is not a JSON object, or a member stands twice."))
    }

    /// The payload of a POST-as-GET (RFC 8555 section 6.3): the empty text.
    pub(crate) fn none(bytes: &[u8]) -> Result<(), AcmeError> {
        match bytes.is_empty() {
            true => Ok(()),
            false => Err(malformed("This is read with an empty payload (POST-as-GET, RFC 8555 section 6.3).")),
        }
    }

    /// The members themselves.
    pub(crate) fn into_object(self) -> Object {
        self.0
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, AcmeError> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(format!("`{name}` is not a text."))),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, AcmeError> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(_) => Err(malformed(format!("`{name}` is neither true nor false."))),
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, AcmeError> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Integer(number)) => {
                i64::try_from(*number).map(Some).map_err(|_| malformed(format!("`{name}` is too large a number.")))
            }
            Some(_) => Err(malformed(format!("`{name}` is not a whole number."))),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, AcmeError> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::List(items)) => {
                let texts: Option<Vec<String>> = items.iter().map(|item| item.text().map(str::to_owned)).collect();
                texts.map(Some).ok_or_else(|| malformed(format!("`{name}` is not a list of texts.")))
            }
            Some(_) => Err(malformed(format!("`{name}` is not a list of texts."))),
        }
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Object>, AcmeError> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object.clone())),
            Some(_) => Err(malformed(format!("`{name}` is not an object."))),
        }
    }

    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, AcmeError> {
        let time = |text| Timestamp::parse(text).map_err(|_| malformed(format!("`{name}` is not a time of RFC 3339.")));
        self.text(name)?.map(time).transpose()
    }

    /// Bytes in base64url.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, AcmeError> {
        let text = self.text(name)?.ok_or_else(|| malformed(format!("The payload has no `{name}`.")))?;
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| malformed(format!("`{name}` is not base64url without padding (RFC 8555 section 6.1).")))
    }

    /// Types and values.
    pub(crate) fn identifiers(&self) -> Result<Vec<(String, String)>, AcmeError> {
        match self.0.get("identifiers") {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::List(items)) => items.iter().map(identifier).collect(),
            Some(_) => Err(malformed("`identifiers` is not a list.")),
        }
    }

    /// The one identifier of an authorization that is asked for without an order.
    pub(crate) fn identifier(&self) -> Result<(String, String), AcmeError> {
        identifier(self.0.get("identifier").unwrap_or(&Json::Null))
    }
}

fn identifier(value: &Json) -> Result<(String, String), AcmeError> {
    let Json::Object(members) = value else { return Err(malformed("An identifier is an object.")) };
    let text = |name: &str| members.get(name).and_then(Json::text).map(str::to_owned);
    text("type").zip(text("value")).ok_or_else(|| malformed("An identifier has the texts `type` and `value`."))
}
