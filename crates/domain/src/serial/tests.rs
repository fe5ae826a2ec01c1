//! Serial numbers and fingerprints in every spelling.

use super::*;
use proptest::prelude::*;

#[test]
fn spellings() {
    for text in ["0abc12", "abc12", "0A:BC:12", "0a bc 12", "0x0abc12", "0XABC12", " 0abc12 ", "00000abc12"] {
        assert_eq!(Serial::parse(text).map(|serial| serial.to_string()).as_deref(), Ok("0abc12"), "{text}");
    }
    let largest = format!("7f{}", "ff".repeat(19));
    assert_eq!(Serial::parse(&largest).unwrap().to_string(), largest);
    let too_large = format!("80{}", "00".repeat(19));
    for text in ["", "0", "0000", "0x", ":", "-1", "12g4", "٣", &"1".repeat(41), &too_large, &"0".repeat(300)] {
        assert!(Serial::parse(text).is_err(), "{text}");
    }
}

#[test]
fn random_serials() {
    assert_eq!(Serial::from_random([0xff; 20]).to_string(), format!("7f{}", "ff".repeat(19)));
    assert_eq!(Serial::from_random([0; 20]).to_string(), "01");
    let mut only_the_top_bit = [0; 20];
    only_the_top_bit[0] = 0x80;
    assert_eq!(Serial::from_random(only_the_top_bit).to_string(), "01");
}

#[test]
fn fingerprints() {
    let hex = "ab".repeat(32);
    assert_eq!(Sha256::parse(&hex.to_uppercase()).unwrap().to_string(), hex);
    assert!(Sha256::parse(&"ab".repeat(31)).is_err() && Sha256::parse(&"ab".repeat(33)).is_err());
    assert_eq!(Sha256::from_slice(&[1; 31]), None);
}

proptest! {
    #[test]
    fn every_draw_is_a_serial_that_reads_as_it_is_shown(bytes in any::<[u8; 20]>()) {
        let serial = Serial::from_random(bytes);
        // Positive, shortest, and at most 20 octets of DER with the sign bit clear.
        prop_assert!(serial.as_bytes().first().is_some_and(|first| *first != 0));
        prop_assert!(serial.as_bytes().len() < 20 || serial.as_bytes()[0] < 0x80);
        prop_assert_eq!(Serial::parse(&serial.to_string()), Ok(serial.clone()));
        prop_assert_eq!(Serial::from_bytes(serial.as_bytes()), Ok(serial));
    }

    #[test]
    fn octets_are_shown_as_the_formatter_would(bytes in any::<[u8; 32]>()) {
        let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(Sha256(bytes).to_string(), shown);
    }

    #[test]
    fn fingerprints_read_as_they_are_shown(bytes in any::<[u8; 32]>()) {
        prop_assert_eq!(Sha256::parse(&Sha256(bytes).to_string()), Ok(Sha256(bytes)));
    }

    #[test]
    fn odd_text_never_panics(text in ".{0,80}") {
        let _ = (Serial::parse(&text), Sha256::parse(&text));
    }
}
