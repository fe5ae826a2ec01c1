//! What a CRL of ours must say, compared with what is read from its bytes.

use super::CrlHeader;
use super::entries::Entries;
use super::extensions::{self, Extensions};
use super::list::List;
use super::tally::{Sum, Tally};
use super::{Fault, oid, twice};
use crate::{Error, key, tlv};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::revocation::{CrlNumber, EntryKind, RevocationReason};
use certwright_domain::time::Timestamp;
use x509_cert::ext::pkix::IssuingDistributionPoint;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::TbsCertList;
use x509_parser::x509::X509Version;

/// Up to so many octets, x509-parser reads the same bytes as well: a second opinion, which holds all entries decoded.
const SMALL: usize = 1 << 20;

/// Everything that was asked for.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) header: CrlHeader,
    pub(super) algorithm: SignatureAlgorithm,
    /// The issuer's subject, DER.
    pub(super) issuer_der: Vec<u8>,
    pub(super) authority_key_id: Vec<u8>,
    /// The entries that were pushed.
    pub(super) sum: Sum,
}

impl Expected {
    /// A TBSCertList says this and nothing else. It must have been through [`tlv::check`].
    pub(super) fn compare(&self, tbs: &[u8]) -> Result<(), Error> {
        let list = List::read(tbs).map_err(|at| ours(at.into()))?;
        self.compare_head(&list)?;
        self.compare_extensions(list.extensions)?;
        self.compare_entries(&list)?;
        if tbs.len() <= SMALL { self.compare_again(tbs) } else { Ok(()) }
    }

    /// No serial stands in this TBSCertList twice.
    pub(super) fn refuse_twice(&self, tbs: &[u8]) -> Result<(), Error> {
        let list = List::read(tbs).map_err(|at| ours(at.into()))?;
        twice::refuse(|| self.entries(&list)).map_err(ours)
    }

    fn entries<'a>(&self, list: &List<'a>) -> Entries<'a> {
        Entries::new(list.revoked.unwrap_or_default(), list.v2, self.header.base().is_some())
    }

    fn compare_head(&self, list: &List<'_>) -> Result<(), Error> {
        let header = &self.header;
        let checks = [
            ("version", list.v2),
            ("signature algorithm", list.algorithm == key::signature_identifier(self.algorithm)),
            ("issuer", list.issuer == self.issuer_der),
            ("thisUpdate", list.this_update == header.this_update),
            ("nextUpdate", list.next_update == Some(header.next_update)),
            // RFC 5280 section 5.1.2.6: no list rather than an empty one.
            ("list of entries", list.revoked.is_some_and(|revoked| !revoked.is_empty()) == (self.sum.count > 0)),
            ("empty list", list.revoked.is_none_or(|revoked| !revoked.is_empty())),
        ];
        all(&checks)
    }

    fn compare_extensions(&self, content: Option<&[u8]>) -> Result<(), Error> {
        let read = Extensions::read(content.ok_or_else(|| different("list of extensions"))?).map_err(ours)?;
        let header = &self.header;
        let (base, point, freshest) =
            (header.base(), !header.distribution_point.is_empty(), !header.freshest().is_empty());
        let listed = [
            Some((oid::AUTHORITY_KEY_IDENTIFIER, false)),
            Some((oid::CRL_NUMBER, false)),
            base.map(|_| (oid::DELTA_CRL_INDICATOR, true)),
            point.then_some((oid::ISSUING_DISTRIBUTION_POINT, true)),
            freshest.then_some((oid::FRESHEST_CRL, false)),
        ];
        let listed = listed.into_iter().flatten();
        let number = |number: i64| u64::try_from(number).ok().map(CrlNumber::from);
        all(&[
            ("list of extensions", listed.eq(read.listed.iter().map(|(oid, critical)| (oid.as_slice(), *critical)))),
            ("authorityKeyIdentifier", read.authority_key_id.as_ref() == Some(&self.authority_key_id)),
            ("cRLNumber", read.number == number(header.number)),
            ("deltaCRLIndicator", read.base == base.and_then(number)),
            ("issuingDistributionPoint", is_shard(read.distribution_point.as_ref(), &header.distribution_point)),
            ("freshestCRL", is_freshest(read.freshest.as_deref(), header.freshest())),
        ])
    }

    fn compare_entries(&self, list: &List<'_>) -> Result<(), Error> {
        let mut entries = self.entries(list);
        let mut tally = Tally::new();
        while let Some(entry) = entries.next().map_err(|fault| ours(fault.at_entry(tally.count.saturating_add(1))))? {
            if !entry.plain {
                return Err(different("entry's extensions"));
            }
            tally.add(entry.serial, entry.revoked_at, entry.kind);
        }
        all(&[("entries", tally.finish() == self.sum)])
    }

    /// The same with the eyes of x509-parser.
    fn compare_again(&self, tbs: &[u8]) -> Result<(), Error> {
        let (rest, parsed) =
            TbsCertList::from_der(tbs).map_err(|_| Error::SelfCheck("the built CRL cannot be read".to_owned()))?;
        let at = |seconds: i64| Timestamp::from_unix_s(seconds);
        let mut tally = Tally::new();
        for entry in &parsed.revoked_certificates {
            let zeros = entry.raw_serial().iter().take_while(|octet| **octet == 0).count();
            let kind = match entry.reason_code() {
                None => EntryKind::Revoked(RevocationReason::Unspecified),
                Some((_, reason)) => EntryKind::from_code(reason.0).ok_or_else(|| different("entry's reason"))?,
            };
            let serial = entry.raw_serial().get(zeros..).unwrap_or_default();
            tally.add(serial, at(entry.revocation_date.timestamp()), kind);
        }
        all(&[
            ("end", rest.is_empty()),
            ("version", parsed.version == Some(X509Version::V2)),
            ("issuer", parsed.issuer.as_raw() == self.issuer_der),
            ("thisUpdate", at(parsed.this_update.timestamp()) == self.header.this_update),
            ("nextUpdate", parsed.next_update.map(|next| at(next.timestamp())) == Some(self.header.next_update)),
            ("entries", tally.finish() == self.sum),
        ])
    }
}

fn is_shard(read: Option<&IssuingDistributionPoint>, urls: &[String]) -> bool {
    let Some(read) = read else { return urls.is_empty() };
    let IssuingDistributionPoint {
        distribution_point,
        only_contains_user_certs: false,
        only_contains_ca_certs: false,
        only_some_reasons: None,
        indirect_crl: false,
        only_contains_attribute_certs: false,
    } = read
    else {
        return false;
    };
    !urls.is_empty() && extensions::uris(distribution_point.as_ref()) == urls
}

fn is_freshest(read: Option<&[DistributionPoint]>, urls: &[String]) -> bool {
    match read {
        None => urls.is_empty(),
        Some([DistributionPoint { distribution_point, reasons: None, crl_issuer: None }]) => {
            !urls.is_empty() && extensions::uris(distribution_point.as_ref()) == urls
        }
        Some(_) => false,
    }
}

fn all(checks: &[(&str, bool)]) -> Result<(), Error> {
    match checks.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(different(what)),
        None => Ok(()),
    }
}

fn different(what: &str) -> Error {
    Error::SelfCheck(format!("the built CRL's {what} is not what was asked for"))
}

/// A fault in our own bytes is ours.
pub(super) fn ours(fault: Fault) -> Error {
    Error::SelfCheck(format!("the built CRL is wrong: {}", fault.why))
}

/// The whole is DER.
pub(super) fn check_der(der: &[u8]) -> Result<(), Error> {
    tlv::check(der).map_err(|at| ours(at.into()))
}
