//! tls-alpn-01 (RFC 8737; RFC 8738 section 6 for addresses).

use crate::Settings;
use crate::connect::{Connected, Way, host_of};
use aws_lc_rs::digest::{SHA256, digest};
use certwright_app::ChallengeCheck;
use certwright_domain::acme::{Failure, FailureKind};
use certwright_domain::http_url::Host;
use certwright_pki::tls_alpn::check;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The application protocol, and the only one that is offered.
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Shakes hands, judges the certificate, and hangs up without a byte of data.
pub(crate) async fn look(
    way: &Way,
    settings: &Settings,
    tls: &Arc<ClientConfig>,
    look: &ChallengeCheck<'_>,
) -> Result<(), Failure> {
    let host = host_of(look.identifier)?;
    let asked = match &host {
        Host::Name(name) => name.clone(),
        Host::Ip(address) => reverse_name(*address),
    };
    let name = ServerName::try_from(asked).map_err(|_| {
        Failure::new(FailureKind::Tls, format!("tls-alpn-01: {host} is not a name that TLS can ask for."))
    })?;
    let Connected { stream, place } = way.open(&host, settings.tls_port, look.allowed).await?;
    let failure = |kind, what: &str| Failure::new(kind, format!("tls-alpn-01: {host} at {place} {what}."));
    let shaken = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    let mut stream = match timeout(settings.limits.connect, shaken).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(failure(FailureKind::Tls, why(&error))),
        Err(_) => return Err(failure(FailureKind::Tls, "did not finish the TLS handshake")),
    };
    let (_, session) = stream.get_ref();
    let verdict = if session.alpn_protocol() != Some(PROTOCOL) {
        Err(failure(FailureKind::Unauthorized, "did not choose the protocol acme-tls/1"))
    } else {
        match session.peer_certificates() {
            Some([certificate]) => {
                let expected = digest(&SHA256, look.key_authorization.as_bytes());
                check(certificate, look.identifier, expected.as_ref())
                    .map_err(|wrong| failure(FailureKind::Unauthorized, wrong.as_str()))
            }
            _ => Err(failure(FailureKind::Unauthorized, "showed more than one certificate")),
        }
    };
    // The verdict stands; a peer that does not let us go politely is left without a word.
    let _ = timeout(settings.limits.connect, stream.shutdown()).await;
    verdict
}

/// Why a handshake failed, in words of ours.
fn why(error: &std::io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)) => {
            "does not speak the protocol acme-tls/1"
        }
        Some(rustls::Error::AlertReceived(_)) => "refused the TLS handshake with an alert",
        Some(rustls::Error::PeerIncompatible(_)) => "speaks neither TLS 1.2 nor TLS 1.3 as we do",
        Some(rustls::Error::InvalidCertificate(_)) => "showed a certificate whose key did not sign the handshake",
        Some(_) => "does not speak TLS as it should",
        None => "broke the TLS handshake off",
    }
}

/// The name that stands for an address (RFC 8738 section 6): `1.2.0.192.in-addr.arpa`.
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let digits = address.octets().into_iter().rev();
            let labels: String = digits.map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4)).collect();
            format!("{labels}ip6.arpa")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::reverse_name;

    /// TA1: what stands in SNI for an address.
    #[test]
    fn ta1_addresses_are_asked_for_by_their_reverse_names() {
        assert_eq!(reverse_name("192.0.2.1".parse().unwrap()), "1.2.0.192.in-addr.arpa");
        assert_eq!(
            reverse_name("2001:db8::567:89ab".parse().unwrap()),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
