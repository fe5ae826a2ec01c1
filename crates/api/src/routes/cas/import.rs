//! CAs brought along with their keys, as bodies tell of them.

use super::parse::{reference, signature_algorithm};
use crate::parse::Faults;
use crate::problem::Problem;
use certwright_app::{App, Brought, Error, ImportCa, ImportedCertificate, Pointed};
use certwright_domain::known_serial::{KnownSerial, Place, parse_known_serials};
use certwright_domain::secret::SecretBytes;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;

/// Key and certificates, or what is wrong with them.
pub(super) type Read = Result<ImportedCertificate, Vec<Pointed>>;

/// Takes key and certificates out of a body and reads them.
pub(super) async fn read(app: &App, body: &mut wire::NewCa) -> Result<Read, Problem> {
    let secret = |text: Option<wire::SecretText>| text.map(|text| SecretBytes::new(text.expose().as_bytes().to_vec()));
    let brought = Brought {
        certificate: secret(body.certificate.take()),
        chain: body.chain.take().map(String::into_bytes),
        private_key: secret(body.private_key.take()),
        passphrase: secret(body.passphrase.take()),
        pkcs12: secret(body.pkcs12.take()),
        password: secret(body.password.take()),
    };
    match app.read_brought(brought).await {
        Ok(read) => Ok(Ok(read)),
        Err(Error::Invalid(faults)) => Ok(Err(faults)),
        Err(other) => Err(other.into()),
    }
}

/// The rest of what an import needs.
pub(super) fn imported(faults: &mut Faults, body: wire::NewCa, brought: Option<Read>) -> Option<ImportCa> {
    let vault = reference(faults, "/vault", body.vault.as_deref());
    let key = faults.required("/key", body.key.as_deref()).and_then(|key| faults.name("/key", key));
    let signature_algorithm = signature_algorithm(faults, &body);
    let brought = match brought? {
        Ok(brought) => Some(brought),
        Err(found) => {
            found.into_iter().for_each(|one| faults.note(one.pointer, one.invalid));
            None
        }
    };
    let known_serials = known_serials(faults, &body);
    let crl_number = body.crl_number.map(|number| i64::try_from(number).map_err(|_| too_large(number)));
    let crl_number = faults.take("/crlNumber", crl_number.transpose());
    let parts = vault.zip(key).zip(brought.zip(signature_algorithm)).zip(known_serials.zip(crl_number));
    parts.map(|(((vault, key), (brought, signature_algorithm)), (known_serials, crl_number))| ImportCa {
        vault,
        key,
        brought,
        signature_algorithm,
        known_serials,
        crl_number,
    })
}

fn known_serials(faults: &mut Faults, body: &wire::NewCa) -> Option<Vec<KnownSerial>> {
    let list = body.used_serials.as_deref().unwrap_or_default();
    match parse_known_serials(list, body.openssl_index.as_deref().unwrap_or_default()) {
        Ok(known) => Some(known),
        Err((Place::List(number), invalid)) => {
            faults.note(format!("/usedSerials/{number}"), invalid);
            None
        }
        Err((Place::Line(number), invalid)) => {
            let detail = format!("Line {number}: {}", invalid.detail);
            faults.note("/opensslIndex", Invalid { detail, ..invalid });
            None
        }
    }
}

fn too_large(number: u64) -> Invalid {
    Invalid::new(
        "invalid_crl_number",
        format!("The number {number} of a revocation list is too large."),
        "Give a number below 2^63, in decimal; the `crlnumber` file of openssl is hexadecimal.",
    )
}
