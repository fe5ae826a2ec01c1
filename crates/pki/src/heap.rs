//! Files as people have them: certificates in any order, a key among them, PKCS#7.

use crate::certificate::{Certificate, read_certificate};
use crate::{Error, pem, pkcs7};
use certwright_domain::secret::SecretText;
use certwright_domain::violation::Invalid;

/// Most bytes of a file that is taken apart.
const MAX_BYTES: usize = 4 * 1024 * 1024;

const WANTED: &str = "a certificate or private key";

/// What a file holds.
pub struct Heap {
    /// Certificates in the order of the file, each of them once.
    pub certificates: Vec<Certificate>,
    /// The one private key: its PEM block as it stands there, perhaps encrypted. The key store reads it.
    pub private_key: Option<SecretText>,
}

/// Takes a file apart: PEM blocks of certificates, PKCS#7 and at most one private key in any order, or DER of one
/// certificate or of PKCS#7. Text around the blocks and EC parameters are passed over; at most `most` certificates. A blank text holds nothing.
pub fn read_heap(bytes: &[u8], most: usize) -> Result<Heap, Error> {
    if bytes.len() > MAX_BYTES {
        let detail = format!("The file has {} bytes, {MAX_BYTES} are allowed.", bytes.len());
        return Err(Invalid::new("too_large", detail, "Send fewer certificates.").into());
    }
    let mut heap = Heap { certificates: Vec::new(), private_key: None };
    if pem::is_der(bytes) {
        heap.add(bytes, most)?;
        return Ok(heap);
    }
    let text = pem::text(bytes, WANTED)?;
    for block in pem::blocks(text)? {
        match block.label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "PKCS7" | "CMS" => heap.add(&block.decode()?, most)?,
            label if label.ends_with("PRIVATE KEY") => heap.add_key(&block)?,
            "EC PARAMETERS" => {}
            other => return Err(pem::wrong_kind(other, WANTED).into()),
        }
    }
    if heap.certificates.is_empty() && heap.private_key.is_none() && !text.trim().is_empty() {
        return Err(pem::neither(WANTED).into());
    }
    Ok(heap)
}

impl Heap {
    fn add(&mut self, der: &[u8], most: usize) -> Result<(), Error> {
        let members = if pkcs7::looks_like(der) { pkcs7::certificates(der)? } else { vec![der.to_vec()] };
        for member in members {
            if self.certificates.iter().any(|known| known.der == member) {
                continue;
            }
            if self.certificates.len() >= most {
                let detail = format!("There are more than {most} certificates in the file.");
                return Err(Invalid::new("too_many_certificates", detail, "Leave out what is not needed.").into());
            }
            let place = self.certificates.len().saturating_add(1);
            self.certificates.push(read_certificate(&member).map_err(|error| number(error, place))?);
        }
        Ok(())
    }

    fn add_key(&mut self, block: &pem::Block<'_>) -> Result<(), Error> {
        if self.private_key.replace(block.to_pem()).is_some() {
            return Err(Invalid::new(
                "several_private_keys",
                "There are several private keys in the file.",
                "Give exactly one.",
            )
            .into());
        }
        Ok(())
    }
}

/// Says which certificate of the file it is.
fn number(error: Error, place: usize) -> Error {
    match error {
        Error::Invalid(invalid) => Error::Invalid(Invalid {
            detail: format!("Certificate {place} of the file: {}", invalid.detail),
            ..invalid
        }),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support;
    use crate::{to_pem, to_pkcs7};

    fn certificates() -> (Certificate, Certificate) {
        (support::root(&support::p256()), support::root(&support::p256()))
    }

    fn refusal(result: Result<Heap, Error>) -> Invalid {
        match result {
            Err(Error::Invalid(invalid)) => invalid,
            _ => panic!("not refused"),
        }
    }

    #[test]
    fn pem_in_any_order_is_taken_apart() {
        let (a, b) = certificates();
        let key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let text = [
            "subject=CN = b\n",
            &to_pem("CERTIFICATE", &b.der),
            &to_pem("EC PARAMETERS", &[6, 0]),
            key,
            &to_pem("X509 CERTIFICATE", &a.der),
            &to_pem("CERTIFICATE", &b.der),
        ]
        .concat();
        let heap = read_heap(text.as_bytes(), 2).unwrap();
        assert_eq!(heap.certificates, [b, a]);
        assert_eq!(heap.private_key.unwrap().expose(), key);
    }

    #[test]
    fn der_and_pkcs7_are_read() {
        let (a, b) = certificates();
        assert_eq!(read_heap(&a.der, 1).unwrap().certificates, std::slice::from_ref(&a));
        let both = to_pkcs7(&[&a.der, &b.der]).unwrap();
        assert_eq!(read_heap(&both, 2).unwrap().certificates.len(), 2);
        let pem = to_pem("PKCS7", &both) + &to_pem("CERTIFICATE", &a.der);
        assert_eq!(read_heap(pem.as_bytes(), 2).unwrap().certificates.len(), 2);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (a, b) = certificates();
        let two = to_pem("CERTIFICATE", &a.der) + &to_pem("CERTIFICATE", &b.der);
        assert_eq!(refusal(read_heap(two.as_bytes(), 1)).code, "too_many_certificates");
        let keys = to_pem("PRIVATE KEY", b"a") + &to_pem("ENCRYPTED PRIVATE KEY", b"b");
        assert_eq!(refusal(read_heap(keys.as_bytes(), 1)).code, "several_private_keys");
        let csr = refusal(read_heap(to_pem("CERTIFICATE REQUEST", b"a").as_bytes(), 1));
        assert!(
            csr.detail.contains("is a certificate request (CSR), not a certificate or private key"),
            "{}",
            csr.detail
        );
        assert_eq!(refusal(read_heap(b"nothing", 1)).code, "invalid_pem");
        assert!(read_heap(b" \n", 1).unwrap().certificates.is_empty());
        let second = to_pem("CERTIFICATE", &a.der) + &to_pem("CERTIFICATE", b"xx");
        assert!(refusal(read_heap(second.as_bytes(), 9)).detail.starts_with("Certificate 2 of the file: "));
    }
}
