//! Where we may connect to when somebody else names the address: which addresses are refused, and which of those an
//! administrator allows after all.
//!
//! A name is looked up once, every address it has is judged here, and the connection goes to one that passed: what the
//! name says a moment later does not matter.
//!
//! Some addresses nobody allows: what is behind them answers whoever is on the same link or the same machine, with the rights of that
//! machine (the metadata services of clouds give away its credentials), and is nobody's server. A range may be wide enough to
//! have them in it; they are refused all the same, in whatever form they are written.

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

/// IPv4 addresses that are never connected to, whatever an administrator allows.
const NEVER_V4: &[(Ipv4Net, &str)] = &[
    // `connect` to it goes to this very machine on Linux.
    (v4([0, 0, 0, 0], 8), "an unspecified address"),
    (v4([169, 254, 0, 0], 16), LINK_LOCAL),
    (v4([224, 0, 0, 0], 4), "a multicast address"),
    (v4([255, 255, 255, 255], 32), "a broadcast address"),
    // Metadata services outside of the link-local range: Alibaba, Oracle, Azure (a public address, but the host's).
    (v4([100, 100, 100, 200], 32), METADATA),
    (v4([192, 0, 0, 192], 32), METADATA),
    (v4([168, 63, 129, 16], 32), METADATA),
];

/// IPv6: the same.
const NEVER_V6: &[(Ipv6Net, &str)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "an unspecified address"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), LINK_LOCAL),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
    // Inside of the private addresses: the services of AWS, the metadata service of Google.
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), METADATA),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), METADATA),
];
const LINK_LOCAL: &str = "a link-local address";
const STANDS_FOR: &str = "an IPv6 address that stands for a special IPv4 address";
const METADATA: &str = "an address of a cloud's metadata service";

/// Loopback is allowed by ranges of its own alone: it is not what somebody means who allows everything.
const LOOPBACK: [IpNet; 2] = [IpNet::V4(v4([127, 0, 0, 0], 8)), IpNet::V6(v6([0, 0, 0, 0, 0, 0, 0, 1], 128))];

/// The part of IPv6 that is given out for use on the internet.
const GLOBAL: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// 6to4: the IPv4 address is in bits 16 to 47.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);
/// NAT64: the IPv4 address is in the last 32 bits.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
/// NAT64 of a network's own (RFC 8215): where the IPv4 address is depends on a prefix that we do not know (RFC 6052 section 2.2).
const LOCAL_NAT64: Ipv6Net = v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48);
/// Teredo: the client's IPv4 address is in the last 32 bits, inverted.
const TEREDO: Ipv6Net = v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32);
/// IPv4-mapped: another spelling of the IPv4 address.
const MAPPED: Ipv6Net = v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96);
/// IPv4-compatible and IPv4-translated: the IPv4 address is in the last 32 bits.
const OLD_FORMS: [Ipv6Net; 2] = [v6([0; 8], 96), v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96)];

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
            let range = text.parse::<IpNet>().map_err(|_| {
                Invalid::new(
                    "invalid_range",
                    format!("`{}` is not a range of addresses.", text.escape_debug()),
                    "Write a CIDR range, for example `10.0.0.0/8` or `fd00::/8`.",
                )
            })?;
            allowable(range)
        };
        Ok(Self { allowed: ranges.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// May we connect to this address?
    pub fn check(&self, address: IpAddr) -> Result<(), Denied> {
        // `::ffff:10.0.0.1` is another spelling of 10.0.0.1: the connection goes there.
        let address = address.to_canonical();
        if let Some((_, why)) = never(address) {
            return Err(Denied { address, why });
        }
        let home = LOOPBACK.iter().find(|home| home.contains(&address));
        let allows = |range: &IpNet| range.contains(&address) && home.is_none_or(|home| home.contains(range));
        match special(address) {
            Some(why) if !self.allowed.iter().any(allows) => Err(Denied { address, why }),
            _ => Ok(()),
        }
    }
}

/// A range that an administrator may allow. One in which there is nothing that is ever connected to says that somebody expects
/// something else. Wider ones may have such addresses in them: they stay refused.
pub fn allowable(range: IpNet) -> Result<IpNet, Invalid> {
    if let IpNet::V6(mapped) = range
        && MAPPED.contains(&mapped)
    {
        let hint = "Write it as IPv4: `10.0.0.0/8`, not `::ffff:10.0.0.0/104`.";
        return Err(Invalid::new(
            "invalid_range",
            format!("`{range}` is a range of IPv4 addresses written as IPv6."),
            hint,
        ));
    }
    // Both ends in one block, so everything between them is.
    match (never(range.network()), never(range.broadcast())) {
        (Some((block, why)), Some((other, _))) if block == other => Err(Invalid::new(
            "range_never_allowed",
            format!(
                "`{range}` cannot be allowed: this server connects to no address of {block} ({why}), whatever is listed."
            ),
            "Leave it out. Private ranges (`10.0.0.0/8`, `fd00::/8`) and loopback (`127.0.0.0/8`, `::1/128`) can be allowed.",
        )),
        _ => Ok(range),
    }
}

/// Why the address is never connected to, and the block that it is in; `None`: it depends on what is allowed.
fn never(address: IpAddr) -> Option<(IpNet, &'static str)> {
    match address.to_canonical() {
        IpAddr::V4(address) => never_v4(address),
        IpAddr::V6(address) => {
            let own = NEVER_V6.iter().find(|(range, _)| range.contains(&address));
            let own = own.map(|(range, why)| (IpNet::V6(*range), *why));
            own.or_else(|| inside(address).into_iter().flatten().find_map(never_inside))
        }
    }
}

fn never_v4(address: Ipv4Addr) -> Option<(IpNet, &'static str)> {
    NEVER_V4.iter().find(|(range, _)| range.contains(&address)).map(|(range, why)| (IpNet::V4(*range), *why))
}

/// The same of an address that an IPv6 address stands for. This machine is not reached by a detour: whoever allows loopback
/// names it.
fn never_inside(inner: Ipv4Addr) -> Option<(IpNet, &'static str)> {
    let home = LOOPBACK.into_iter().find(|home| home.contains(&IpAddr::V4(inner)));
    let block = home.or_else(|| never_v4(inner).map(|(block, _)| block))?;
    Some((block, STANDS_FOR))
}

/// The IPv4 addresses that an IPv6 address may stand for, other than as another spelling.
fn inside(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let [_, a, b, ..] = address.segments();
    let [.., f, g, _, i, j, k, l, m, n, o] = address.octets();
    let last = Ipv4Addr::new(l, m, n, o);
    let one = |inner| [Some(inner), None, None, None];
    if SIX_TO_FOUR.contains(&address) {
        return one(in_two(a, b));
    }
    if TEREDO.contains(&address) {
        return one(Ipv4Addr::from_bits(!last.to_bits()));
    }
    if LOCAL_NAT64.contains(&address) {
        // Behind prefixes of 96, 64, 56 and 48 bits; bits 64 to 71 are none of the address.
        let may_be = [last, Ipv4Addr::new(i, j, k, l), Ipv4Addr::new(g, i, j, k), Ipv4Addr::new(f, g, i, j)];
        // One that begins with zeros is the rest of a longer prefix.
        return may_be.map(|inner| Some(inner).filter(|inner| inner.to_bits() >> 24 != 0));
    }
    // `::1` is loopback itself, which may be named.
    let plain = NAT64.contains(&address) || OLD_FORMS.iter().any(|form| form.contains(&address));
    if plain && !address.is_loopback() { one(last) } else { [None; 4] }
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
        return special(IpAddr::V4(embedded)).map(|_| STANDS_FOR);
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
