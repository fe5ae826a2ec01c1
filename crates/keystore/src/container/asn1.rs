//! A reader of definite DER, a way from BER to it, and a writer.

use super::Error;
use crate::der::{self, Element};
use zeroize::Zeroizing;

pub(super) use crate::der::{INTEGER, OCTET_STRING, SEQUENCE};
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SET: u8 = 0x31;
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[0] IMPLICIT OCTET STRING`, in one piece.
pub(super) const CONTEXT_0_PRIMITIVE: u8 = 0x80;

/// Levels of nesting. A PKCS#12 file takes about a dozen.
const MAX_DEPTH: usize = 32;

const TOO_DEEP: Error = Error::Malformed("it is nested too deeply");
const CUT_SHORT: Error = Error::Malformed("it is not DER, or cut short");

/// Reads one element after another.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element.
    pub(super) fn next(&mut self) -> Result<Element<'a>, Error> {
        let (element, rest) = der::split(self.0).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(element)
    }

    /// The contents of the next element, which must carry the tag.
    pub(super) fn take(&mut self, tag: u8, missing: &'static str) -> Result<&'a [u8], Error> {
        let element = self.next()?;
        if element.tag == tag { Ok(element.contents) } else { Err(Error::Malformed(missing)) }
    }

    /// A reader of the contents of the next element, which must carry the tag.
    pub(super) fn enter(&mut self, tag: u8, missing: &'static str) -> Result<Reader<'a>, Error> {
        self.take(tag, missing).map(Reader)
    }

    /// The contents of the next element when it carries the tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Error> {
        match self.0.first() {
            Some(first) if *first == tag => self.next().map(|element| Some(element.contents)),
            _ => Ok(None),
        }
    }

    /// A small number that is not negative.
    pub(super) fn number(&mut self, missing: &'static str) -> Result<u32, Error> {
        number(self.take(INTEGER, missing)?)
    }
}

/// The value of an INTEGER that is not negative and fits into 32 bits.
pub(super) fn number(contents: &[u8]) -> Result<u32, Error> {
    let (first, _) = contents.split_first().ok_or(CUT_SHORT)?;
    let digits: &[u8] = if *first == 0 { contents.get(1..).unwrap_or_default() } else { contents };
    if *first >= 0x80 || digits.len() > 4 {
        return Err(Error::TooMuch("A number in the file is negative or too large.".to_owned()));
    }
    Ok(digits.iter().fold(0, |number, digit| (number << 8) | u32::from(*digit)))
}

/// One structure in definite DER form: lengths are definite, OCTET STRINGs in one piece. Bytes after its end are refused.
pub(super) fn normalize(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut out = buffer(bytes.len());
    let rest = copy(bytes, 0, &mut out)?;
    if rest.is_empty() { Ok(out) } else { Err(Error::Malformed("bytes follow its end")) }
}

/// Copies the first element; gives back what follows it.
fn copy<'a>(bytes: &'a [u8], depth: usize, out: &mut Vec<u8>) -> Result<&'a [u8], Error> {
    const CONSTRUCTED: u8 = 0x20;
    if depth > MAX_DEPTH {
        return Err(TOO_DEEP);
    }
    let deeper = depth.saturating_add(1);
    if let [tag, 0x80, rest @ ..] = bytes {
        if tag & CONSTRUCTED == 0 {
            return Err(CUT_SHORT);
        }
        // Measured first: a buffer that grows leaves copies of keys behind, one that is too large costs time to wipe.
        let after = past_end(rest, deeper)?;
        let mut inside = buffer(rest.len().saturating_sub(after.len()));
        let mut members = rest;
        while !matches!(members, [0, 0, ..]) {
            members = copy(members, deeper, &mut inside)?;
        }
        push_constructed(out, *tag, &inside)?;
        return Ok(after);
    }
    let (element, rest) = der::split(bytes).ok_or(CUT_SHORT)?;
    if element.tag & 0x1f == 0x1f {
        return Err(Error::Malformed("it has a tag that no such file has"));
    }
    if element.tag & CONSTRUCTED == 0 {
        push(out, element.tag, element.contents);
    } else {
        let mut inside = buffer(element.contents.len());
        let mut members = element.contents;
        while !members.is_empty() {
            members = copy(members, deeper, &mut inside)?;
        }
        push_constructed(out, element.tag, &inside)?;
    }
    Ok(rest)
}

/// Room for the DER form of so many bytes: it is a little longer only where lengths take more octets.
fn buffer(length: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(length.saturating_add(64)))
}

/// What follows the end-of-contents octets that end an indefinite length; `members` begins behind it.
fn past_end(members: &[u8], depth: usize) -> Result<&[u8], Error> {
    if depth > MAX_DEPTH {
        return Err(TOO_DEEP);
    }
    let mut rest = members;
    loop {
        rest = match rest {
            [0, 0, after @ ..] => return Ok(after),
            [_, 0x80, inside @ ..] => past_end(inside, depth.saturating_add(1))?,
            _ => der::split(rest).ok_or(CUT_SHORT)?.1,
        }
    }
}

fn push_constructed(out: &mut Vec<u8>, tag: u8, inside: &[u8]) -> Result<(), Error> {
    const OCTET_STRING_IN_PIECES: u8 = 0x24;
    if tag == OCTET_STRING_IN_PIECES {
        push(out, OCTET_STRING, &join(inside)?);
    } else {
        push(out, tag, inside);
    }
    Ok(())
}

/// The pieces of an OCTET STRING, put together.
pub(super) fn join(pieces: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut whole = Zeroizing::new(Vec::with_capacity(pieces.len()));
    let mut reader = Reader::new(pieces);
    while !reader.is_empty() {
        whole.extend_from_slice(reader.take(OCTET_STRING, "a string is in pieces that are none")?);
    }
    Ok(whole)
}

fn push(out: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    out.push(tag);
    let length = contents.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or_default());
    } else {
        let digits = length.to_be_bytes();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let digits = digits.get(zeros..).unwrap_or_default();
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
        out.extend_from_slice(digits);
    }
    out.extend_from_slice(contents);
}

/// An element of these parts. Wiped when dropped: some hold keys.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().fold(0usize, |length, part| length.saturating_add(part.len()));
    let mut contents = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        contents.extend_from_slice(part);
    }
    let mut out = Zeroizing::new(Vec::with_capacity(length.saturating_add(10)));
    push(&mut out, tag, &contents);
    out
}

/// An INTEGER.
pub(super) fn integer(number: u32) -> Zeroizing<Vec<u8>> {
    let digits = number.to_be_bytes();
    let zeros = digits.iter().take(3).take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    // A first bit that is set would make it negative.
    let sign: &[u8] = if digits.first().is_some_and(|digit| *digit >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, digits])
}

/// A SET OF, sorted as DER asks.
pub(super) fn set_of(mut members: Vec<Zeroizing<Vec<u8>>>) -> Zeroizing<Vec<u8>> {
    members.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
    element(SET, &members.iter().map(|member| member.as_slice()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn indefinite_lengths_and_strings_in_pieces_become_der() {
        // SEQUENCE { OCTET STRING "ab" "c" in pieces, [0] { INTEGER 5 } }, all with indefinite lengths.
        let ber =
            [0x30, 0x80, 0x24, 0x80, 0x04, 2, b'a', b'b', 0x04, 1, b'c', 0, 0, 0xa0, 0x80, 0x02, 1, 5, 0, 0, 0, 0];
        let der = normalize(&ber).unwrap();
        assert_eq!(der.as_slice(), [0x30, 10, 0x04, 3, b'a', b'b', b'c', 0xa0, 3, 0x02, 1, 5]);
        assert_eq!(normalize(&der).unwrap(), der);
    }

    /// Quadratic work would take minutes here.
    #[test]
    fn very_many_elements_take_no_time() {
        let many = [0x30, 0x80, 0, 0].repeat(100_000);
        let ber = [&[0x30, 0x80][..], &many, &[0, 0]].concat();
        assert_eq!(normalize(&ber).unwrap().len(), 200_000 + 5);
    }

    #[test]
    fn what_has_no_end_or_goes_too_deep_is_refused() {
        assert_eq!(normalize(&[0x30, 0x80, 0x02, 1, 5]).unwrap_err(), CUT_SHORT);
        assert_eq!(normalize(&[0x04, 0x80, 0, 0]).unwrap_err(), CUT_SHORT);
        assert_eq!(normalize(&[0x30, 0x80].repeat(10_000)).unwrap_err(), Error::Malformed("it is nested too deeply"));
        assert_eq!(normalize(&[0x05, 0, 0]).unwrap_err(), Error::Malformed("bytes follow its end"));
    }

    #[test]
    fn numbers_keep_their_sign_and_size() {
        for value in [0, 1, 127, 128, 255, 256, 50_000, 0x8000_0000, u32::MAX] {
            assert_eq!(Reader::new(&integer(value)).number("").unwrap(), value);
        }
        assert!(number(&[0xff]).is_err());
        assert!(number(&[1, 0, 0, 0, 0]).is_err());
        assert!(number(&[]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(contents in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let written = element(OCTET_STRING, &[&contents]);
            prop_assert_eq!(Reader::new(&written).take(OCTET_STRING, "").unwrap(), &contents[..]);
            prop_assert_eq!(normalize(&written).unwrap(), written);
        }

        #[test]
        fn garbage_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = normalize(&bytes);
        }
    }
}
