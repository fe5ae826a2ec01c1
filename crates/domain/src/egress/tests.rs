use super::*;

fn denied(address: &str) -> Option<&'static str> {
    EgressRules::default().check(address.parse().unwrap()).err().map(|denied| denied.why)
}

#[test]
fn special_addresses_are_refused_each_with_its_kind() {
    for (address, kind) in [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.0.0.1", "private"),
        ("10.255.255.255", "private"),
        ("100.64.0.1", "shared"),
        ("100.127.255.255", "shared"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.169.254", "link-local"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.1", "reserved"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4"),
        ("192.168.0.1", "private"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.7", "documentation"),
        ("203.0.113.7", "documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "stands for"),
        ("::8.8.8.8", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::ffff:0:10.0.0.1", "reserved"),
        ("64:ff9b::10.0.0.1", "stands for"),
        ("64:ff9b::7f00:1", "stands for"),
        ("64:ff9b:1::1", "reserved"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("192.0.0.192", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("2002:a00:1::", "stands for"),
        ("2002:7f00:1::1", "stands for"),
        ("2002:a9fe:a9fe::", "stands for"),
        ("100::1", "reserved"),
        ("2001::1", "reserved"),
        ("2001:10::1", "reserved"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("5f00::1", "reserved"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("4000::1", "reserved"),
    ] {
        assert!(denied(address).is_some_and(|why| why.contains(kind)), "{address}: {:?}", denied(address));
    }
}

#[test]
fn public_addresses_pass() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "2a00::1",
    ] {
        assert_eq!(denied(address), None, "{address}");
    }
}

#[test]
fn an_administrator_allows_ranges_and_no_more_than_those() {
    let rules = EgressRules::parse(["10.1.0.0/16", "fd00::/8"]).unwrap();
    for (address, passes) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("10.2.0.1", false),
        ("fd00::1", true),
        ("fc00::1", false),
        ("64:ff9b::10.1.2.3", false),
        ("169.254.169.254", false),
        ("8.8.8.8", true),
    ] {
        assert_eq!(rules.check(address.parse().unwrap()).is_ok(), passes, "{address}");
    }
    for wrong in ["", "10.0.0.0", "10.0.0.0/33", "example.com/8"] {
        assert_eq!(EgressRules::parse([wrong]).unwrap_err().code, "invalid_range", "{wrong}");
    }
}

/// What nobody can allow, in every form in which it can be written.
const NEVER: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "169.254.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "::",
    "fe80::1",
    "febf:ffff::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    // IPv4-mapped, IPv4-compatible, IPv4-translated.
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    // 6to4, Teredo.
    "2002:a9fe:a9fe::1",
    "2002:7f00:1::1",
    "2002:e000:1::1",
    "2001::5601:5601",
    // NAT64: of everybody, and of a network's own behind prefixes of 96, 64, 56 and 48 bits.
    "64:ff9b::169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::0.0.0.0",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:0:a9:fea9:fe00::",
    "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1:a9fe:a9:fe00::",
];

#[test]
fn what_nobody_can_allow_is_refused_however_wide_the_ranges_are() {
    let rules =
        EgressRules::parse(["0.0.0.0/0", "::/0", "fc00::/7", "100.64.0.0/10", "64:ff9b::/96", "2002::/16"]).unwrap();
    for address in NEVER {
        assert!(rules.check(address.parse().unwrap()).is_err(), "{address}");
    }
    // Rows and settings of older days have ranges that would be refused now.
    for (range, address) in [
        ("169.254.0.0/16", "169.254.169.254"),
        ("169.254.169.254/32", "::ffff:169.254.169.254"),
        ("fe80::/10", "fe80::1"),
        ("ff00::/8", "ff02::1"),
        ("0.0.0.0/8", "0.0.0.0"),
        ("fd00:ec2::254/128", "fd00:ec2::254"),
        ("64:ff9b::a9fe:0/112", "64:ff9b::169.254.169.254"),
    ] {
        let rules = EgressRules::allowing(vec![range.parse().unwrap()]);
        assert!(rules.check(address.parse().unwrap()).is_err(), "{address} by {range}");
    }
    for address in
        ["10.0.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "240.0.0.1"]
    {
        assert_eq!(rules.check(address.parse().unwrap()), Ok(()), "{address}");
    }
    // The same private address behind each prefix of a network's own NAT64.
    for address in ["64:ff9b:1::10.1.2.3", "64:ff9b:1:0:a:102:300::", "64:ff9b:1:a:1:203::", "64:ff9b:1:a01:2:300::"] {
        assert_eq!(rules.check(address.parse().unwrap()), Ok(()), "{address}");
    }
}

#[test]
fn loopback_is_allowed_by_its_own_name_alone() {
    for (ranges, address, passes) in [
        (&["127.0.0.0/8"][..], "127.0.0.1", true),
        (&["127.0.0.1/32"], "127.0.0.1", true),
        (&["127.0.0.1/32"], "127.0.0.2", false),
        (&["127.0.0.0/8"], "::ffff:127.0.0.1", true),
        (&["::1/128"], "::1", true),
        (&["0.0.0.0/0", "::/0"], "127.0.0.1", false),
        (&["0.0.0.0/0", "::/0"], "::1", false),
        (&["126.0.0.0/7"], "127.0.0.1", false),
        (&["::/64"], "::1", false),
        (&["::ffff:0.0.0.0/95"], "::ffff:127.0.0.1", false),
        (&["127.0.0.0/8", "::/0"], "64:ff9b::127.0.0.1", false),
        (&["127.0.0.0/8", "::/0"], "::127.0.0.1", false),
    ] {
        let rules = EgressRules::parse(ranges.iter().copied()).unwrap();
        assert_eq!(rules.check(address.parse().unwrap()).is_ok(), passes, "{address} by {ranges:?}");
    }
}

#[test]
fn ranges_with_nothing_in_them_that_is_ever_connected_to_are_refused() {
    for range in [
        "0.0.0.0/8",
        "0.0.0.0/32",
        "169.254.0.0/16",
        "169.254.169.254/32",
        "224.0.0.0/4",
        "239.1.0.0/16",
        "255.255.255.255/32",
        "168.63.129.16/32",
        "::/128",
        "fe80::/10",
        "fe80::1/128",
        "ff00::/8",
        "fd00:ec2::/32",
        "2002:a9fe::/32",
        "64:ff9b::a9fe:0/112",
        "64:ff9b::7f00:0/104",
    ] {
        let refused = EgressRules::parse([range]).unwrap_err();
        assert_eq!(refused.code, "range_never_allowed", "{range}");
        assert!(
            refused.detail.contains(range) && refused.detail.contains("connects to no address of"),
            "{}",
            refused.detail
        );
    }
    assert_eq!(EgressRules::parse(["::ffff:169.254.0.0/112"]).unwrap_err().code, "invalid_range");
    for range in
        ["0.0.0.0/0", "::/0", "10.0.0.0/8", "127.0.0.0/8", "::1/128", "fc00::/7", "168.63.0.0/16", "224.0.0.0/3"]
    {
        assert!(EgressRules::parse([range]).is_ok(), "{range}");
    }
}
