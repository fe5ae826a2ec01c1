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
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"),
        ("::8.8.8.8", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::ffff:0:10.0.0.1", "reserved"),
        ("64:ff9b::10.0.0.1", "stands for"),
        ("64:ff9b::7f00:1", "stands for"),
        ("64:ff9b:1::1", "reserved"),
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
