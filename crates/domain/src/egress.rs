//! Where we may connect to when somebody else names the address: which addresses are refused, and which of those an
//! administrator allows after all.
//!
//! A name is looked up once, every address it has is judged here, and the connection goes to one that passed: what the
//! name says a moment later does not matter.

use crate::violation::Invalid;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 addresses that are not on the public internet (IANA's registry of special-purpose addresses), and why.
const V4: &[(Ipv4Net, &str)] = &[
    (v4([0, 0, 0, 0], 8), "an unspecified address"),
    (v4([10, 0, 0, 0], 8), "a private address"),
    (v4([100, 64, 0, 0], 10), "a shared (carrier-grade NAT) address"),
    (v4([127, 0, 0, 0], 8), "a loopback address"),
    (v4([169, 254, 0, 0], 16), "a link-local address"),
    (v4([172, 16, 0, 0], 12), "a private address"),
    (v4([192, 0, 0, 0], 24), "a reserved address"),
    (v4([192, 0, 2, 0], 24), "a documentation address"),
    (v4([192, 88, 99, 0], 24), "a 6to4 relay"),
    (v4([192, 168, 0, 0], 16), "a private address"),
    (v4([198, 18, 0, 0], 15), "a benchmarking address"),
    (v4([198, 51, 100, 0], 24), "a documentation address"),
    (v4([203, 0, 113, 0], 24), "a documentation address"),
    (v4([224, 0, 0, 0], 4), "a multicast address"),
    (v4([240, 0, 0, 0], 4), "a reserved address"),
];

/// IPv6: what has a name of its own.
const V6: &[(Ipv6Net, &str)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "an unspecified address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "a reserved address"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "a documentation address"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "a documentation address"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a private address"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local address"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a private address"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
];

/// The part of IPv6 that is given out for use on the internet.
const GLOBAL: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// 6to4: the IPv4 address is in bits 16 to 47.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);
/// NAT64: the IPv4 address is in the last 32 bits.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// An address that we do not connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {why}")]
pub struct Denied {
    /// The address.
    pub address: IpAddr,
    /// What it is, for people: `a loopback address`.
    pub why: &'static str,
}

/// The rules: what is special is refused, but for the ranges that an administrator allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressRules {
    allowed: Vec<IpNet>,
}

impl EgressRules {
    /// Rules with these ranges allowed.
    pub fn allowing(ranges: Vec<IpNet>) -> Self {
        Self { allowed: ranges }
    }

    /// Rules from CIDR texts, for example `10.0.0.0/8`.
    pub fn parse<'t>(ranges: impl IntoIterator<Item = &'t str>) -> Result<Self, Invalid> {
        let read = |text: &str| {
            text.parse::<IpNet>().map_err(|_| {
                Invalid::new(
                    "invalid_range",
                    format!("`{}` is not a range of addresses.", text.escape_debug()),
                    "Write a CIDR range, for example `10.0.0.0/8` or `fd00::/8`.",
                )
            })
        };
        Ok(Self { allowed: ranges.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// May we connect to this address?
    pub fn check(&self, address: IpAddr) -> Result<(), Denied> {
        // `::ffff:10.0.0.1` is another spelling of 10.0.0.1: the connection goes there.
        let address = address.to_canonical();
        match special(address) {
            Some(why) if !self.allowed.iter().any(|range| range.contains(&address)) => Err(Denied { address, why }),
            _ => Ok(()),
        }
    }
}

/// What is special about the address; `None`: it is a public one.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => V4.iter().find(|(range, _)| range.contains(&address)).map(|(_, why)| *why),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [_, a, b, _, _, _, y, z] = address.segments();
    let embedded = match () {
        () if SIX_TO_FOUR.contains(&address) => Some(in_two(a, b)),
        () if NAT64.contains(&address) => Some(in_two(y, z)),
        () => None,
    };
    if let Some(embedded) = embedded {
        return special(IpAddr::V4(embedded)).map(|_| "an IPv6 address that stands for a special IPv4 address");
    }
    let named = V6.iter().find(|(range, _)| range.contains(&address)).map(|(_, why)| *why);
    named.or((!GLOBAL.contains(&address)).then_some("a reserved address"))
}

fn in_two(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests;
