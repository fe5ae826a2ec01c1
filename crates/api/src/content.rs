//! Bodies that are not JSON: PEM, tar archives, CSV.

use crate::negotiate::Format;
use crate::problem::Problem;
use certwright_app::{Bundle, Error, Issued, to_pem, to_pkcs7};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::time::Timestamp;

/// Certificates as PEM, one after the other.
pub(crate) fn pem_chain<D: AsRef<[u8]>>(certificates: impl IntoIterator<Item = D>) -> String {
    certificates.into_iter().map(|der| to_pem("CERTIFICATE", der.as_ref())).collect()
}

/// Certificates as a certs-only PKCS#7.
pub(crate) fn pkcs7(certificates: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Problem> {
    let certificates: Vec<&[u8]> = certificates.iter().map(AsRef::as_ref).collect();
    to_pkcs7(&certificates).map_err(|error| Problem::from(Error::from(error)))
}

/// A CA bundle as a file; `None` for formats that are no files.
pub(crate) fn ca_bundle(format: Format, certificates: &[Vec<u8>]) -> Result<Option<Vec<u8>>, Problem> {
    match format {
        Format::Pem => Ok(Some(pem_chain(certificates).into_bytes())),
        Format::P7 => pkcs7(certificates).map(Some),
        Format::Json | Format::Der | Format::Tar | Format::Csv | Format::P12 | Format::Jks => Ok(None),
    }
}

/// What was issued, as one PEM text: the private key first (where we made it: nothing else holds it), then the chain.
pub(crate) fn issued_pem(issued: &Issued) -> Vec<u8> {
    let mut text = issued.private_key.as_ref().map_or(String::new(), |key| to_pem("PRIVATE KEY", key.expose()));
    text.push_str(&pem_chain(issued.chain()));
    text.into_bytes()
}

/// What was issued, as a tar archive: `cert.pem`, `chain.pem`, `ca.pem`, and `key.pem` (0600) where we made the key.
pub(crate) fn issued_tar(issued: &Issued, now: Timestamp) -> Result<Vec<u8>, Problem> {
    let mut files = vec![
        ("cert.pem", 0o644, to_pem("CERTIFICATE", &issued.row.certificate)),
        ("chain.pem", 0o644, pem_chain(issued.chain())),
        ("ca.pem", 0o644, issued.above.pem().to_owned()),
    ];
    if let Some(key) = &issued.private_key {
        files.push(("key.pem", 0o600, to_pem("PRIVATE KEY", key.expose())));
    }
    tar_of(&files, now).map_err(|error| Problem::internal(format!("writing a tar archive: {error}")))
}

/// A bundle as a tar archive: `cert.pem`, `chain.pem`, `ca.pem`, and `key.pem` (0600) where the key was asked for. The files
/// are as old as the version, so that the same version gives the same bytes.
pub(crate) fn bundle_tar(bundle: &Bundle, key_pem: Option<String>) -> Result<Vec<u8>, Problem> {
    let version = &bundle.version;
    let mut files = vec![
        ("cert.pem", 0o644, to_pem("CERTIFICATE", &version.certificate)),
        ("chain.pem", 0o644, pem_chain(bundle.chain())),
        ("ca.pem", 0o644, pem_chain(&version.chain)),
    ];
    files.extend(key_pem.map(|pem| ("key.pem", 0o600, pem)));
    tar_of(&files, version.created_at).map_err(|error| Problem::internal(format!("writing a tar archive: {error}")))
}

fn tar_of(files: &[(&str, u32, String)], now: Timestamp) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, mode, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(u64::try_from(now.unix_s()).unwrap_or(0));
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.into_inner()
}

/// First line of the inventory's CSV.
pub(crate) const CSV_HEADER: [&str; 18] = [
    "serial",
    "fingerprint",
    "status",
    "kind",
    "ca",
    "profile",
    "commonName",
    "subject",
    "names",
    "keyAlgorithm",
    "notBefore",
    "notAfter",
    "renewAt",
    "issuedAt",
    "requester",
    "requesterName",
    "revokedAt",
    "revocationReason",
];

/// Rows of the inventory as CSV lines, after the header where it is the beginning.
pub(crate) fn csv_rows(rows: &[IssuedCertificate], with_header: bool, now: Timestamp) -> Result<Vec<u8>, Problem> {
    write_csv(rows, with_header, now).map_err(|error| Problem::internal(format!("writing CSV: {error}")))
}

fn write_csv(rows: &[IssuedCertificate], with_header: bool, now: Timestamp) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if with_header {
        writer.write_record(CSV_HEADER)?;
    }
    for row in rows {
        let names: Vec<String> = row.names.iter().map(ToString::to_string).collect();
        let fields = [
            row.serial.to_string(),
            row.fingerprint.to_string(),
            row.status(now).to_string(),
            row.kind.to_string(),
            row.ca_name.clone(),
            row.profile.clone(),
            row.common_name.clone(),
            row.subject.clone(),
            names.join(" "),
            row.key_algorithm.clone(),
            row.validity.not_before().to_string(),
            row.validity.not_after().to_string(),
            row.renew_at.to_string(),
            row.issued_at.to_string(),
            row.requester.clone(),
            row.requester_name.clone(),
            row.revocation.map_or(String::new(), |revocation| revocation.at.to_string()),
            row.revocation.map_or(String::new(), |revocation| revocation.reason.to_string()),
        ];
        writer.write_record(fields.into_iter().map(harmless))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
}

/// A spreadsheet takes a cell that begins with one of these for a formula: an apostrophe in front makes it text.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_become_formulas() {
        for (cell, safe) in
            [("=1+1", "'=1+1"), ("+a", "'+a"), ("-a", "'-a"), ("@a", "'@a"), ("\ta", "'\ta"), ("a=b", "a=b"), ("", "")]
        {
            assert_eq!(harmless(cell.to_owned()), safe);
        }
    }

    #[test]
    fn archives_keep_modes_and_contents() {
        let files = [("cert.pem", 0o644, "CERT".to_owned()), ("key.pem", 0o600, "KEY".to_owned())];
        let bytes = tar_of(&files, Timestamp::from_unix_s(1_800_000_000)).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let read: Vec<(String, u32, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (entry.path().unwrap().display().to_string(), header.mode().unwrap(), header.mtime().unwrap())
            })
            .collect();
        assert_eq!(read, [("cert.pem".into(), 0o644, 1_800_000_000), ("key.pem".into(), 0o600, 1_800_000_000)]);
    }
}
