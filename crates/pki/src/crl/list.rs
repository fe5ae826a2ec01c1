//! The frame of a TBSCertList, with nothing left over (RFC 5280 section 5.1.2).

use crate::frame;
use crate::instant::{instant, number};
use crate::tlv::{self, Malformed, Reader};
use certwright_domain::time::Timestamp;

/// The parts of a TBSCertList.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// Version 2 says so; version 1 says nothing and has no extensions.
    pub(super) v2: bool,
    /// signature AlgorithmIdentifier, whole element.
    pub(super) algorithm: &'a [u8],
    /// issuer, whole element.
    pub(super) issuer: &'a [u8],
    pub(super) this_update: Timestamp,
    pub(super) next_update: Option<Timestamp>,
    /// revokedCertificates, contents.
    pub(super) revoked: Option<&'a [u8]>,
    /// crlExtensions, contents of the SEQUENCE; never empty.
    pub(super) extensions: Option<&'a [u8]>,
}

impl<'a> List<'a> {
    /// Takes a TBSCertList apart. The whole must be DER ([`tlv::check`]).
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut tbs = Reader::only(der, tlv::SEQUENCE, "the content is not a SEQUENCE")?;
        let v2 = match tbs.optional(tlv::INTEGER)?.map(|version| version.content) {
            None => false,
            Some([1]) => true,
            Some(_) => return Err(Malformed("the version is neither 1 nor 2")),
        };
        let algorithm = frame::algorithm(&mut tbs)?;
        let issuer = frame::name(&mut tbs)?;
        let this_update = time(&mut tbs)?.ok_or(Malformed("thisUpdate is missing"))?;
        let next_update = time(&mut tbs)?;
        let revoked = tbs.optional(tlv::SEQUENCE)?.map(|list| list.content);
        let extensions = match tbs.optional(0xa0)? {
            None => None,
            Some(explicit) => {
                let mut explicit = Reader::new(explicit.content);
                let list = explicit.expect(tlv::SEQUENCE, "the extensions are not a SEQUENCE")?.content;
                explicit.end("something follows the extensions")?;
                Some(list)
            }
        };
        tbs.end("something follows the last field")?;
        Ok(Self { v2, algorithm, issuer, this_update, next_update, revoked, extensions })
    }
}

/// The next element, if it is a time: in UTC, with seconds, without a fraction, as UTCTime up to the year 2049 and as
/// GeneralizedTime from then on (RFC 5280 section 5.1.2.4).
pub(super) fn time(reader: &mut Reader<'_>) -> Result<Option<Timestamp>, Malformed> {
    let parsed = if let Some(short) = reader.optional(tlv::UTC_TIME)? {
        match short.content.split_at_checked(2) {
            // RFC 5280 section 4.1.2.5.1: 50 to 99 are of the last century.
            Some((year, rest)) => {
                number(year).and_then(|year| instant(year.saturating_add(if year < 50 { 2000 } else { 1900 }), rest))
            }
            None => None,
        }
    } else if let Some(long) = reader.optional(tlv::GENERALIZED_TIME)? {
        match long.content.split_at_checked(4) {
            Some((year, rest)) => number(year).filter(|year| *year >= 2050).and_then(|year| instant(year, rest)),
            None => None,
        }
    } else {
        return Ok(None);
    };
    parsed.map(Some).ok_or(Malformed("a time is not written as RFC 5280 asks"))
}
