//! The CSR of a CA of ours whose certificate is issued elsewhere.

use crate::frame::{RequestInfo, Signed, spki_parts};
use crate::key::{self, VerificationKey};
use crate::prepare::{Recorder, constraints_extension, usage_purposes};
use crate::{Error, contents::usage_bit, csr, name};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::constraints::NameConstraints;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::signature_fits;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName as RcgenName, IsCa};

/// The exact bytes of a CSR of ours that are to be signed (for `SUBORDINATE_EXTERNAL`): subject, key, and requested
/// basicConstraints, keyUsage and nameConstraints. Used once.
#[derive(Debug)]
pub struct PreparedCsr {
    info: Vec<u8>,
    subject: DistinguishedName,
    public_key: PublicKey,
    key: VerificationKey,
}

/// Builds a CA's CSR.
pub fn prepare_ca_csr(
    subject: &DistinguishedName,
    public_key: &PublicKey,
    path_length: Option<u8>,
    name_constraints: Option<&NameConstraints>,
    signature_algorithm: SignatureAlgorithm,
) -> Result<PreparedCsr, Error> {
    let broken = |at: crate::tlv::Malformed| Error::SelfCheck(format!("the built CSR is malformed: {}", at.0));
    if !signature_fits(public_key, signature_algorithm) {
        return Err(Error::SelfCheck(format!("{signature_algorithm} does not fit the key")));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = RcgenName::new();
    params.is_ca = IsCa::Ca(path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
    params.key_usages = usage_purposes(usage_bit::KEY_CERT_SIGN | usage_bit::CRL_SIGN | usage_bit::DIGITAL_SIGNATURE);
    if let Some(constraints) = name_constraints {
        params.custom_extensions.push(constraints_extension(constraints)?);
    }
    let (_, bits) = spki_parts(&public_key.spki).map_err(broken)?;
    let recorder = Recorder::of(bits, signature_algorithm);
    params.serialize_request(&recorder)?;
    let info = RequestInfo::splice(&recorder.into_recorded(), &name::encode(subject)).map_err(broken)?;
    if RequestInfo::read(&info).map_err(broken)?.spki != public_key.spki {
        return Err(Error::SelfCheck("the CSR's public key is not the one given".to_owned()));
    }
    let key = VerificationKey::new(public_key, signature_algorithm)?;
    Ok(PreparedCsr { info, subject: subject.clone(), public_key: public_key.clone(), key })
}

impl PreparedCsr {
    /// The bytes to be signed.
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// Puts the signature on, reads the CSR back and verifies it; returns the DER CSR.
    pub fn finish(self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let algorithm = key::signature_identifier(self.key.algorithm());
        let der = Signed { body: &self.info, algorithm, signature }.write();
        let read = csr::read_der(der).map_err(|invalid| Error::SelfCheck(invalid.detail))?;
        if read.subject != self.subject || read.public_key != self.public_key || !read.asks_for_ca {
            return Err(Error::SelfCheck("the CSR does not say what was asked for".to_owned()));
        }
        Ok(read.der)
    }
}
