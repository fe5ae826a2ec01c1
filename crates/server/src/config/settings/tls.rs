//! Settings of our own listener's certificate.

use super::super::values;
use super::{Judge, Raw, TlsSource, path};
use std::net::IpAddr;

/// What would be said for nothing. The certificate of an operator that is not shown to anybody is not what was meant.
pub(super) fn unused(raw: &Raw, insecure: bool, judge: &mut Judge<'_>) {
    let files = [("tls.certificate", &raw.tls_certificate), ("tls.key", &raw.tls_key)];
    let given = || files.into_iter().filter(|(_, setting)| setting.value.is_some());
    let without_tls = || ("The API is served without TLS: `insecure_http` is on.".to_owned(), LEAVE_OUT.to_owned());
    if insecure {
        given().for_each(|(path, setting)| judge.fault(path, setting, without_tls()));
    }
    if raw.tls_names.value.as_ref().is_some_and(|names| !names.is_empty()) {
        if insecure {
            judge.fault("tls.names", &raw.tls_names, without_tls());
        } else if given().count() == files.len() {
            let wrong = "It is for the certificate of the service CA; `tls.certificate` has its own names.".to_owned();
            judge.fault("tls.names", &raw.tls_names, (wrong, LEAVE_OUT.to_owned()));
        }
    }
}

/// What helps when two settings exclude one another.
const LEAVE_OUT: &str = "Leave one of them out.";

/// The operator's own certificate and key: both or neither.
pub(super) fn files(raw: &Raw, judge: &mut Judge<'_>) -> Option<Option<TlsSource>> {
    let certificate = judge.optional("tls.certificate", &raw.tls_certificate, path);
    let key = judge.optional("tls.key", &raw.tls_key, path);
    match (certificate?, key?) {
        (Some(certificate), Some(key)) => Some(Some(TlsSource::Files { certificate, key })),
        (None, None) => Some(None),
        (Some(_), None) => {
            let wrong = ("`tls.certificate` needs its key.".to_owned(), "Set both, or neither.".to_owned());
            judge.fault("tls.key", &raw.tls_key, wrong);
            None
        }
        (None, Some(_)) => {
            let wrong = ("`tls.key` needs its certificate.".to_owned(), "Set both, or neither.".to_owned());
            judge.fault("tls.certificate", &raw.tls_certificate, wrong);
            None
        }
    }
}

/// The names of the service CA's certificate: localhost, the public host, the address, this machine, and the wishes.
pub(super) fn names(listen: IpAddr, public_host: &str, extra: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1", public_host].map(str::to_owned).to_vec();
    if !values::means_this_machine(listen) {
        names.push(listen.to_string());
    }
    names.extend(values::machine_name());
    names.extend(extra);
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}
