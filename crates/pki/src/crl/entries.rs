//! Reading the entries, one by one and without copying them.

use super::extensions::{self, Extension, ExtensionReader, REISSUE};
use super::{Fault, list, oid};
use crate::tlv::{self, Reader};
use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;

/// Reads the contents of revokedCertificates.
pub(super) struct Entries<'a> {
    reader: Reader<'a>,
    v2: bool,
    delta: bool,
}

/// An entry as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Positive, at most 20 octets of DER, without a leading zero.
    pub(super) serial: &'a [u8],
    pub(super) revoked_at: Timestamp,
    pub(super) kind: EntryKind,
    /// It could not have been written shorter: no extension, or reasonCode alone, not critical and not `unspecified`.
    pub(super) plain: bool,
}

impl<'a> Entries<'a> {
    pub(super) fn new(content: &'a [u8], v2: bool, delta: bool) -> Self {
        Self { reader: Reader::new(content), v2, delta }
    }

    /// The next entry; after a fault, there is nothing more to read.
    pub(super) fn next(&mut self) -> Result<Option<Entry<'a>>, Fault> {
        let Some(element) = self.reader.next()? else { return Ok(None) };
        let mut parts = Reader::only(element.raw, tlv::SEQUENCE, "it is not a SEQUENCE")?;
        let serial = match parts.expect(tlv::INTEGER, "its serial number is missing")?.content {
            [0, rest @ ..] if (1..20).contains(&rest.len()) => rest,
            serial @ [0x01..=0x7f, ..] if serial.len() <= 20 => serial,
            _ => return Err(Fault::new("its serial number is not positive or longer than 20 octets", REISSUE)),
        };
        let revoked_at = list::time(&mut parts)?.ok_or(Fault::malformed("its time is missing"))?;
        let mut entry = Entry { serial, revoked_at, kind: UNSPECIFIED, plain: true };
        if let Some(list) = parts.optional(tlv::SEQUENCE)? {
            if !self.v2 {
                return Err(Fault::malformed("it has extensions, which CRLs of version 1 do not have"));
            }
            entry.read_extensions(list.content)?;
        }
        parts.end("something follows its last field")?;
        if entry.kind == EntryKind::Removed && !self.delta {
            return Err(Fault::new(
                "it says removeFromCRL, which only delta CRLs may (RFC 5280 section 5.3.1)",
                REISSUE,
            ));
        }
        Ok(Some(entry))
    }
}

const UNSPECIFIED: EntryKind = EntryKind::Revoked(RevocationReason::Unspecified);

impl Entry<'_> {
    fn read_extensions(&mut self, content: &[u8]) -> Result<(), Fault> {
        let mut list = ExtensionReader::new(content)?;
        while let Some(Extension { oid, critical, value }) = list.next()? {
            match oid {
                oid::REASON_CODE => {
                    self.kind = reason(value)?;
                    self.plain &= !critical && self.kind != UNSPECIFIED;
                }
                oid::CERTIFICATE_ISSUER => {
                    return Err(Fault::new(
                        "it is about another CA's certificate: the CRL is indirect",
                        "Use the CRL that the certificates' own CA issues.",
                    ));
                }
                _ if critical => return Err(extensions::unknown(oid)),
                // invalidityDate and the like.
                _ => self.plain = false,
            }
        }
        Ok(())
    }

    /// As a value of its own.
    pub(super) fn to_owned(self) -> Result<CrlEntry, Fault> {
        let serial = Serial::from_bytes(self.serial).map_err(|invalid| Fault::new(invalid.detail, REISSUE))?;
        Ok(CrlEntry { serial, revoked_at: self.revoked_at, kind: self.kind })
    }
}

fn reason(value: &[u8]) -> Result<EntryKind, Fault> {
    let mut reader = Reader::new(value);
    let code = reader.expect(tlv::ENUMERATED, "its reason is not an ENUMERATED")?.content;
    reader.end("something follows its reason")?;
    match code {
        [code] => EntryKind::from_code(*code),
        _ => None,
    }
    .ok_or_else(|| Fault::new("its reason is none of RFC 5280 section 5.3.1", REISSUE))
}
