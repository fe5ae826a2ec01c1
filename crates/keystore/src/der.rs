//! Just enough DER (X.690) to tell the encodings of private keys apart and to look at an RSA public key.
//! Everything that matters is parsed again, and checked, by the crypto library.

/// One element: its tag and its contents.
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Splits the first element off; `None` where the bytes are not DER.
pub(crate) fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, contents }, rest))
}

/// The contents of the first element, which must carry the tag.
pub(crate) fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (element, rest) = split(bytes)?;
    (element.tag == tag).then_some((element.contents, rest))
}

/// Modulus and public exponent of a PKCS#1 `RSAPublicKey` (RFC 8017 appendix A.1.1), without leading zeros.
pub(crate) fn rsa_public_key(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (inside, _) = expect(bytes, SEQUENCE)?;
    let (modulus, rest) = expect(inside, INTEGER)?;
    let (exponent, _) = expect(rest, INTEGER)?;
    Some((significant(modulus), significant(exponent)))
}

/// Bits of a big-endian number.
pub(crate) fn bits(number: &[u8]) -> usize {
    let number = significant(number);
    let zeros = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len().saturating_mul(8).saturating_sub(zeros)
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_short_and_long_lengths() {
        let (element, rest) = split(&[0x02, 0x01, 0x05, 0xff]).unwrap();
        assert_eq!((element.tag, element.contents, rest), (INTEGER, &[5][..], &[0xff][..]));
        let mut long = vec![0x04, 0x82, 0x01, 0x00];
        long.extend([7; 256]);
        assert_eq!(split(&long).unwrap().0.contents.len(), 256);
    }

    #[test]
    fn refuses_what_is_cut_short_or_without_end() {
        for bytes in
            [&[][..], &[0x30], &[0x30, 0x02, 0x00], &[0x30, 0x80], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x30, 0x82, 1]]
        {
            assert!(split(bytes).is_none(), "{bytes:02x?}");
        }
    }

    #[test]
    fn counts_bits_and_drops_leading_zeros() {
        assert_eq!(bits(&[0, 0x80, 0]), 16);
        assert_eq!(bits(&[0x01, 0, 1]), 17);
        assert_eq!(bits(&[0, 0]), 0);
        let key = [0x30, 0x0a, 0x02, 0x03, 0x00, 0xc1, 0x02, 0x02, 0x03, 0x01, 0x00, 0x01];
        assert_eq!(rsa_public_key(&key).unwrap(), (&[0xc1, 0x02][..], &[1, 0, 1][..]));
    }
}
