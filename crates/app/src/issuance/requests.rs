//! What is asked for, as the rules take it.

use super::{IssueRequest, SignRequest, Subject};
use crate::Error;
use certwright_domain::profile::KeyHolder;
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::San;
use certwright_domain::validity::RequestedValidity;
use certwright_pki::{Csr, parse_csr};

/// Every name that the certificate would carry, wherever it would stand: among the alternative names as they would be certified,
/// and in the subject as it is written there.
pub(super) fn asked_names(request: &LeafRequest) -> Vec<String> {
    let of_subject = request.subject.names().map(str::to_owned);
    request.certified_names().iter().map(San::to_string).chain(of_subject).collect()
}

pub(super) fn service_request(request: IssueRequest, public_key: PublicKey) -> LeafRequest {
    LeafRequest {
        subject: request.subject.subject.unwrap_or_default(),
        names: request.subject.names.unwrap_or_default(),
        public_key,
        key_holder: KeyHolder::Service,
        validity: request.validity,
        asks_for_ca: false,
    }
}

pub(super) fn csr_request(request: SignRequest) -> Result<(LeafRequest, Vec<String>), Error> {
    let csr = read_csr(&request.csr)?;
    let ignored = csr.ignored_extensions.clone();
    Ok((csr_leaf(csr, request.subject, request.validity), ignored))
}

/// A CSR, its fault pointed at.
pub(crate) fn read_csr(bytes: &[u8]) -> Result<Csr, Error> {
    parse_csr(bytes).map_err(|error| match error {
        certwright_pki::Error::Invalid(invalid) => Error::invalid("/csr", invalid),
        other => other.into(),
    })
}

/// The request that a CSR comes to; subject and names given beside it replace its own.
pub(crate) fn csr_leaf(csr: Csr, wished: Subject, validity: RequestedValidity) -> LeafRequest {
    LeafRequest {
        subject: wished.subject.unwrap_or(csr.subject),
        names: wished.names.unwrap_or(csr.names),
        public_key: csr.public_key,
        key_holder: KeyHolder::Requester,
        validity,
        asks_for_ca: csr.asks_for_ca,
    }
}
