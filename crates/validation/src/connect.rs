//! The way to an address that somebody else named: looked up once, judged, and connected to as it was judged.

use crate::dns::{Data, Kind, LookupError, Resolve};
use crate::limits::Limits;
use certwright_domain::acme::{Failure, FailureKind};
use certwright_domain::egress::{Denied, EgressRules};
use certwright_domain::http_url::Host;
use certwright_domain::san::San;
use ipnet::IpNet;
use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Looks up, judges, connects.
pub(crate) struct Way {
    resolver: Arc<dyn Resolve>,
    rules: EgressRules,
    own: Vec<SocketAddr>,
    limits: Limits,
}

/// A connection, and what it took.
pub(crate) struct Connected {
    /// The connection.
    pub(crate) stream: TcpStream,
    /// Where it goes, for failures.
    pub(crate) place: Place,
}

/// Where a connection goes, and which addresses did not answer before.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    address: SocketAddr,
    before: Vec<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        if self.before.is_empty() { Ok(()) } else { write!(f, " (after {})", self.before.join(", ")) }
    }
}

/// The host of an identifier: a name without `*.`, or an address.
pub(crate) fn host_of(identifier: &San) -> Result<Host, Failure> {
    match identifier {
        San::Dns(name) if !name.is_wildcard() => Ok(Host::Name(name.as_str().to_owned())),
        San::Ip(address) => Ok(Host::Ip(address.to_canonical())),
        _ => Err(Failure::new(FailureKind::Unauthorized, format!("{identifier} cannot be connected to."))),
    }
}

impl Way {
    pub(crate) fn new(resolver: Arc<dyn Resolve>, rules: EgressRules, own: Vec<SocketAddr>, limits: Limits) -> Self {
        Self { resolver, rules, own, limits }
    }

    pub(crate) fn resolver(&self) -> &dyn Resolve {
        &*self.resolver
    }

    /// Connects to the host: IPv6 addresses first, then IPv4, of those that the rules or the directory allow.
    pub(crate) async fn open(&self, host: &Host, port: u16, allowed: &[IpNet]) -> Result<Connected, Failure> {
        let (addresses, mut before) = self.permitted(host, allowed).await?;
        for address in addresses {
            let address = SocketAddr::new(address, port);
            match self.connect(address).await {
                Ok(stream) => return Ok(Connected { stream, place: Place { address, before } }),
                Err(why) => before.push(format!("{address} {why}")),
            }
        }
        Err(Failure::new(FailureKind::Connection, format!("Nobody can be reached as {host}: {}.", before.join(", "))))
    }

    /// Addresses of the host that we may connect to, in the order in which they are tried; and which look-up failed.
    ///
    /// Each is judged for itself: names of private networks often have an address of both worlds, and the connection goes
    /// to one that passed, never to another. What was refused is not named, only its kind.
    async fn permitted(&self, host: &Host, allowed: &[IpNet]) -> Result<(Vec<IpAddr>, Vec<String>), Failure> {
        let (six, four, failed) = match host {
            Host::Ip(address) => (vec![*address], Vec::new(), Vec::new()),
            Host::Name(name) => self.addresses(name).await?,
        };
        let further = EgressRules::allowing(allowed.to_vec());
        let mut kinds: Vec<&'static str> = Vec::new();
        let mut passing = |addresses: Vec<IpAddr>| -> Vec<IpAddr> {
            let judge = |address: &IpAddr| match self.rules.check(*address).or_else(|_| further.check(*address)) {
                Ok(()) => true,
                Err(Denied { why, .. }) => {
                    if !kinds.contains(&why) {
                        kinds.push(why);
                    }
                    false
                }
            };
            addresses.into_iter().filter(judge).take(self.limits.addresses).collect()
        };
        let permitted = [passing(six), passing(four)].concat();
        if permitted.is_empty() {
            let detail = format!("This server does not connect to {host}: its address is {}.", kinds.join(", or "));
            return Err(Failure::new(FailureKind::Connection, detail));
        }
        Ok((permitted, failed))
    }

    /// IPv6 and IPv4 addresses of a name. One of the two look-ups may fail.
    async fn addresses(&self, name: &str) -> Result<(Vec<IpAddr>, Vec<IpAddr>, Vec<String>), Failure> {
        let (six, four) = tokio::join!(self.resolver.lookup(name, Kind::Aaaa), self.resolver.lookup(name, Kind::A));
        let unusable = |six: LookupError, four: LookupError| {
            let detail = if six == four {
                format!("The address of {name} cannot be looked up (AAAA and A): {six}.")
            } else {
                format!("The address of {name} cannot be looked up: AAAA: {six}; A: {four}.")
            };
            Failure::new(FailureKind::Dns, detail)
        };
        match (six, four) {
            (Err(six), Err(four)) => Err(unusable(six, four)),
            (six, four) => {
                let failures = [("AAAA", &six), ("A", &four)].into_iter().filter_map(|(kind, found)| match found {
                    Err(error) if !error.is_absence() => Some(format!("its {kind} records: {error}")),
                    _ => None,
                });
                let failures = failures.collect();
                Ok((only(six, IpAddr::is_ipv6), only(four, IpAddr::is_ipv4), failures))
            }
        }
    }

    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, &'static str> {
        const OURS: &str = "is a listener of this server";
        let port = address.port();
        let mine =
            |ip: IpAddr| self.own.iter().any(|own| own.port() == port && (own.ip() == ip || own.ip().is_unspecified()));
        let ip = address.ip().to_canonical();
        if self.own.contains(&SocketAddr::new(ip, port)) || (ip.is_loopback() && mine(ip)) {
            return Err(OURS);
        }
        let stream = match timeout(self.limits.connect, TcpStream::connect(address)).await {
            Err(_) => return Err("did not answer"),
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => return Err("refused the connection"),
            Ok(Err(_)) => return Err("cannot be reached"),
            Ok(Ok(stream)) => stream,
        };
        // A connection with the same address on both ends stays on this machine; nothing has been sent yet.
        match stream.local_addr() {
            Ok(local) if local.ip().to_canonical() == ip && mine(ip) => Err(OURS),
            Ok(_) => Ok(stream),
            Err(_) => Err("cannot be reached"),
        }
    }
}

fn only(found: Result<Vec<Data>, LookupError>, family: fn(&IpAddr) -> bool) -> Vec<IpAddr> {
    let address = |data| match data {
        Data::Address(address) if family(&address) => Some(address),
        _ => None,
    };
    found.unwrap_or_default().into_iter().filter_map(address).collect()
}
