//! Settings of ACME: how proofs of control are looked at, and limits.

use super::{Judge, Raw};
use crate::config::values::{self, Wrong};
use certwright_app::AcmeLimits;
use certwright_domain::egress::EgressRules;
use certwright_domain::rate::Rate;
use certwright_domain::san::DnsName;
use certwright_validation::dns::Servers;
use std::net::{IpAddr, SocketAddr};

/// Servers of one list.
const SERVERS: usize = 3;

/// Settings of ACME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acme {
    /// Port of http-01.
    pub(crate) http_port: u16,
    /// Port of tls-alpn-01.
    pub(crate) tls_port: u16,
    /// DNS servers.
    pub(crate) servers: Servers,
    /// Where validation may connect to, whatever a directory says.
    pub(crate) rules: EgressRules,
    /// How much accounts, addresses and names may ask for.
    pub(crate) limits: AcmeLimits,
}

pub(super) fn acme(raw: &Raw, judge: &mut Judge<'_>) -> Option<Acme> {
    let mut port = |path: &str, setting| {
        judge.count(path, setting, 1, u64::from(u16::MAX)).and_then(|port| u16::try_from(port).ok())
    };
    let http_port = port("acme.http_port", &raw.acme_http_port);
    let tls_port = port("acme.tls_port", &raw.acme_tls_port);
    let mut most = |path: &str, setting, least| {
        judge.count(path, setting, least, u64::from(u32::MAX)).and_then(|count| u32::try_from(count).ok())
    };
    let orders = most("acme.orders_per_account_and_hour", &raw.acme_orders_per_account_and_hour, 0);
    let accounts = most("acme.accounts_per_address_and_hour", &raw.acme_accounts_per_address_and_hour, 0);
    let failures = most("acme.failed_proofs_per_name_and_hour", &raw.acme_failed_proofs_per_name_and_hour, 0);
    let pending = most("acme.pending_proofs_per_account", &raw.acme_pending_proofs_per_account, 1);
    let given: Option<Vec<SocketAddr>> = judge.list("acme.dns_servers", &raw.acme_dns_servers, dns_server);
    if given.as_ref().is_some_and(|given| given.len() > SERVERS) {
        judge.fault("acme.dns_servers", &raw.acme_dns_servers, too_many());
    }
    let ranges: Option<Vec<String>> =
        judge.list("acme.allowed_private_ranges", &raw.acme_allowed_private_ranges, |text| {
            EgressRules::parse([text]).map(|_| text.to_owned()).map_err(|invalid| (invalid.detail, invalid.hint))
        });
    let mut servers = Servers::new(given?);
    for (zone, addresses) in raw.acme_zones.value.iter().flatten() {
        match zone_servers(zone, addresses) {
            Ok((zone, addresses)) => servers = servers.with_zone(&zone, addresses),
            Err(wrong) => judge.fault("acme.zones", &raw.acme_zones, wrong),
        }
    }
    let rules = EgressRules::parse(ranges?.iter().map(String::as_str)).ok()?;
    let limits = AcmeLimits {
        orders_per_account: Rate::per_hour(orders?),
        accounts_per_address: Rate::per_hour(accounts?),
        failures_per_name: Rate::per_hour(failures?),
        pending_authorizations: pending?,
    };
    Some(Acme { http_port: http_port?, tls_port: tls_port?, servers, rules, limits })
}

fn zone_servers(zone: &str, addresses: &[String]) -> Result<(String, Vec<SocketAddr>), Wrong> {
    // A zone may be a whole top-level domain (`corp`), which is no name that a certificate can be for.
    let label = |label: &str| DnsName::parse(&format!("{label}.example")).is_ok_and(|name| !name.is_wildcard());
    let plain = zone.trim_end_matches('.');
    if plain.len() > 253 || !plain.split('.').all(label) {
        let detail = format!("`{}` is not a DNS zone.", zone.escape_debug());
        return Err((detail, "Write for example `\"corp.example\" = [\"10.0.0.53\"]`.".to_owned()));
    }
    if addresses.is_empty() {
        let detail = format!("The zone `{plain}` has no servers.");
        return Err((detail, "Name at least one, or leave the zone out.".to_owned()));
    }
    if addresses.len() > SERVERS {
        return Err(too_many());
    }
    let addresses = addresses.iter().map(|text| dns_server(text)).collect::<Result<_, _>>()?;
    Ok((plain.to_owned(), addresses))
}

fn too_many() -> Wrong {
    ("There are more servers than are asked.".to_owned(), format!("Name at most {SERVERS} for one zone."))
}

/// An address, with a port or without (53).
fn dns_server(text: &str) -> Result<SocketAddr, Wrong> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, 53)),
        Err(_) => values::address(text).map_err(|(detail, _)| {
            (detail, "Write the address of a DNS server: `10.0.0.53`, `10.0.0.53:5353`, `[fd00::53]:53`.".to_owned())
        }),
    }
}
