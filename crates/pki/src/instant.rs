//! Times in the two forms that RFC 5280 section 4.1.2.5 leaves: in UTC, with seconds, without a fraction.

use certwright_domain::time::Timestamp;
use time::{Date, Month, PrimitiveDateTime, Time};

/// GeneralizedTime, `YYYYMMDDHHMMSSZ`.
pub(crate) fn generalized(text: &[u8]) -> Option<Timestamp> {
    let (year, rest) = text.split_at_checked(4)?;
    instant(number(year)?, rest)
}

/// `MMDDhhmmssZ` of a year.
pub(crate) fn instant(year: u16, rest: &[u8]) -> Option<Timestamp> {
    let [m1, m2, d1, d2, h1, h2, i1, i2, s1, s2, b'Z'] = *rest else { return None };
    let part = |digits: [u8; 2]| number(&digits).and_then(|number| u8::try_from(number).ok());
    let date =
        Date::from_calendar_date(i32::from(year), Month::try_from(part([m1, m2])?).ok()?, part([d1, d2])?).ok()?;
    let time = Time::from_hms(part([h1, h2])?, part([i1, i2])?, part([s1, s2])?).ok()?;
    Some(Timestamp::from_unix_s(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp()))
}

/// At most four decimal digits.
pub(crate) fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u16::from(digit))
    })
}
