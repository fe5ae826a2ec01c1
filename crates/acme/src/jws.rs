//! JWS in flattened JSON form (RFC 7515 section 7.2.2), as RFC 8555 section 6.2 narrows it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::jose::json::{self, Json, Object};
use certwright_app::jose::{Jwk, JwkFault};
use certwright_app::{AcmeError, Binding, MacAlgorithm, Problem, ProblemKind};
use certwright_domain::identity::JwsAlgorithm;

/// Signatures that are taken (RFC 8555 section 6.2: ES256 must be, EdDSA should be).
pub(crate) const ALGORITHMS: [JwsAlgorithm; 5] =
    [JwsAlgorithm::Es256, JwsAlgorithm::Es384, JwsAlgorithm::Es512, JwsAlgorithm::Rs256, JwsAlgorithm::EdDsa];

/// Whose signature it says it is.
pub(crate) enum KeyOf {
    /// The key itself.
    Key(Box<Jwk>),
    /// The URL of an account.
    Account(String),
}

/// A JWS of which nothing is proven.
pub(crate) struct Jws {
    pub(crate) algorithm: JwsAlgorithm,
    pub(crate) key: KeyOf,
    pub(crate) nonce: Option<String>,
    pub(crate) url: String,
    pub(crate) payload: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

pub(crate) fn malformed(detail: impl Into<String>) -> AcmeError {
    Problem::new(ProblemKind::Malformed, detail).into()
}

/// The parts of an envelope.
struct Envelope {
    protected: Object,
    message: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

fn envelope(mut object: Object) -> Result<Envelope, AcmeError> {
    if object.contains_key("header") || object.contains_key("signatures") {
        return Err(malformed("A JWS has one signature and no unprotected header here (RFC 8555 section 6.2)."));
    }
    let mut part = |name: &str| match object.remove(name) {
        Some(Json::Text(text)) => Ok(text),
        _ => Err(malformed(format!("The JWS has no text `{name}`."))),
    };
    let (protected, payload, signature) = (part("protected")?, part("payload")?, part("signature")?);
    let decode = |name: &str, text: &str| {
        URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed(format!("`{name}` is not base64url without padding.")))
    };
    let header = json::object(&decode("protected", &protected)?)
        .ok_or_else(|| malformed("The protected header is not a JSON object, or a member stands twice."))?;
    for refused in ["crit", "b64"] {
        if header.contains_key(refused) {
            return Err(malformed(format!("The protected header has `{refused}`, which is not understood here.")));
        }
    }
    Ok(Envelope {
        protected: header,
        message: format!("{protected}.{payload}").into_bytes(),
        payload: decode("payload", &payload)?,
        signature: decode("signature", &signature)?,
    })
}

fn text(header: &Object, name: &str) -> Result<Option<String>, AcmeError> {
    match header.get(name) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(format!("`{name}` of the protected header is not a text."))),
    }
}

fn needed(header: &Object, name: &str) -> Result<String, AcmeError> {
    text(header, name)?.ok_or_else(|| malformed(format!("The protected header has no `{name}`.")))
}

fn algorithm(header: &Object) -> Result<JwsAlgorithm, AcmeError> {
    let name = needed(header, "alg")?;
    let known = JwsAlgorithm::parse(&name).ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
    known.ok_or_else(|| {
        let detail = format!("Signatures with `{}` are not taken here.", name.escape_debug());
        Problem::new(ProblemKind::BadSignatureAlgorithm, detail).into()
    })
}

fn jwk(header: &Object) -> Result<Option<Jwk>, AcmeError> {
    match header.get("jwk") {
        None => Ok(None),
        Some(Json::Object(members)) => match Jwk::parse(members) {
            Ok(key) => Ok(Some(key)),
            Err(JwkFault::Form) => Err(malformed(format!("`jwk`: {}.", JwkFault::Form))),
            Err(fault) => Err(Problem::new(ProblemKind::BadPublicKey, format!("`jwk`: {fault}.")).into()),
        },
        Some(_) => Err(malformed("`jwk` of the protected header is not an object.")),
    }
}

impl Jws {
    /// Reads the body of a request.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, AcmeError> {
        let object = json::object(body)
            .ok_or_else(|| malformed("The body is not a JWS in flattened JSON form, or a member stands twice."))?;
        Self::read(object)
    }

    /// Reads a JWS that stands in the payload of another one (RFC 8555 section 7.3.5).
    pub(crate) fn inner(payload: Object) -> Result<Self, AcmeError> {
        let inner = Self::read(payload)?;
        if inner.nonce.is_some() {
            return Err(malformed("The inner JWS has a nonce; the outer one alone has (RFC 8555 section 7.3.5)."));
        }
        Ok(inner)
    }

    fn read(object: Object) -> Result<Self, AcmeError> {
        let Envelope { protected, message, payload, signature } = envelope(object)?;
        let algorithm = algorithm(&protected)?;
        let key = match (jwk(&protected)?, text(&protected, "kid")?) {
            (Some(key), None) => KeyOf::Key(Box::new(key)),
            (None, Some(id)) => KeyOf::Account(id),
            _ => return Err(malformed("The protected header has one of `jwk` and `kid`, and only one.")),
        };
        let (nonce, url) = (text(&protected, "nonce")?, needed(&protected, "url")?);
        Ok(Self { algorithm, key, nonce, url, payload, message, signature })
    }

    /// Is it signed by this key?
    pub(crate) fn verify(&self, key: &Jwk) -> Result<(), AcmeError> {
        if !key.fits(self.algorithm) {
            return Err(malformed(format!("`alg` is {}, which the key cannot have made.", self.algorithm)));
        }
        match key.verify(self.algorithm, &self.message, &self.signature) {
            true => Ok(()),
            false => Err(malformed("The signature is wrong.")),
        }
    }
}

/// Reads an external account binding (RFC 8555 section 7.3.4). `key` and `url` are those of the JWS around it.
pub(crate) fn binding(value: Object, key: &Jwk, url: &str) -> Result<Binding, AcmeError> {
    let Envelope { protected, message, payload, signature } = envelope(value)?;
    let algorithm = match needed(&protected, "alg")?.as_str() {
        "HS256" => MacAlgorithm::Hs256,
        "HS384" => MacAlgorithm::Hs384,
        "HS512" => MacAlgorithm::Hs512,
        _ => return Err(malformed("An external account binding has a MAC: HS256, HS384 or HS512.")),
    };
    if protected.contains_key("nonce") || protected.contains_key("jwk") {
        return Err(malformed("An external account binding has neither `nonce` nor `jwk`."));
    }
    let key_id = needed(&protected, "kid")?;
    if needed(&protected, "url")? != url {
        return Err(malformed("The external account binding is for another URL."));
    }
    let bound = json::object(&payload).and_then(|members| Jwk::parse(&members).ok());
    if bound.is_none_or(|bound| bound.canonical() != key.canonical()) {
        return Err(malformed("The external account binding is not for the key of the request."));
    }
    Ok(Binding { key_id, algorithm, message, mac: signature })
}
