//! Subjects.

use super::AttributeType as T;
use super::*;

fn name(attributes: &[(T, &str)]) -> DistinguishedName {
    DistinguishedName::new(attributes.iter().map(|(kind, value)| Attribute::parse(*kind, value).unwrap()).collect())
        .unwrap()
}

#[test]
fn values_that_are_refused() {
    let long = "a".repeat(65);
    for (kind, value) in [
        (T::CommonName, ""),
        (T::CommonName, long.as_str()),
        (T::CommonName, " a"),
        (T::CommonName, "a "),
        (T::CommonName, "a\0b"),
        (T::CommonName, "a\nb"),
        (T::CommonName, "a\u{85}b"),
        (T::CommonName, "a\u{202e}b"),
        (T::CommonName, "a\u{2066}b"),
        (T::CommonName, "a\u{2028}b"),
        (T::CommonName, "\u{feff}a"),
        (T::CommonName, "a\u{a0}"),
        (T::Country, "kr"),
        (T::Country, "KOR"),
        (T::Country, "K"),
        (T::Country, "ÄÖ"),
        (T::SerialNumber, "a*b"),
        (T::SerialNumber, "ä"),
        (T::EmailAddress, "a"),
        (T::EmailAddress, "@b"),
        (T::EmailAddress, "a@"),
        (T::EmailAddress, "a@b@c"),
        (T::EmailAddress, "ä@b.c"),
        (T::EmailAddress, "a b@c.d"),
        (T::DomainComponent, "ä"),
    ] {
        assert!(Attribute::parse(kind, value).is_err(), "{kind} {value:?}");
    }
}

#[test]
fn values_that_are_fine() {
    for (kind, value) in [
        (T::CommonName, "a".repeat(64).as_str()),
        (T::CommonName, "서비스 가"),
        (T::CommonName, "a\u{200d}b"),
        (T::Organization, "O'Neil & Co, \"Ltd\" + <x>"),
        (T::Country, "KR"),
        (T::SerialNumber, "A-1 (2)"),
        (T::EmailAddress, "example@example.com"),
        (T::UserId, "u1"),
        (T::DomainComponent, "example"),
    ] {
        assert_eq!(Attribute::parse(kind, value).map(|attribute| attribute.value().to_owned()).as_deref(), Ok(value));
    }
}

#[test]
fn order_repeats_and_count() {
    let subject = name(&[(T::OrganizationalUnit, "two"), (T::OrganizationalUnit, "one"), (T::CommonName, "a")]);
    assert_eq!(subject.to_string(), "OU=two, OU=one, CN=a");
    assert_eq!(subject.common_name(), Some("a"));
    let unit = Attribute::parse(T::OrganizationalUnit, "a").unwrap();
    assert!(DistinguishedName::new(vec![unit.clone(); 32]).is_ok());
    assert!(DistinguishedName::new(vec![unit; 33]).is_err());
}

#[test]
fn what_would_split_a_name_is_escaped() {
    let subject = name(&[(T::Organization, "A, CN=evil + B\\"), (T::CommonName, "#1;<\">")]);
    assert_eq!(subject.to_string(), "O=A\\, CN=evil \\+ B\\\\, CN=\\#1\\;\\<\\\"\\>");
}

#[test]
fn comparing() {
    let one = name(&[(T::Organization, "DDIM  Corp"), (T::CommonName, "a")]);
    let like = name(&[(T::Organization, "ddim corp"), (T::CommonName, "A")]);
    let longer = name(&[(T::Organization, "DDIM  Corp"), (T::CommonName, "a"), (T::CommonName, "b")]);
    assert!(one.is_like(&like) && !one.is_like(&longer));
    assert!(longer.begins_like(&like) && longer.begins_with(&one) && !longer.begins_with(&like));
    assert!(!one.begins_like(&longer));
    // Blanks join words, they do not vanish; another type is another attribute.
    assert!(!name(&[(T::Organization, "DDIMCorp")]).is_like(&name(&[(T::Organization, "DDIM Corp")])));
    assert!(!name(&[(T::Organization, "a")]).is_like(&name(&[(T::OrganizationalUnit, "a")])));
}
