//! Real keys and approved contents for tests and examples.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as lc, KeyPair};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::ca::{CaRules, CaState, IssuerFacts, IssuerStanding};
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::name::ResourceName;
use certwright_domain::profile::{KeyHolder, Profile, RawNameLimits, RawProfile};
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::{self, Approved, CaRequest, KeyStanding, LeafRequest, ServiceLimits};
use certwright_domain::san::San;
use certwright_domain::serial::Serial;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_pki::{Certificate, Issuer, Urls, prepare, read_public_key, to_pem};
use std::sync::OnceLock;

/// The time at which everything is issued.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2025-06-01T12:00:00Z").unwrap()
}

enum Private {
    Ec(lc::EcdsaKeyPair),
    Rsa(lc::RsaKeyPair),
    Ed25519(lc::Ed25519KeyPair),
}

/// A key pair.
pub(crate) struct TestKey {
    private: Private,
    pub(crate) public: PublicKey,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) pem: String,
}

impl TestKey {
    pub(crate) fn new(algorithm: KeyAlgorithm) -> Self {
        let ec = |signing| {
            let key = lc::EcdsaKeyPair::generate(signing).unwrap();
            let spki = key.public_key().as_der().unwrap().as_ref().to_vec();
            let pkcs8 = key.to_pkcs8v1().unwrap().as_ref().to_vec();
            (Private::Ec(key), spki, pkcs8)
        };
        let rsa = |size| {
            let key = lc::RsaKeyPair::generate(size).unwrap();
            let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap().as_ref().to_vec();
            let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap().as_ref().to_vec();
            (Private::Rsa(key), spki, pkcs8)
        };
        let (private, spki, pkcs8) = match algorithm {
            KeyAlgorithm::EcdsaP256 => ec(&lc::ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::EcdsaP384 => ec(&lc::ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::EcdsaP521 => ec(&lc::ECDSA_P521_SHA512_ASN1_SIGNING),
            KeyAlgorithm::Rsa2048 => rsa(aws_lc_rs::rsa::KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(aws_lc_rs::rsa::KeySize::Rsa3072),
            KeyAlgorithm::Ed25519 => {
                let key = lc::Ed25519KeyPair::generate().unwrap();
                let spki = key.public_key().as_der().unwrap().as_ref().to_vec();
                let pkcs8 = key.to_pkcs8v1().unwrap().as_ref().to_vec();
                (Private::Ed25519(key), spki, pkcs8)
            }
            other => panic!("no test key of {other}"),
        };
        Self {
            private,
            public: read_public_key(&spki).unwrap(),
            algorithm: algorithm.signature_algorithms()[0],
            pem: to_pem("PRIVATE KEY", &pkcs8),
        }
    }

    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Ec(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Private::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Private::Rsa(key) => {
                let encoding: &dyn lc::RsaEncoding = match algorithm {
                    SignatureAlgorithm::Sha256WithRsa => &lc::RSA_PKCS1_SHA256,
                    SignatureAlgorithm::Sha384WithRsa => &lc::RSA_PKCS1_SHA384,
                    _ => &lc::RSA_PKCS1_SHA512,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// One RSA key for all: they take long to make.
pub(crate) fn rsa() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(|| TestKey::new(KeyAlgorithm::Rsa2048))
}

pub(crate) fn p256() -> TestKey {
    TestKey::new(KeyAlgorithm::EcdsaP256)
}

/// `[("C", "KR"), …]` in the names of JSON.
pub(crate) fn dn(attributes: &[(&str, &str)]) -> DistinguishedName {
    let parse = |(kind, value): &(&str, &str)| Attribute::parse(AttributeType::parse(kind).unwrap(), value).unwrap();
    DistinguishedName::new(attributes.iter().map(parse).collect()).unwrap()
}

pub(crate) fn cn(name: &str) -> DistinguishedName {
    dn(&[("commonName", name)])
}

pub(crate) fn names(texts: &[&str]) -> Vec<San> {
    texts.iter().map(|text| San::parse(text).unwrap()).collect()
}

pub(crate) fn days(days: i64) -> RequestedValidity {
    RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_days(days)) }
}

pub(crate) fn ca_rules(path_length: Option<u8>, name_constraints: Option<NameConstraints>) -> CaRules {
    CaRules {
        leaf_max_validity: Span::from_days(7000),
        subordinate_max_validity: Span::from_days(8000),
        path_length,
        name_constraints,
    }
}

pub(crate) fn constraints(permitted: RawSubtrees, excluded: RawSubtrees) -> NameConstraints {
    NameConstraints::parse(permitted, excluded).unwrap()
}

/// A CA as the rules see it.
pub(crate) fn facts(ca: &Certificate) -> IssuerFacts {
    IssuerFacts {
        name: ResourceName::parse("test-ca").unwrap(),
        subject: ca.subject.clone(),
        state: CaState::Active,
        rules: ca_rules(ca.ca.unwrap(), ca.name_constraints.clone()),
        validity: ca.validity,
        path_length_left: ca.ca.unwrap(),
        name_constraints: ca.name_constraints.clone().into_iter().collect(),
        usages_left: ca.usage_limit.clone(),
        standing: IssuerStanding::Good,
        spki_sha256: ca.public_key.spki_sha256,
    }
}

pub(crate) fn approve_root(subject: DistinguishedName, key: &PublicKey, rules: CaRules) -> Approved {
    let request = CaRequest { subject, public_key: key.clone(), validity: days(9000), rules };
    rules::decide_root(request, &ServiceLimits::default(), now()).into_result().unwrap()
}

pub(crate) fn approve_subordinate(
    issuer: &Certificate,
    subject: DistinguishedName,
    key: &PublicKey,
    rules: CaRules,
) -> Approved {
    let request = CaRequest { subject, public_key: key.clone(), validity: days(7900), rules };
    rules::decide_subordinate(&facts(issuer), request, &ServiceLimits::default(), now()).into_result().unwrap()
}

/// A profile with these usages that lets everything through.
pub(crate) fn profile(usages: &[&str]) -> Profile {
    let anything = || Some(vec!["*".to_owned()]);
    Profile::new(RawProfile {
        name: "anything".to_owned(),
        usages: usages.iter().map(|usage| (*usage).to_owned()).collect(),
        names: RawNameLimits {
            dns: anything(),
            wildcards: true,
            ip: Some(vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()]),
            email: anything(),
            uri: anything(),
            subject: anything(),
            ..RawNameLimits::default()
        },
        ..RawProfile::default()
    })
    .unwrap()
}

pub(crate) fn approve_leaf(
    issuer: &Certificate,
    usages: &[&str],
    subject: DistinguishedName,
    names: Vec<San>,
    key: &PublicKey,
) -> Approved {
    let request = LeafRequest {
        subject,
        names,
        public_key: key.clone(),
        key_holder: KeyHolder::Requester,
        validity: days(6900),
        asks_for_ca: false,
    };
    rules::decide_leaf(&profile(usages), &facts(issuer), &request, KeyStanding::Free, &ServiceLimits::default(), now())
        .into_result()
        .unwrap()
}

/// A new random serial.
pub(crate) fn serial() -> Serial {
    let mut bytes = [0; 20];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    Serial::from_random(bytes)
}

/// A root with this key.
pub(crate) fn root_with(key: &TestKey, subject: DistinguishedName, rules: CaRules) -> Certificate {
    let approved = approve_root(subject, &key.public, rules);
    let prepared = prepare(approved, serial(), &Issuer::Itself, key.algorithm, &Urls::default()).unwrap();
    let signature = key.sign(key.algorithm, prepared.tbs());
    prepared.finish(&signature).unwrap()
}

pub(crate) fn root(key: &TestKey) -> Certificate {
    root_with(
        key,
        dn(&[("country", "KR"), ("organization", "DDIM"), ("commonName", "Test Root")]),
        ca_rules(None, None),
    )
}

/// Signs what was approved.
pub(crate) fn issue(approved: Approved, ca: &Certificate, key: &TestKey, urls: &Urls) -> Certificate {
    let prepared = prepare(approved, serial(), &Issuer::Ca(ca), key.algorithm, urls).unwrap();
    let signature = key.sign(key.algorithm, prepared.tbs());
    prepared.finish(&signature).unwrap()
}

pub(crate) fn urls() -> Urls {
    Urls {
        ca_issuers: vec!["http://ca.example.com/pki/issuing-1/ca.crt".to_owned()],
        ocsp: vec!["http://ca.example.com/pki/issuing-1/ocsp".to_owned()],
        crl: vec!["http://ca.example.com/pki/issuing-1/crl".to_owned()],
    }
}
