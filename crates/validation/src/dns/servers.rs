//! Which DNS server is asked about which name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where the system names its servers.
const SYSTEM: &str = "/etc/resolv.conf";
/// Servers of a list that are asked.
const MOST: usize = 3;
/// Bytes of that file that are read.
const FILE: usize = 64 << 10;

/// DNS servers: some for everything, and others for zones (split DNS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    given: Vec<SocketAddr>,
    zones: Vec<(String, Vec<SocketAddr>)>,
    file: PathBuf,
}

impl Default for Servers {
    fn default() -> Self {
        Self { given: Vec::new(), zones: Vec::new(), file: PathBuf::from(SYSTEM) }
    }
}

impl Servers {
    /// These for everything; none: the system's (`/etc/resolv.conf`, read anew for each question).
    pub fn new(given: Vec<SocketAddr>) -> Self {
        Self { given, ..Self::default() }
    }

    /// These for the zone (without a leading or final dot) and what lies under it.
    #[must_use]
    pub fn with_zone(mut self, zone: &str, servers: Vec<SocketAddr>) -> Self {
        self.zones.push((zone.trim_matches('.').to_ascii_lowercase(), servers));
        self
    }

    /// The servers for a name: those of the longest zone that it lies in.
    pub(crate) async fn of(&self, name: &str) -> Vec<SocketAddr> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let within = |zone: &str| match name.strip_suffix(zone) {
            Some(rest) => rest.is_empty() || rest.ends_with('.'),
            None => false,
        };
        let zone = self.zones.iter().filter(|(zone, _)| within(zone)).max_by_key(|(zone, _)| zone.len());
        let mut found = match zone {
            Some((_, servers)) => servers.clone(),
            None if !self.given.is_empty() => self.given.clone(),
            None => system(&tokio::fs::read(&self.file).await.unwrap_or_default()),
        };
        found.truncate(MOST);
        found
    }
}

/// The servers that resolv.conf(5) names; this machine where it names none.
fn system(file: &[u8]) -> Vec<SocketAddr> {
    let text = String::from_utf8_lossy(file.get(..FILE).unwrap_or(file)).into_owned();
    let servers: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next()?.parse::<IpAddr>().ok()).flatten()
        })
        .map(|address| SocketAddr::new(address, 53))
        .collect();
    if servers.is_empty() { vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53)] } else { servers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// DN4: per deployment.
    #[tokio::test]
    async fn dn4_the_longest_zone_wins_and_whole_labels_count() {
        let servers = Servers::new(vec![at("192.0.2.1:53")])
            .with_zone("corp.example.", vec![at("10.0.0.1:53")])
            .with_zone("lab.corp.example", vec![at("10.0.0.2:5353")]);
        for (name, expected) in [
            ("www.example.", "192.0.2.1:53"),
            ("corp.example.", "10.0.0.1:53"),
            ("_acme-challenge.WWW.Corp.Example", "10.0.0.1:53"),
            ("a.lab.corp.example.", "10.0.0.2:5353"),
            ("notcorp.example", "192.0.2.1:53"),
        ] {
            assert_eq!(servers.of(name).await, [at(expected)], "{name}");
        }
    }

    #[tokio::test]
    async fn dn4_the_systems_servers_are_read_from_its_file_and_bounded() {
        let text = "# a comment\nsearch corp.example\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\n nameserver ::1\n";
        assert_eq!(system(text.as_bytes()), [at("10.0.0.1:53"), at("[::1]:53")]);
        assert_eq!(system(b""), [at("127.0.0.1:53")]);
        let many = Servers::new(vec![at("192.0.2.1:53"); 9]);
        assert_eq!(many.of("www.example").await.len(), MOST);
    }
}
