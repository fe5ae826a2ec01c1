//! CRLs of ours: what is asked for stands in them, and nobody else's CRL passes for one.

use crate::support::*;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::revocation::{CrlEntry, CrlNumber, EntryKind, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::{Span, Timestamp};
use certwright_pki::{Certificate, Crl, CrlBuilder, CrlHeader, CrlKind, Error, PreparedCrl, read_crl, to_pem};
use proptest::prelude::*;
use std::sync::OnceLock;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// A CA, whose certificate takes a while to make.
pub(crate) struct Ca {
    pub(crate) key: TestKey,
    pub(crate) certificate: Certificate,
}

impl Ca {
    pub(crate) fn new(algorithm: KeyAlgorithm) -> Self {
        let key = TestKey::new(algorithm);
        Self { certificate: root(&key), key }
    }

    pub(crate) fn sign(&self, prepared: PreparedCrl) -> Result<Crl, Error> {
        let signature = self.key.sign(self.key.algorithm, prepared.tbs());
        prepared.finish(&signature)
    }

    pub(crate) fn prepare(&self, header: &CrlHeader, entries: &[CrlEntry]) -> Result<PreparedCrl, Error> {
        let mut builder = CrlBuilder::new(&self.certificate, self.key.algorithm, header.clone())?;
        entries.iter().try_for_each(|entry| builder.push(entry))?;
        builder.finish_tbs()
    }

    pub(crate) fn issue(&self, header: &CrlHeader, entries: &[CrlEntry]) -> Crl {
        self.sign(self.prepare(header, entries).unwrap()).unwrap()
    }
}

/// One CA for the tests that need any.
fn ca() -> &'static Ca {
    static CA: OnceLock<Ca> = OnceLock::new();
    CA.get_or_init(|| Ca::new(KeyAlgorithm::EcdsaP256))
}

pub(crate) fn full() -> CrlHeader {
    CrlHeader {
        number: 7,
        this_update: now(),
        next_update: now().plus(Span::from_days(7)),
        kind: CrlKind::Full { freshest: Vec::new() },
        distribution_point: Vec::new(),
    }
}

pub(crate) fn delta() -> CrlHeader {
    CrlHeader { kind: CrlKind::Delta { base: 5 }, ..full() }
}

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(crate) fn entry(serial: &str, kind: EntryKind) -> CrlEntry {
    CrlEntry { serial: Serial::parse(serial).unwrap(), revoked_at: now(), kind }
}

pub(crate) const COMPROMISED: EntryKind = EntryKind::Revoked(RevocationReason::KeyCompromise);

/// One entry for each reason, with serials of many lengths.
pub(crate) fn every_reason() -> Vec<CrlEntry> {
    let serials =
        ["1", "7f", "80", "ff", "0100", "8000", "ff00ff00ff00ff00ff", "ffffffffffffffffffffffffffffffffffffff"];
    let serials = serials.into_iter().chain(["7fffffffffffffffffffffffffffffffffffffff"]);
    let of = |(serial, reason): (&str, &RevocationReason)| entry(serial, EntryKind::Revoked(*reason));
    serials.zip(RevocationReason::ALL).map(of).collect()
}

fn parsed(der: &[u8]) -> CertificateRevocationList<'_> {
    let (rest, parsed) = CertificateRevocationList::from_der(der).unwrap();
    assert!(rest.is_empty());
    parsed
}

/// Value of an extension and whether it is critical.
fn extension<'a>(crl: &'a CertificateRevocationList<'_>, oid: &str) -> Option<(&'a [u8], bool)> {
    let found = crl.extensions().iter().find(|extension| extension.oid.to_id_string() == oid)?;
    Some((found.value, found.critical))
}

/// The URIs of a distribution point.
fn uris(point: Option<&DistributionPointName<'_>>) -> Vec<String> {
    let Some(DistributionPointName::FullName(names)) = point else { panic!("no full name") };
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => (*uri).to_owned(),
        other => panic!("{other:?}"),
    };
    names.iter().map(uri).collect()
}

/// What x509-parser and our own reader for other people's CRLs see is what was asked for.
fn check(header: &CrlHeader, entries: &[CrlEntry], crl: &Crl) {
    let (this_update, next_update) = (header.this_update.floor_to_second(), header.next_update.floor_to_second());
    let base = if let CrlKind::Delta { base } = header.kind { Some(base) } else { None };
    let freshest = if let CrlKind::Full { freshest } = &header.kind { freshest.clone() } else { Vec::new() };
    assert_eq!((crl.number(), crl.base(), crl.entry_count()), (header.number, base, entries.len()));
    assert_eq!((crl.this_update(), crl.next_update()), (this_update, next_update));
    assert_eq!((crl.distribution_point(), crl.freshest()), (&header.distribution_point[..], &freshest[..]));

    let parsed = parsed(crl.der());
    assert_eq!(parsed.version().unwrap().0, 1);
    assert_eq!(parsed.issuer().as_raw(), ca().certificate.subject_der);
    assert_eq!(parsed.last_update().timestamp(), this_update.unix_s());
    assert_eq!(parsed.next_update().unwrap().timestamp(), next_update.unix_s());
    assert_eq!(parsed.crl_number().unwrap().to_string(), header.number.to_string());
    let optional = [base.is_some(), !header.distribution_point.is_empty(), !freshest.is_empty()];
    assert_eq!(parsed.extensions().len(), 2 + optional.iter().filter(|there| **there).count());
    for extension in parsed.extensions() {
        let expected = match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                let key_id = identifier.key_identifier.as_ref().unwrap().0;
                assert_eq!(Some(key_id), ca().certificate.subject_key_id.as_deref());
                assert!(identifier.authority_cert_issuer.is_none() && identifier.authority_cert_serial.is_none());
                false
            }
            ParsedExtension::CRLNumber(_) => false,
            ParsedExtension::IssuingDistributionPoint(point) => {
                assert_eq!(uris(point.distribution_point.as_ref()), header.distribution_point);
                assert!(!point.only_contains_user_certs && !point.only_contains_ca_certs && !point.indirect_crl);
                assert!(!point.only_contains_attribute_certs && point.only_some_reasons.is_none());
                true
            }
            _ if extension.oid.to_id_string() == "2.5.29.27" => true,
            _ => {
                assert_eq!(extension.oid.to_id_string(), "2.5.29.46");
                false
            }
        };
        assert_eq!(extension.critical, expected, "{}", extension.oid);
    }
    let seen: Vec<_> = parsed.iter_revoked_certificates().collect();
    assert_eq!(seen.len(), entries.len());
    for (seen, entry) in seen.iter().zip(entries) {
        assert_eq!(seen.serial().to_bytes_be(), entry.serial.as_bytes());
        assert_eq!(seen.revocation_date.timestamp(), entry.revoked_at.unix_s());
        match entry.kind.code() {
            0 => assert!(seen.extensions().is_empty()),
            code => {
                assert_eq!(seen.extensions().len(), 1);
                assert_eq!(seen.reason_code().map(|(critical, reason)| (critical, reason.0)), Some((false, code)));
            }
        }
    }

    let read = read_crl(to_pem("X509 CRL", crl.der()).as_bytes(), &ca().certificate).unwrap();
    assert_eq!((read.der(), read.sha256(), read.entry_count()), (crl.der(), crl.sha256(), crl.entry_count()));
    assert_eq!((read.this_update(), read.next_update()), (this_update, next_update));
    let number = |number: i64| CrlNumber::from(u64::try_from(number).unwrap());
    assert_eq!((read.number(), read.base()), (Some(number(header.number)), base.map(number)));
    let scope = read.scope().map_or(&[][..], |scope| &scope.uris);
    assert_eq!(scope, header.distribution_point);
    let whole = |entry: &CrlEntry| CrlEntry { revoked_at: entry.revoked_at.floor_to_second(), ..entry.clone() };
    assert!(read.entries().eq(entries.iter().map(whole)));
}

#[test]
fn every_kind_of_crl_says_what_was_asked_for() {
    let shard = texts(&["http://ca.example.com/pki/issuing-1/crl/7", "http://mirror.example.com/crl/7"]);
    let freshest = texts(&["http://ca.example.com/pki/issuing-1/delta.crl"]);
    let mut changes = every_reason();
    changes.push(entry("0a", EntryKind::Removed));
    for (header, entries) in [
        (full(), every_reason()),
        (full(), Vec::new()),
        (CrlHeader { number: i64::MAX, ..full() }, Vec::new()),
        (CrlHeader { number: 128, distribution_point: shard.clone(), ..full() }, every_reason()),
        (CrlHeader { kind: CrlKind::Full { freshest }, ..full() }, every_reason()),
        (delta(), changes),
        (CrlHeader { distribution_point: shard, ..delta() }, Vec::new()),
    ] {
        check(&header, &entries, &ca().issue(&header, &entries));
    }
}

#[test]
fn the_shard_is_named_as_in_its_certificates() {
    let urls = urls();
    let approved = approve_leaf(&ca().certificate, &["serverAuth"], cn("a"), names(&["a.example.com"]), &p256().public);
    let leaf = issue(approved, &ca().certificate, &ca().key, &urls);
    let (_, leaf) = X509Certificate::from_der(&leaf.der).unwrap();
    let point = leaf.extensions().iter().find(|extension| extension.oid.to_id_string() == "2.5.29.31").unwrap();
    let crl = ca().issue(&CrlHeader { distribution_point: urls.crl.clone(), ..full() }, &[]);
    let crl = parsed(crl.der());
    // A list of one distribution point there, the distribution point itself here.
    assert_eq!(extension(&crl, "2.5.29.28"), Some((&point.value[2..], true)));
    let fresh = ca().issue(&CrlHeader { kind: CrlKind::Full { freshest: urls.crl }, ..full() }, &[]);
    assert_eq!(extension(&parsed(fresh.der()), "2.5.29.46"), Some((point.value, false)));
}

#[test]
fn times_have_two_digits_of_the_year_up_to_2049_and_four_from_then_on() {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let (last, first) = (at("2049-12-31T23:59:59.999Z"), at("2050-01-01T00:00:00Z"));
    let one = |revoked_at| CrlEntry { revoked_at, ..entry("1", COMPROMISED) };
    for (this_update, next_update, revoked_at, long) in [
        (at("1950-01-01T00:00:00Z"), last, at("1999-12-31T23:59:59Z"), 0),
        (last, first, last, 1),
        (first, at("9999-12-31T23:59:59Z"), first, 3),
    ] {
        let header = CrlHeader { this_update, next_update, ..full() };
        let crl = ca().issue(&header, &[one(revoked_at)]);
        check(&header, &[one(revoked_at)], &crl);
        let parsed = parsed(crl.der());
        let revoked = parsed.iter_revoked_certificates().next().unwrap().revocation_date;
        let times = [parsed.last_update(), parsed.next_update().unwrap(), revoked];
        assert_eq!(times.iter().filter(|time| time.is_generalizedtime()).count(), long);
    }
}

/// Too large for the second opinion, and with lengths of three octets.
#[test]
fn a_large_crl_is_read_back_too() {
    let many: Vec<CrlEntry> = (1..40_000_u32)
        .map(|number| CrlEntry {
            serial: Serial::from_bytes(&number.to_be_bytes()).unwrap(),
            ..entry("1", COMPROMISED)
        })
        .collect();
    let crl = ca().issue(&full(), &many);
    assert!(crl.der().len() > 1 << 20);
    let read = read_crl(crl.der(), &ca().certificate).unwrap();
    assert!(read.entries().eq(many));
}

#[test]
fn a_signature_of_anything_or_anybody_else_is_refused() {
    let refused = |signature: &[u8]| match ca().prepare(&full(), &every_reason()).unwrap().finish(signature) {
        Err(Error::SelfCheck(why)) => why,
        other => panic!("not refused: {other:?}"),
    };
    let (key, tbs) = (&ca().key, ca().prepare(&full(), &every_reason()).unwrap());
    let other_tbs = ca().prepare(&full(), &every_reason()[1..]).unwrap();
    for signature in [
        key.sign(key.algorithm, other_tbs.tbs()),
        p256().sign(key.algorithm, tbs.tbs()),
        rsa().sign(rsa().algorithm, tbs.tbs()),
        Vec::new(),
    ] {
        assert_eq!(refused(&signature), "the signature was not made by the issuer's key");
    }
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    // Around the change of the form as often as anywhere between 1950 and 9999.
    let change = Timestamp::parse("2050-01-01T00:00:00Z").unwrap().unix_ms();
    prop_oneof![-631_152_000_000..253_402_300_800_000_i64, change - 3_000..change + 3_000]
        .prop_map(Timestamp::from_unix_ms)
}

fn any_serial() -> impl Strategy<Value = Serial> {
    let edge = proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0x7f), Just(0x80), Just(0xff)], 1..20);
    prop_oneof![proptest::collection::vec(any::<u8>(), 1..20), edge, any::<[u8; 20]>().prop_map(Vec::from)]
        .prop_filter_map("not a serial", |bytes| Serial::from_bytes(&bytes).ok())
}

fn any_urls() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("http://[a-z]{1,40}/[!-~]{0,40}", 0..4)
}

prop_compose! {
    fn any_header()(
        number in prop_oneof![2..300_i64, 2..i64::MAX, Just(i64::MAX)],
        base in any::<Option<proptest::sample::Index>>(),
        times in [any_time(), any_time()],
        distribution_point in any_urls(),
        freshest in any_urls(),
    ) -> CrlHeader {
        let [one, other] = times;
        let base = base.map(|base| i64::try_from(base.index(usize::try_from(number - 1).unwrap())).unwrap() + 1);
        CrlHeader {
            number,
            this_update: one.min(other),
            next_update: one.max(other),
            kind: base.map_or(CrlKind::Full { freshest }, |base| CrlKind::Delta { base }),
            distribution_point,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_for_is_read(
        header in any_header(),
        entries in proptest::collection::btree_map(any_serial(), (any_time(), 0..11_u8), 0..40),
    ) {
        prop_assume!(header.this_update.unix_s() < header.next_update.unix_s());
        let full = matches!(header.kind, CrlKind::Full { .. });
        let entries: Vec<CrlEntry> = entries
            .into_iter()
            .filter_map(|(serial, (revoked_at, code))| {
                Some(CrlEntry { serial, revoked_at, kind: EntryKind::from_code(code)? })
            })
            .filter(|entry| !full || entry.kind != EntryKind::Removed)
            .collect();
        check(&header, &entries, &ca().issue(&header, &entries));
    }

    #[test]
    fn whatever_is_in_whatever_order_is_read(entries in Just(every_reason()).prop_shuffle()) {
        check(&full(), &entries, &ca().issue(&full(), &entries));
    }
}
