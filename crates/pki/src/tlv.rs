//! DER at the level of tag, length and value.
//!
//! x509-parser reads what a structure says, but lets much pass that DER forbids: bytes after the last field of a
//! SEQUENCE, BER lengths and booleans. [`check`] and the frames of `frame.rs` are the fence in front of it. The
//! writer serves where bytes are put together from parts that are DER already.

use certwright_domain::violation::Invalid;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const T61_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Deepest nesting that is read; certificates need about ten.
const MAX_DEPTH: u8 = 24;

/// The bytes are not DER of the expected shape; says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl Malformed {
    /// As a refusal of the thing that `code` and `what` name.
    pub(crate) fn refuse(self, code: &'static str, what: &str, hint: &str) -> Invalid {
        Invalid::new(code, format!("The {what} is not well-formed DER: {}.", self.0), hint)
    }
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// Identifier octet; tag numbers above 30 do not occur in X.509.
    pub(crate) tag: u8,
    /// Contents octets.
    pub(crate) content: &'a [u8],
    /// The whole element.
    pub(crate) raw: &'a [u8],
}

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The contents of the one element that fills `bytes`.
    pub(crate) fn only(bytes: &'a [u8], tag: u8, what: &'static str) -> Result<Self, Malformed> {
        let mut reader = Self(bytes);
        let content = reader.expect(tag, what)?.content;
        reader.end("bytes follow after the end")?;
        Ok(Self(content))
    }

    /// The next element, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Element<'a>>, Malformed> {
        const SHORT: Malformed = Malformed("it ends too early");
        const LENGTH: Malformed = Malformed("a length is not in its shortest definite form");
        let Some((tag, rest)) = self.0.split_first() else { return Ok(None) };
        if tag & 0x1f == 0x1f {
            return Err(Malformed("a tag number is above 30"));
        }
        let (first, rest) = rest.split_first().ok_or(SHORT)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(SHORT)?;
                let length = octets.iter().fold(0_usize, |value, octet| (value << 8) | usize::from(*octet));
                if octets.first() == Some(&0) || length < 0x80 {
                    return Err(LENGTH);
                }
                (length, rest)
            }
            _ => return Err(LENGTH),
        };
        let (content, after) = rest.split_at_checked(length).ok_or(SHORT)?;
        let raw = self.0.get(..self.0.len().saturating_sub(after.len())).ok_or(SHORT)?;
        self.0 = after;
        Ok(Some(Element { tag: *tag, content, raw }))
    }

    /// The next element, which must carry this tag.
    pub(crate) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, Malformed> {
        self.next()?.filter(|element| element.tag == tag).ok_or(Malformed(what))
    }

    /// The next element when it carries this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.0.first() == Some(&tag) { self.next() } else { Ok(None) }
    }

    /// Nothing may follow.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed(what)) }
    }
}

/// Is this one DER element, all the way down? Contents of OCTET STRINGs and BIT STRINGs are not looked into.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let element = reader.next()?.ok_or(Malformed("it is empty"))?;
    reader.end("bytes follow after the end")?;
    check_element(element, MAX_DEPTH)
}

fn check_element(element: Element<'_>, depth: u8) -> Result<(), Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed("it is nested too deeply"))?;
    let content = element.content;
    match element.tag {
        BOOLEAN if !matches!(content, [0x00 | 0xff]) => Err(Malformed("a BOOLEAN is neither 00 nor FF")),
        INTEGER => match content {
            [] => Err(Malformed("an INTEGER is empty")),
            [0x00, next, ..] if *next < 0x80 => Err(Malformed("an INTEGER has needless leading zeros")),
            [0xff, next, ..] if *next >= 0x80 => Err(Malformed("an INTEGER has needless leading ones")),
            _ => Ok(()),
        },
        BIT_STRING => match content {
            [] => Err(Malformed("a BIT STRING is empty")),
            [0, ..] => Ok(()),
            [unused @ 1..=7, .., last] if last.trailing_zeros() >= u32::from(*unused) => Ok(()),
            _ => Err(Malformed("a BIT STRING has wrong unused bits")),
        },
        NULL if !content.is_empty() => Err(Malformed("a NULL is not empty")),
        OID if content.last().is_none_or(|last| *last >= 0x80) => Err(Malformed("an OBJECT IDENTIFIER is cut off")),
        SEQUENCE | SET => check_all(content, depth),
        tag if tag & 0xe0 == 0x20 => Err(Malformed("a string is in constructed form")),
        tag if tag & 0x20 != 0 => check_all(content, depth),
        _ => Ok(()),
    }
}

fn check_all(content: &[u8], depth: u8) -> Result<(), Malformed> {
    let mut reader = Reader::new(content);
    while let Some(element) = reader.next()? {
        check_element(element, depth)?;
    }
    Ok(())
}

/// Appends an element with this tag and these contents, given in parts.
pub(crate) fn write(out: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    write_head(out, tag, parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len())));
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends tag and length of an element whose contents have `length` octets.
pub(crate) fn write_head(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    let octets = length.to_be_bytes();
    if length < 0x80 {
        out.extend(octets.last());
    } else {
        let significant = octets.iter().skip_while(|octet| **octet == 0);
        let count = significant.clone().count();
        out.push(0x80_u8 | u8::try_from(count).unwrap_or(0x7f));
        out.extend(significant);
    }
}

/// Octets of a whole element whose contents have `length` octets.
pub(crate) fn size(length: usize) -> usize {
    let significant = usize::BITS.saturating_sub(length.leading_zeros()).div_ceil(8);
    let long = if length < 0x80 { 0 } else { usize::try_from(significant).unwrap_or(usize::MAX) };
    length.saturating_add(2).saturating_add(long)
}

/// An element with this tag and these contents, given in parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().fold(8_usize, |sum, part| sum.saturating_add(part.len()));
    let mut out = Vec::with_capacity(length);
    write(&mut out, tag, parts);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_that_der_forbids_are_named() {
        let table: &[(&[u8], &str)] = &[
            (&[], "it is empty"),
            (&[0x30], "it ends too early"),
            (&[0x30, 0x02, 0x05], "it ends too early"),
            (&[0x30, 0x80, 0x00, 0x00], "a length is not in its shortest definite form"),
            (&[0x30, 0x81, 0x02, 0x05, 0x00], "a length is not in its shortest definite form"),
            (&[0x30, 0x84, 0x00, 0xff, 0xff, 0xff], "a length is not in its shortest definite form"),
            (&[0x30, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00], "a length is not in its shortest definite form"),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], "it ends too early"),
            (&[0x05, 0x00, 0x00], "bytes follow after the end"),
            (&[0x01, 0x01, 0x01], "a BOOLEAN is neither 00 nor FF"),
            (&[0x02, 0x00], "an INTEGER is empty"),
            (&[0x02, 0x02, 0x00, 0x01], "an INTEGER has needless leading zeros"),
            (&[0x02, 0x02, 0xff, 0xff], "an INTEGER has needless leading ones"),
            (&[0x03, 0x00], "a BIT STRING is empty"),
            (&[0x03, 0x01, 0x01], "a BIT STRING has wrong unused bits"),
            (&[0x03, 0x02, 0x01, 0x01], "a BIT STRING has wrong unused bits"),
            (&[0x03, 0x02, 0x08, 0x00], "a BIT STRING has wrong unused bits"),
            (&[0x05, 0x01, 0x00], "a NULL is not empty"),
            (&[0x06, 0x01, 0x80], "an OBJECT IDENTIFIER is cut off"),
            (&[0x24, 0x03, 0x04, 0x01, 0x00], "a string is in constructed form"),
            (&[0x1f, 0x81, 0x00], "a tag number is above 30"),
            (&[0x30, 0x03, 0x01, 0x01, 0x02], "a BOOLEAN is neither 00 nor FF"),
        ];
        for (bytes, what) in table {
            assert_eq!(check(bytes), Err(Malformed(what)), "{}", hex::encode(bytes));
        }
    }

    #[test]
    fn good_der_passes() {
        for bytes in [
            &[0x30, 0x00][..],
            &[0x01, 0x01, 0xff],
            &[0x02, 0x02, 0x00, 0x80],
            &[0x03, 0x01, 0x00],
            &[0x03, 0x02, 0x07, 0x80],
            &[0xa3, 0x02, 0x05, 0x00],
        ] {
            assert_eq!(check(bytes), Ok(()), "{}", hex::encode(bytes));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let mut der = vec![0x05, 0x00];
        for _ in 0..40 {
            der = element(SEQUENCE, &[&der]);
        }
        assert_eq!(check(&der), Err(Malformed("it is nested too deeply")));
    }

    #[test]
    fn lengths_have_up_to_four_octets() {
        for (length, head) in [
            (0x7f, &[0x04, 0x7f][..]),
            (0x80, &[0x04, 0x81, 0x80]),
            (0xffff, &[0x04, 0x82, 0xff, 0xff]),
            (0xff_ffff, &[0x04, 0x83, 0xff, 0xff, 0xff]),
            (0x100_0000, &[0x04, 0x84, 0x01, 0x00, 0x00, 0x00]),
        ] {
            let der = element(OCTET_STRING, &[&vec![7; length]]);
            assert_eq!(der.split_at(head.len()).0, head);
            assert_eq!(Reader::new(&der).next().unwrap().unwrap().content.len(), length);
            assert_eq!(check(&der), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(content in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let (head, tail) = content.split_at(content.len() / 3);
            let der = element(OCTET_STRING, &[head, tail]);
            let mut reader = Reader::new(&der);
            let read = reader.next().unwrap().unwrap();
            prop_assert_eq!(read.content, &content[..]);
            prop_assert_eq!(read.raw, &der[..]);
            prop_assert_eq!(size(content.len()), der.len());
            prop_assert!(reader.next().unwrap().is_none());
        }

        #[test]
        fn garbage_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&bytes);
        }
    }
}
