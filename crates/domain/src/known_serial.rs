//! Serials that a CA gave away before it came here: never to be given again.

use crate::revocation::{Revocation, RevocationReason};
use crate::serial::Serial;
use crate::time::Timestamp;
use crate::violation::Invalid;
use std::collections::HashMap;

/// Most serials of one CA. They are held in memory while the CA issues.
pub const MAX_KNOWN_SERIALS: usize = 50_000;

/// A serial that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSerial {
    /// The serial.
    pub serial: Serial,
    /// When its certificate expires, where that is known.
    pub expires_at: Option<Timestamp>,
    /// Its certificate was revoked: a revocation list must go on saying so.
    pub revocation: Option<Revocation>,
}

/// Puts serials as a list of hex and the `index.txt` of `openssl ca` together; what stands in both is taken once, and the
/// index says more. Faults come with their place: the number in the list, or the line of the index.
pub fn parse_known_serials(list: &[String], index: &str) -> Result<Vec<KnownSerial>, (Place, Invalid)> {
    let mut found: Vec<KnownSerial> = Vec::new();
    let mut places: HashMap<Serial, usize> = HashMap::new();
    let mut add = |known: KnownSerial, place: Place| match places.get(&known.serial) {
        Some(at) => {
            if let Some(earlier) = found.get_mut(*at) {
                *earlier = known;
            }
            Ok(())
        }
        None if found.len() >= MAX_KNOWN_SERIALS => Err((place, too_many())),
        None => {
            places.insert(known.serial.clone(), found.len());
            found.push(known);
            Ok(())
        }
    };
    for (number, text) in list.iter().enumerate() {
        let place = Place::List(number);
        let serial = Serial::parse(text).map_err(|invalid| (place, invalid))?;
        add(KnownSerial { serial, expires_at: None, revocation: None }, place)?;
    }
    for (number, line) in index.lines().enumerate() {
        let place = Place::Line(number.saturating_add(1));
        if let Some(known) = parse_line(line).map_err(|invalid| (place, invalid))? {
            add(known, place)?;
        }
    }
    Ok(found)
}

/// Where a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the list, from 0.
    List(usize),
    /// A line of the index, from 1.
    Line(usize),
}

/// A line of `index.txt`: status, expiry, revocation, serial, file and subject, between tabs.
fn parse_line(line: &str) -> Result<Option<KnownSerial>, Invalid> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let mut fields = line.trim_end_matches('\r').split('\t');
    let (Some(status), Some(expires_at), Some(revoked), Some(serial)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(wrong_line("It has fewer than four fields between tabs.".to_owned()));
    };
    let revocation = match status {
        "R" => Some(parse_revocation(revoked)?),
        "V" | "E" => None,
        other => {
            let status: String = other.chars().take(20).collect();
            return Err(wrong_line(format!("Its status `{}` is none of V, R and E.", status.escape_debug())));
        }
    };
    Ok(Some(KnownSerial { serial: Serial::parse(serial)?, expires_at: Some(parse_time(expires_at)?), revocation }))
}

/// `time[,reason[,more]]`.
fn parse_revocation(text: &str) -> Result<Revocation, Invalid> {
    let mut parts = text.split(',');
    let at = parse_time(parts.next().unwrap_or_default())?;
    // openssl's own words: a key compromise with its date, and a hold with what to do about it.
    let reason = match parts.next().unwrap_or_default() {
        "keyTime" => RevocationReason::KeyCompromise,
        "CAkeyTime" | "CACompromise" => RevocationReason::CaCompromise,
        "holdInstruction" => RevocationReason::CertificateHold,
        other => RevocationReason::parse(other).unwrap_or(RevocationReason::Unspecified),
    };
    Ok(Revocation { at, reason })
}

/// UTCTime or GeneralizedTime, in Zulu.
fn parse_time(text: &str) -> Result<Timestamp, Invalid> {
    let wrong = || {
        let shown: String = text.chars().take(40).collect();
        wrong_line(format!("`{}` is not a time (`YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`).", shown.escape_debug()))
    };
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let digits = digits.ok_or_else(wrong)?;
    let (year, rest) = match digits.len() {
        // RFC 5280 section 4.1.2.5.1.
        12 => digits
            .split_at_checked(2)
            .map(|(year, rest)| (if year < "50" { "20" } else { "19" }.to_owned() + year, rest)),
        14 => digits.split_at_checked(4).map(|(year, rest)| (year.to_owned(), rest)),
        _ => None,
    }
    .ok_or_else(wrong)?;
    let mut digits = rest.chars();
    let mut pair = || digits.by_ref().take(2).collect::<String>();
    let (month, day, hour, minute, second) = (pair(), pair(), pair(), pair(), pair());
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).map_err(|_| wrong())
}

fn wrong_line(detail: String) -> Invalid {
    Invalid::new("invalid_index", detail, "Send the `index.txt` of `openssl ca` as it is, tabs included.")
}

fn too_many() -> Invalid {
    Invalid::new(
        "too_many_serials",
        format!("There are more than {MAX_KNOWN_SERIALS} serials."),
        "Leave out those of certificates that expired.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INDEX: &str = "V\t270101000000Z\t\t1000\tunknown\t/CN=a\n\
        R\t270101000000Z\t260203040506Z,keyCompromise\t1001\tunknown\t/CN=b\n\
        R\t20510101000000Z\t260203040506Z,keyTime,20260101000000Z\t1002\tunknown\t/CN=c\r\n\
        R\t270101000000Z\t260203040506Z\t1003\tunknown\t/CN=d\n\
        R\t270101000000Z\t260203040506Z,holdInstruction,1.2.840.10040.2.3\t1005\tunknown\t/CN=f\n\
        E\t991231235959Z\t\t1004\tunknown\t/CN=e\n\n";

    fn parse(list: &[&str], index: &str) -> Result<Vec<KnownSerial>, (Place, Invalid)> {
        parse_known_serials(&list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), index)
    }

    #[test]
    fn an_index_of_openssl_is_read() {
        let known = parse(&["10:03", "0xFF"], INDEX).unwrap();
        let told: Vec<String> = known.iter().map(|one| one.serial.to_string()).collect();
        assert_eq!(told, ["1003", "ff", "1000", "1001", "1002", "1005", "1004"]);
        let reasons: Vec<Option<&str>> =
            known.iter().map(|one| one.revocation.map(|revocation| revocation.reason.as_str())).collect();
        let (compromise, hold) = (Some("keyCompromise"), Some("certificateHold"));
        assert_eq!(reasons, [Some("unspecified"), None, None, compromise, compromise, hold, None]);
        assert_eq!(known[4].expires_at.unwrap().to_string(), "2051-01-01T00:00:00Z");
        assert_eq!(known[6].expires_at.unwrap().to_string(), "1999-12-31T23:59:59Z");
        assert_eq!(known[3].revocation.unwrap().at.to_string(), "2026-02-03T04:05:06Z");
        assert_eq!(known[1].expires_at, None);
    }

    #[test]
    fn faults_come_with_their_place() {
        for (list, index, place, code) in [
            (&["1", "x"][..], "", Place::List(1), "invalid_serial"),
            (&[], "V\t1", Place::Line(1), "invalid_index"),
            (&[], "\nX\t270101000000Z\t\t10\tunknown\t/", Place::Line(2), "invalid_index"),
            (&[], "V\t279901000000Z\t\t10\tunknown\t/", Place::Line(1), "invalid_index"),
            (&[], "R\t270101000000Z\tsoon\t10\tunknown\t/", Place::Line(1), "invalid_index"),
            (&[], "V\t270101000000Z\t\tzz\tunknown\t/", Place::Line(1), "invalid_serial"),
        ] {
            let (at, invalid) = parse(list, index).unwrap_err();
            assert_eq!((at, invalid.code), (place, code));
        }
        let many: Vec<String> = (1..=MAX_KNOWN_SERIALS + 1).map(|number| format!("{number:x}")).collect();
        assert_eq!(parse_known_serials(&many, "").unwrap_err().1.code, "too_many_serials");
    }

    proptest! {
        #[test]
        fn garbage_does_not_panic(text in "([VRE]\t|[0-9]{0,14}Z?\t|\\PC|\n){0,40}") {
            let _ = parse_known_serials(&[], &text);
        }
    }
}
