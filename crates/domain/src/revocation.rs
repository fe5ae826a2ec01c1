//! Revocations and the entries of CRLs (RFC 5280 section 5).

use crate::algorithm::named_enum;
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::violation::Invalid;
use std::fmt;

named_enum! {
    /// Why a certificate was revoked (RFC 5280 section 5.3.1). `removeFromCRL` (8) is not a reason to ask for: it is
    /// [`EntryKind::Removed`].
    RevocationReason, "invalid_revocation_reason", "revocation reason" {
        /// No reason given (0).
        Unspecified = "unspecified",
        /// The private key is known to others (1).
        KeyCompromise = "keyCompromise",
        /// The issuer's key is known to others (2).
        CaCompromise = "cACompromise",
        /// The subject's affiliation changed (3).
        AffiliationChanged = "affiliationChanged",
        /// Replaced by another certificate (4).
        Superseded = "superseded",
        /// No longer needed (5).
        CessationOfOperation = "cessationOfOperation",
        /// Not to be trusted for the time being; the only reason that can be taken back (6).
        CertificateHold = "certificateHold",
        /// A privilege was withdrawn (9).
        PrivilegeWithdrawn = "privilegeWithdrawn",
        /// The attribute authority's key is known to others (10).
        AaCompromise = "aACompromise",
    }
}

impl RevocationReason {
    /// The number of CRLReason (RFC 5280 section 5.3.1). 7 does not exist; 8 is [`EntryKind::Removed`].
    pub const fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// Says that the private key is known to others?
    pub const fn is_compromise(self) -> bool {
        matches!(self, Self::KeyCompromise | Self::CaCompromise | Self::AaCompromise)
    }

    /// The reason with this number of CRLReason, if it is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

/// A revocation that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// What becomes of a certificate that is to be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationVerdict {
    /// It is revoked for this reason already.
    Unchanged,
    /// This is to be written.
    Write(Revocation),
    /// It was revoked for another reason, which stays.
    Refused(Revocation),
}

/// May the revocation of a certificate become `wanted`? A second reason only makes it worse: a compromise takes the place
/// of another reason, `keyCompromise` also that of the other two compromises, and anything takes the place of a hold. The
/// time stays that of the first revocation.
pub fn judge_revocation(before: Option<Revocation>, wanted: RevocationReason, now: Timestamp) -> RevocationVerdict {
    match before {
        None => RevocationVerdict::Write(Revocation { at: now, reason: wanted }),
        Some(before) if before.reason == wanted => RevocationVerdict::Unchanged,
        Some(before) => {
            let held = before.reason == RevocationReason::CertificateHold;
            // The other two speak of somebody else's key; whoever shows the certificate's own must be heard all the same.
            let own_key = wanted == RevocationReason::KeyCompromise;
            let worse = own_key || (wanted.is_compromise() && !before.reason.is_compromise());
            match held || worse {
                true => RevocationVerdict::Write(Revocation { at: before.at, reason: wanted }),
                false => RevocationVerdict::Refused(before),
            }
        }
    }
}

/// What an entry of a CRL says about its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// It is revoked.
    Revoked(RevocationReason),
    /// It was revoked and is so no more: a hold was taken back, or it expired. Only delta CRLs say this (`removeFromCRL`,
    /// RFC 5280 section 5.2.4).
    Removed,
}

impl EntryKind {
    /// The number of CRLReason.
    pub const fn code(self) -> u8 {
        match self {
            Self::Revoked(reason) => reason.code(),
            Self::Removed => 8,
        }
    }

    /// The kind with this number of CRLReason, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        if code == Self::Removed.code() {
            return Some(Self::Removed);
        }
        RevocationReason::from_code(code).map(Self::Revoked)
    }
}

/// An entry of a CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlEntry {
    /// The certificate's serial.
    pub serial: Serial,
    /// Since when it is revoked; CRLs have whole seconds.
    pub revoked_at: Timestamp,
    /// Whether and why.
    pub kind: EntryKind,
}

/// A CRL's number as anybody may choose it: not negative, at most 20 octets of DER (RFC 5280 section 5.2.3). The higher one
/// is the newer one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CrlNumber([u8; 20]);

impl CrlNumber {
    /// From big-endian magnitude bytes, with or without leading zeros.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut number = [0; 20];
        let mut digits = bytes.iter().rev();
        for (to, from) in number.iter_mut().rev().zip(digits.by_ref()) {
            *to = *from;
        }
        if digits.any(|digit| *digit != 0) || number.first().is_some_and(|first| *first > 0x7f) {
            return Err(Invalid::new(
                "invalid_crl_number",
                "A CRL's number has at most 20 octets.",
                "Number CRLs from 1 upwards.",
            ));
        }
        Ok(Self(number))
    }

    /// 20 big-endian bytes, which sort as the numbers do.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl CrlNumber {
    /// The number, where it fits into 63 bits.
    pub fn to_i64(self) -> Option<i64> {
        let (high, low) = self.0.split_at(12);
        let low = <[u8; 8]>::try_from(low).ok()?;
        high.iter().all(|byte| *byte == 0).then_some(())?;
        i64::try_from(u64::from_be_bytes(low)).ok()
    }
}

impl From<u64> for CrlNumber {
    fn from(number: u64) -> Self {
        let mut bytes = [0; 20];
        for (to, from) in bytes.iter_mut().rev().zip(number.to_be_bytes().iter().rev()) {
            *to = *from;
        }
        Self(bytes)
    }
}

impl fmt::Display for CrlNumber {
    /// Lower-case hex without leading zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let digits = digits.trim_start_matches('0');
        f.write_str(if digits.is_empty() { "0" } else { digits })
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CrlNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_crls_sort_and_are_bounded() {
        let number = |bytes: &[u8]| CrlNumber::from_bytes(bytes);
        let most = [&[0x7f][..], &[0xff; 19]].concat();
        for (bytes, shown) in [
            (&[][..], "0"),
            (&[0], "0"),
            (&[0, 0, 1], "1"),
            (&[0x10, 0], "1000"),
            (&[0; 30], "0"),
            (&most, "7fffffffffffffffffffffffffffffffffffffff"),
        ] {
            assert_eq!(number(bytes).unwrap().to_string(), shown);
        }
        for bytes in [&[0x80; 20][..], &[1; 21]] {
            assert_eq!(number(bytes).unwrap_err().code, "invalid_crl_number");
        }
        assert_eq!(number(&[1, 0]), Ok(CrlNumber::from(256)));
        assert_eq!(CrlNumber::from(256).to_i64(), Some(256));
        assert_eq!(CrlNumber::from(u64::MAX).to_i64(), None);
        assert_eq!(number(&most).unwrap().to_i64(), None);
        assert!(CrlNumber::from(255) < CrlNumber::from(256) && CrlNumber::from(u64::MAX) < number(&most).unwrap());
        assert_eq!(CrlNumber::from(256).as_bytes().iter().rev().take(3).copied().collect::<Vec<_>>(), [0, 1, 0]);
    }

    #[test]
    fn numbers_are_those_of_the_rfc() {
        let numbers: Vec<u8> = RevocationReason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 9, 10]);
        for code in 0..=u8::MAX {
            let kind = EntryKind::from_code(code);
            assert_eq!(kind.is_some(), code <= 10 && code != 7, "{code}");
            assert!(kind.is_none_or(|kind| kind.code() == code), "{code}");
        }
        assert_eq!(EntryKind::from_code(8), Some(EntryKind::Removed));
        assert_eq!(RevocationReason::from_code(8), None);
    }

    #[test]
    fn a_second_reason_only_makes_it_worse() {
        use RevocationReason as R;
        let (first, now) = (Timestamp::from_unix_s(1), Timestamp::from_unix_s(2));
        let judge = |before, wanted| judge_revocation(Some(Revocation { at: first, reason: before }), wanted, now);
        let written = |reason| RevocationVerdict::Write(Revocation { at: first, reason });
        assert_eq!(
            judge_revocation(None, R::CertificateHold, now),
            RevocationVerdict::Write(Revocation { at: now, reason: R::CertificateHold })
        );
        for before in R::ALL.iter().copied() {
            for wanted in R::ALL.iter().copied() {
                let expected = if before == wanted {
                    RevocationVerdict::Unchanged
                } else if before == R::CertificateHold
                    || (wanted.is_compromise() && !before.is_compromise())
                    // The other two speak of somebody else's key; this one is the certificate's own.
                    || wanted == R::KeyCompromise
                {
                    written(wanted)
                } else {
                    RevocationVerdict::Refused(Revocation { at: first, reason: before })
                };
                assert_eq!(judge(before, wanted), expected, "{before} then {wanted}");
            }
        }
        assert_eq!(judge(R::CaCompromise, R::KeyCompromise), written(R::KeyCompromise));
        assert_eq!(
            judge(R::KeyCompromise, R::CaCompromise),
            RevocationVerdict::Refused(Revocation { at: first, reason: R::KeyCompromise })
        );
        assert_eq!(
            judge(R::Superseded, R::CertificateHold),
            RevocationVerdict::Refused(Revocation { at: first, reason: R::Superseded })
        );
    }
}
