//! Tokens, honest and hostile, before the verifier.

use super::jwt::{Malformed, Unverified, is_jwt};
use super::keys::{KeyError, KeySet};
use crate::jose::json;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::identity::JwsAlgorithm;
use serde_json::{Value, json};
use std::sync::LazyLock;

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key of an issuer, its JWK without `alg`.
struct IssuerKey {
    pair: Pair,
    jwk: Value,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa(size: KeySize, kid: &str) -> IssuerKey {
    let pair = RsaKeyPair::generate(size).unwrap();
    let public = pair.public_key();
    let (n, e) = (public.modulus(), public.exponent());
    let jwk = json!({"kty": "RSA", "kid": kid, "n": b64(n.big_endian_without_leading_zero()),
        "e": b64(e.big_endian_without_leading_zero())});
    IssuerKey { pair: Pair::Rsa(pair), jwk }
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &str, kid: &str) -> IssuerKey {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let half = point.len() / 2;
    let jwk = json!({"kty": "EC", "crv": curve, "kid": kid, "x": b64(&point[1..=half]), "y": b64(&point[half.saturating_add(1)..])});
    IssuerKey { pair: Pair::Ec(pair), jwk }
}

fn ed(kid: &str) -> IssuerKey {
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(pair.public_key())});
    IssuerKey { pair: Pair::Ed(pair), jwk }
}

/// One key of each kind; making RSA keys takes its time.
struct Issuer {
    rsa: IssuerKey,
    p256: IssuerKey,
    p384: IssuerKey,
    p521: IssuerKey,
    ed: IssuerKey,
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer {
    rsa: rsa(KeySize::Rsa2048, "rsa"),
    p256: ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", "p256"),
    p384: ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", "p384"),
    p521: ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521", "p521"),
    ed: ed("ed"),
});

impl Issuer {
    fn all(&self) -> [&IssuerKey; 5] {
        [&self.rsa, &self.p256, &self.p384, &self.p521, &self.ed]
    }
}

fn set(keys: &[&Value]) -> KeySet {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn every_key() -> KeySet {
    set(&ISSUER.all().map(|key| &key.jwk))
}

fn sign(key: &IssuerKey, algorithm: &str, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    match &key.pair {
        Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        Pair::Rsa(pair) => {
            let padding: &dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                "RS384" => &RSA_PKCS1_SHA384,
                "RS512" => &RSA_PKCS1_SHA512,
                "PS256" => &RSA_PSS_SHA256,
                "PS384" => &RSA_PSS_SHA384,
                "PS512" => &RSA_PSS_SHA512,
                _ => &RSA_PKCS1_SHA256,
            };
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &random, message, &mut signature).unwrap();
            signature
        }
    }
}

/// A token with this header and these claims as they are written.
fn token(key: &IssuerKey, algorithm: &str, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let signature = sign(key, algorithm, message.as_bytes());
    format!("{message}.{}", b64(signature))
}

const PAYLOAD: &str = r#"{"iss":"https://idp.example","aud":"x","exp":1800000000,"sub":"s"}"#;

fn plain(key: &IssuerKey, algorithm: &str) -> String {
    let header = json!({"alg": algorithm, "kid": key.jwk["kid"], "typ": "JWT"});
    token(key, algorithm, &header.to_string(), PAYLOAD)
}

/// What a set of keys says to a token.
#[derive(Debug, PartialEq)]
enum Said {
    Yes,
    No(KeyError),
    None(Malformed),
}

fn ask(keys: &KeySet, token: &str) -> Said {
    match Unverified::parse(token).map(|token| token.verify(keys).map(drop)) {
        Ok(Ok(())) => Said::Yes,
        Ok(Err(error)) => Said::No(error),
        Err(error) => Said::None(error),
    }
}

const RSA_ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

#[test]
fn every_algorithm_is_verified_with_the_key_of_its_type_and_no_other() {
    let issuer = &*ISSUER;
    let own = |key: &IssuerKey| -> Vec<&str> {
        match key.jwk["kid"].as_str().unwrap() {
            "rsa" => RSA_ALGORITHMS.to_vec(),
            "p256" => vec!["ES256"],
            "p384" => vec!["ES384"],
            "p521" => vec!["ES512"],
            _ => vec!["EdDSA"],
        }
    };
    let keys = every_key();
    let mut accepted = 0;
    for key in issuer.all() {
        for algorithm in JwsAlgorithm::ALL.iter().map(|algorithm| algorithm.as_str()) {
            let fits = own(key).contains(&algorithm);
            let expected = if fits { Said::Yes } else { Said::No(KeyError::Unfit) };
            assert_eq!(ask(&keys, &plain(key, algorithm)), expected, "{} {algorithm}", key.jwk);
            accepted += u32::from(fits);
        }
    }
    assert_eq!(accepted, 10);
    // A signature of one RSA algorithm under the name of another, and each with a bit turned.
    for named in RSA_ALGORITHMS {
        for signed in RSA_ALGORITHMS {
            let header = json!({"alg": named, "kid": "rsa"}).to_string();
            let expected = if named == signed { Said::Yes } else { Said::No(KeyError::Signature) };
            assert_eq!(ask(&keys, &token(&issuer.rsa, signed, &header, PAYLOAD)), expected, "{named} {signed}");
        }
    }
}

#[test]
fn a_token_that_was_changed_anywhere_is_not_let_in() {
    let issuer = &*ISSUER;
    let keys = every_key();
    for (key, algorithm) in [(&issuer.ed, "EdDSA"), (&issuer.p256, "ES256"), (&issuer.rsa, "PS256")] {
        let good = plain(key, algorithm);
        assert_eq!(ask(&keys, &good), Said::Yes);
        for at in (0..good.len()).step_by(3).chain([good.len() - 1]) {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_ne!(ask(&keys, &changed), Said::Yes, "{algorithm} at {at}");
        }
        let (message, _) = good.rsplit_once('.').unwrap();
        let size = sign(key, algorithm, b"x").len();
        for signature in [vec![0; size], vec![0xff; size], vec![1], vec![0; size + 1], vec![0; size - 1]] {
            let forged = format!("{message}.{}", b64(signature));
            assert_eq!(ask(&keys, &forged), Said::No(KeyError::Signature), "{algorithm}");
        }
    }
    // ECDSA in DER, as X.509 has it, is not JWS; neither is one with r and s exchanged.
    let message = plain(&issuer.p256, "ES256").rsplit_once('.').unwrap().0.to_owned();
    let signature = sign(&issuer.p256, "ES256", message.as_bytes());
    let (r, s) = signature.split_at(32);
    let integer = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
    let der = [&[0x30, 70], integer(r).as_slice(), integer(s).as_slice()].concat();
    for signature in [der, [s, r].concat()] {
        assert_eq!(ask(&keys, &format!("{message}.{}", b64(signature))), Said::No(KeyError::Signature));
    }
}

#[test]
fn no_algorithm_is_taken_that_needs_no_key_or_a_shared_one() {
    let issuer = &*ISSUER;
    let keys = every_key();
    let modulus = issuer.rsa.jwk["n"].as_str().unwrap().to_owned();
    let secrets = [
        issuer.rsa.jwk.to_string().into_bytes(),
        modulus.clone().into_bytes(),
        URL_SAFE_NO_PAD.decode(&modulus).unwrap(),
        Vec::new(),
    ];
    for algorithm in [
        "none", "None", "NONE", "nOnE", "HS256", "hs256", "HS384", "HS512", "", "rs256", "RS256 ", "ES256K",
        "RSA-OAEP", "dir", "A128KW",
    ] {
        let header = json!({"alg": algorithm, "kid": "rsa"}).to_string();
        let message = format!("{}.{}", b64(&header), b64(PAYLOAD));
        for secret in &secrets {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
            let forged = format!("{message}.{}", b64(tag));
            assert_eq!(ask(&keys, &forged), Said::None(Malformed::Algorithm), "{algorithm}");
        }
        assert_eq!(ask(&keys, &format!("{message}.")), Said::None(Malformed::Form), "{algorithm}: no signature");
        assert_eq!(ask(&keys, &token(&issuer.rsa, "RS256", &header, PAYLOAD)), Said::None(Malformed::Algorithm));
    }
    for header in [r#"{"kid":"rsa"}"#, r#"{"alg":null,"kid":"rsa"}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":256}"#] {
        assert_eq!(
            ask(&keys, &token(&issuer.rsa, "RS256", header, PAYLOAD)),
            Said::None(Malformed::Algorithm),
            "{header}"
        );
    }
    // The hash of an RSA key as the secret of a signature that says ES256: a matter of the key's type.
    let header = json!({"alg": "ES256", "kid": "rsa"}).to_string();
    let message = format!("{}.{}", b64(&header), b64(PAYLOAD));
    let hash = digest::digest(&digest::SHA512, message.as_bytes());
    assert_eq!(ask(&keys, &format!("{message}.{}", b64(hash))), Said::No(KeyError::Unfit));
}

#[test]
fn headers_that_bring_a_key_or_ask_for_the_unknown_are_refused() {
    let issuer = &*ISSUER;
    let keys = every_key();
    let stranger = ed("ed");
    for (name, value) in [
        ("jwk", stranger.jwk.clone()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/chain")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jwk", json!(null)),
    ] {
        let mut header = json!({"alg": "EdDSA", "kid": "ed"});
        header[name] = value;
        for key in [&stranger, &issuer.ed] {
            assert_eq!(
                ask(&keys, &token(key, "EdDSA", &header.to_string(), PAYLOAD)),
                Said::None(Malformed::Refused),
                "{name}"
            );
        }
    }
    for (kind, fine) in [
        ("JWT", true),
        ("jwt", true),
        ("at+jwt", true),
        ("application/at+jwt", true),
        ("JOSE", false),
        ("dpop+jwt", false),
        ("logout+jwt", false),
        ("", false),
    ] {
        let header = json!({"alg": "EdDSA", "kid": "ed", "typ": kind}).to_string();
        let expected = if fine { Said::Yes } else { Said::None(Malformed::Type) };
        assert_eq!(ask(&keys, &token(&issuer.ed, "EdDSA", &header, PAYLOAD)), expected, "{kind}");
    }
}

#[test]
fn the_key_id_chooses_and_nothing_else() {
    let issuer = &*ISSUER;
    let stranger = ed("ed");
    let with = |header: Value, key: &IssuerKey| token(key, "EdDSA", &header.to_string(), PAYLOAD);
    let keys = every_key();
    for kid in ["", "ED", " ed", "../../../dev/null", "ed' OR '1'='1", "https://evil.example/key", "*"] {
        let header = json!({"alg": "EdDSA", "kid": kid});
        assert_eq!(ask(&keys, &with(header, &issuer.ed)), Said::No(KeyError::Unknown), "{kid}");
    }
    for kid in [json!(1), json!(null), json!(["ed"]), json!({"a": 1}), json!("e".repeat(513))] {
        assert_eq!(ask(&keys, &with(json!({"alg": "EdDSA", "kid": kid}), &issuer.ed)), Said::None(Malformed::KeyId));
    }
    assert_eq!(ask(&keys, &with(json!({"alg": "EdDSA", "kid": "ed"}), &stranger)), Said::No(KeyError::Signature));
    // Without a `kid`: only where one key alone fits.
    let nameless = with(json!({"alg": "EdDSA"}), &issuer.ed);
    assert_eq!(ask(&keys, &nameless), Said::Yes);
    assert_eq!(ask(&set(&[&issuer.ed.jwk, &ed("other").jwk]), &nameless), Said::No(KeyError::Ambiguous));
    assert_eq!(ask(&set(&[&issuer.p256.jwk]), &nameless), Said::No(KeyError::Unknown));
    assert_eq!(ask(&set(&[&issuer.ed.jwk, &stranger.jwk]), &plain(&issuer.ed, "EdDSA")), Said::No(KeyError::Ambiguous));
}

#[test]
fn keys_are_used_for_what_they_are_for() {
    let issuer = &*ISSUER;
    let changed = |key: &IssuerKey, name: &str, value: Value| {
        let mut jwk = key.jwk.clone();
        jwk[name] = value;
        jwk
    };
    let good = plain(&issuer.rsa, "RS256");
    for (name, value, expected) in [
        ("use", json!("sig"), Said::Yes),
        ("alg", json!("RS256"), Said::Yes),
        ("key_ops", json!(["verify"]), Said::Yes),
        ("x5t", json!("whatever"), Said::Yes),
        ("alg", json!("PS256"), Said::No(KeyError::Unfit)),
        ("alg", json!("RSA-OAEP"), Said::No(KeyError::Unknown)),
        ("alg", json!("none"), Said::No(KeyError::Unknown)),
        ("use", json!("enc"), Said::No(KeyError::Unknown)),
        ("use", json!(null), Said::No(KeyError::Unknown)),
        ("key_ops", json!(["encrypt"]), Said::No(KeyError::Unknown)),
        ("d", json!("AQAB"), Said::No(KeyError::Unknown)),
        ("kty", json!("EC"), Said::No(KeyError::Unknown)),
        ("kty", json!("oct"), Said::No(KeyError::Unknown)),
        ("kid", json!(7), Said::No(KeyError::Unknown)),
        ("e", json!("Aw"), Said::No(KeyError::Unknown)),
        ("e", json!("AQ"), Said::No(KeyError::Unknown)),
        ("e", json!("AQAA"), Said::No(KeyError::Unknown)),
        ("e", json!("AQAAAAE"), Said::No(KeyError::Unknown)),
        ("n", json!(""), Said::No(KeyError::Unknown)),
        ("n", json!(b64([0xff; 255])), Said::No(KeyError::Unknown)),
        ("n", json!(b64([0x7f; 256])), Said::No(KeyError::Unknown)),
        ("n", json!(b64([0xff; 1025])), Said::No(KeyError::Unknown)),
    ] {
        let jwk = changed(&issuer.rsa, name, value.clone());
        assert_eq!(ask(&set(&[&jwk]), &good), expected, "{name} {value}");
    }
    let token = plain(&issuer.p256, "ES256");
    for (name, value) in [
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("x", json!(b64([0; 32]))),
        ("x", json!(b64([1; 31]))),
        ("y", json!(b64([0; 33]))),
        ("y", json!("")),
    ] {
        let jwk = changed(&issuer.p256, name, value.clone());
        assert_eq!(ask(&set(&[&jwk]), &token), Said::No(KeyError::Unknown), "{name} {value}");
    }
    // What we do not know stands beside what we do, and disturbs nobody.
    let others = [json!({"kty": "AKP", "kid": "a"}), json!(7), json!(null), json!({})];
    let mixed: Vec<&Value> = others.iter().chain([&issuer.rsa.jwk]).collect();
    assert_eq!(ask(&set(&mixed), &good), Said::Yes);
}

#[test]
fn sets_of_keys_are_bounded_and_written_ones_hold_no_secret() {
    let issuer = &*ISSUER;
    let many = |count: usize| json!({"keys": vec![json!({}); count]}).to_string();
    assert!(KeySet::parse(many(100).as_bytes()).is_ok());
    for bad in [
        many(101),
        "{\"keys\":7}".into(),
        "{}".into(),
        "[]".into(),
        r#"{"keys":[],"keys":[]}"#.into(),
        "x".repeat(300_000),
    ] {
        assert!(KeySet::parse(bad.as_bytes()).is_err(), "{bad:.40}");
        assert!(KeySet::parse_own(&bad).is_err(), "{bad:.40}");
    }
    let own =
        |keys: &[&Value]| KeySet::parse_own(&json!({"keys": keys}).to_string()).map(drop).map_err(|fault| fault.code);
    assert_eq!(own(&[&issuer.ed.jwk]), Ok(()));
    assert_eq!(own(&[]), Err("invalid_key_set"));
    for secret in
        [json!({"kty": "oct", "k": "AAAA"}), json!({"kty": "RSA", "d": "AA"}), json!({"kty": "OKP", "d": "AA"})]
    {
        assert_eq!(own(&[&issuer.ed.jwk, &secret]), Err("invalid_key_set"), "{secret}");
    }
    let fault = KeySet::parse_own(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#).err().unwrap();
    assert!(!format!("{fault:?}").contains("c2VjcmV0"));
}

#[test]
fn what_is_not_a_token_is_none() {
    let issuer = &*ISSUER;
    let header = r#"{"alg":"EdDSA","kid":"ed"}"#;
    let with = |header: &str, payload: &str| ask(&every_key(), &token(&issuer.ed, "EdDSA", header, payload));
    for header in [
        "",
        "null",
        "[]",
        "\"x\"",
        "{",
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"none","alg":"EdDSA","kid":"ed"}"#,
        r#"{"alg":"EdDSA","\u0061lg":"none"}"#,
    ] {
        assert!(matches!(with(header, PAYLOAD), Said::None(Malformed::Header | Malformed::Form)), "{header}");
    }
    let deep = |open: &str, close: &str| format!("{{\"a\":{}1{}}}", open.repeat(5000), close.repeat(5000));
    let many: Vec<String> = (0..300).map(|index| format!("\"c{index}\":1")).collect();
    for payload in [
        "null".to_owned(),
        "[]".to_owned(),
        format!("{PAYLOAD}x"),
        r#"{"sub":"a","sub":"b"}"#.to_owned(),
        r#"{"exp":1,"\u0065xp":9999999999}"#.to_owned(),
        r#"{"a":{"aud":"x","aud":"y"}}"#.to_owned(),
        r#"{"a.b":"x","a":{"b":"y"}}"#.to_owned(),
        deep("[", "]"),
        format!("{{{}}}", many.join(",")),
    ] {
        assert_eq!(with(header, &payload), Said::None(Malformed::Claims), "{payload:.60}");
    }
    for payload in [
        r#"{"exp":"1800000000"}"#,
        r#"{"exp":null}"#,
        r#"{"exp":1e99}"#,
        r#"{"exp":99999999999999999999}"#,
        r#"{"nbf":true}"#,
        r#"{"iat":[]}"#,
        r#"{"iss":["https://idp.example"]}"#,
        r#"{"iss":null}"#,
        r#"{"aud":7}"#,
        r#"{"aud":{"x":1}}"#,
        r#"{"aud":["x",7]}"#,
    ] {
        assert_eq!(with(header, payload), Said::None(Malformed::Registered), "{payload}");
    }
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(16 << 10));
    assert_eq!(with(header, &huge), Said::None(Malformed::TooLarge));
    let good = plain(&issuer.ed, "EdDSA");
    let (message, signature) = good.rsplit_once('.').unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b".into(),
        "a.b.c".into(),
        format!("{good}."),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{message}.{}", signature.replace('-', "+").replace('_', "/") + "+"),
        format!("{message}.é"),
        // Five parts are JWE.
        format!("{good}.a.b"),
        json!({"payload": b64(PAYLOAD), "protected": b64(header), "signature": signature}).to_string(),
    ] {
        assert!(matches!(ask(&every_key(), &bad), Said::None(_)), "{bad:.60}");
    }
    assert!(is_jwt(&good) && !is_jwt("cwt_01JD8XK4M2W7Z3T5V9YQ6B1C0D_x") && !is_jwt("a..b"));
    // Another spelling of the same bytes is not taken for them: the last character has bits to spare.
    let mut bytes = good.clone().into_bytes();
    *bytes.last_mut().unwrap() += 1;
    assert_eq!(ask(&every_key(), &String::from_utf8(bytes).unwrap()), Said::None(Malformed::Form));
}

#[test]
fn what_a_verified_token_says_comes_out() {
    let payload = r#"{"iss":"https://idp.example","aud":["a","b"],"exp":1800000000.5,"nbf":1,"iat":2,"sub":"s","x":{"y":[1,"z"]}}"#;
    let text = token(&ISSUER.ed, "EdDSA", r#"{"alg":"EdDSA","kid":"ed"}"#, payload);
    let parsed = Unverified::parse(&text).unwrap();
    let claims = parsed.verify(&every_key()).unwrap();
    assert_eq!(parsed.claimed().expires, Some(1_800_000_000));
    assert_eq!(parsed.claimed().audiences, ["a", "b"]);
    assert_eq!(claims.get("x.y"), ["1", "z"]);
    assert_eq!(json::flatten(&json::object(payload.as_bytes()).unwrap()), Some(claims.clone()));
}
