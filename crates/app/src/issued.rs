//! The inventory.
use crate::audit::Target;
use crate::change::by_id;
use crate::{App, Call, Error, Permission};
use certwright_domain::event::EventKind;
use certwright_domain::id::IssuedId;
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::serial::{Serial, Sha256};
use certwright_store::{CaFilter, IssuedFilter, Page, PageRequest, Queries};

impl App {
    /// Searches the inventory.
    pub async fn issued_certificates(
        &self,
        call: &Call,
        filter: &IssuedFilter,
        page: &PageRequest,
    ) -> Result<Page<IssuedCertificate>, Error> {
        self.authorize(call, Permission::IssuedRead)?;
        Ok(self.inner.store.read().await?.search_issued(filter, page).await?)
    }

    /// One certificate by serial (any spelling), SHA-256 fingerprint or id. A serial that several CAs used is a
    /// conflict that lists the fingerprints.
    pub async fn issued_certificate(&self, call: &Call, reference: &str) -> Result<IssuedCertificate, Error> {
        self.authorize(call, Permission::IssuedRead)?;
        find(&mut *self.inner.store.read().await?, reference).await
    }

    /// Marks a certificate as revoked. Twice with the same reason answers the same; any other second reason is a
    /// conflict (a later `keyCompromise` will upgrade once revocation is published).
    pub async fn revoke_issued_certificate(
        &self,
        call: &Call,
        reference: &str,
        reason: RevocationReason,
    ) -> Result<IssuedCertificate, Error> {
        self.authorize(call, Permission::IssuedRevoke)?;
        let mut tx = self.inner.store.begin("issued-certificate.revoke").await?;
        // What blocks a key is a change of configuration: every node must know before it signs again. First in the
        // transaction, as every raising of the epoch.
        let epoch = if reason == RevocationReason::KeyCompromise { Some(tx.bump_epoch().await?) } else { None };
        let mut row = find(&mut *tx, reference).await?;
        if row.kind == IssuedKind::Ca {
            return Err(points_to_the_ca(&mut *tx, &row).await?);
        }
        if let Some(before) = row.revocation {
            return if before.reason == reason { Ok(row) } else { Err(revoked_already(&row, before)) };
        }
        let revocation = Revocation { at: self.now(), reason };
        match tx.revoke_issued(&row.id, &revocation).await {
            // Another request was faster; what it wrote decides.
            Err(certwright_store::Error::Stale { .. }) => {
                drop(tx);
                let row = find(&mut *self.inner.store.read().await?, row.id.as_str()).await?;
                return match row.revocation {
                    Some(before) if before.reason == reason => Ok(row),
                    Some(before) => Err(revoked_already(&row, before)),
                    None => Err(crate::change::stale("issued_certificates")),
                };
            }
            outcome => outcome?,
        }
        row.revocation = Some(revocation);
        if let Some(epoch) = epoch {
            tx.block_key(&row.spki_sha256, epoch, revocation.at).await?;
        }
        let serial = row.serial.to_string();
        let fingerprint = row.fingerprint.to_string();
        let details = [
            ("reason", reason.as_str()),
            ("ca", row.ca_name.as_str()),
            ("fingerprint", fingerprint.as_str()),
            ("subject", row.subject.as_str()),
        ];
        let target = Target { kind: "issued-certificate", id: &serial, name: &row.common_name };
        tx.insert_audit(&self.inner.audit(call, "issued-certificate.revoke", target, &details)).await?;
        self.tell_of_revocation(call, &mut *tx, &row, target, &details).await?;
        match call.dry_run {
            true => tx.rollback().await?,
            false => tx.commit().await?,
        }
        self.forget_ocsp(Some(&row.serial));
        if let Some(epoch) = epoch.filter(|_| !call.dry_run) {
            self.inner.context.note_epoch(epoch);
        }
        Ok(row)
    }
}

impl App {
    /// The event of a revocation: about the managed certificate, where the row is a version of one.
    async fn tell_of_revocation(
        &self,
        call: &Call,
        queries: &mut dyn Queries,
        row: &IssuedCertificate,
        target: Target<'_>,
        details: &[(&str, &str)],
    ) -> Result<(), Error> {
        let mut details = details.to_vec();
        let Some((certificate, number)) = queries.certificate_of(&row.id).await? else {
            let event = self.inner.event(call, EventKind::CertificateRevoked, target, &details);
            return Ok(queries.insert_event(&event).await?);
        };
        let (number, serial) = (number.to_string(), row.serial.to_string());
        details.extend([("version", number.as_str()), ("serial", serial.as_str())]);
        let target = Target { kind: "certificate", id: certificate.id.as_str(), name: certificate.name.as_str() };
        let event = self.inner.event(call, EventKind::CertificateRevoked, target, &details);
        Ok(queries.insert_event(&event).await?)
    }
}

/// What a person or a program may call a certificate by.
#[derive(Debug, PartialEq, Eq)]
enum IssuedReference {
    Id(IssuedId),
    Fingerprint(Sha256),
    Serial(Serial),
}

impl IssuedReference {
    fn parse(text: &str) -> Result<Self, Error> {
        if let Ok(id) = IssuedId::parse(text) {
            return Ok(Self::Id(id));
        }
        // A serial has at most 40 hex digits, a fingerprint has 64: they cannot be taken for each other.
        if let Ok(fingerprint) = Sha256::parse(text) {
            return Ok(Self::Fingerprint(fingerprint));
        }
        Serial::parse(text).map(Self::Serial).map_err(|invalid| Error::invalid("", invalid))
    }
}

async fn find(queries: &mut dyn Queries, reference: &str) -> Result<IssuedCertificate, Error> {
    let found = match IssuedReference::parse(reference)? {
        IssuedReference::Id(id) => queries.issued(&id).await?,
        IssuedReference::Fingerprint(fingerprint) => queries.issued_by_fingerprint(&fingerprint).await?,
        IssuedReference::Serial(serial) => {
            let mut rows = queries.issued_by_serial(&serial).await?;
            if rows.len() > 1 {
                return Err(ambiguous(&serial, &rows));
            }
            rows.pop()
        }
    };
    found.ok_or_else(|| Error::not_found("issued certificate", reference))
}

fn ambiguous(serial: &Serial, rows: &[IssuedCertificate]) -> Error {
    let list: Vec<String> = rows.iter().map(|row| format!("{} (CA {})", row.fingerprint, row.ca_name)).collect();
    Error::conflict(
        "ambiguous_serial",
        format!("Several CAs used the serial {serial}."),
        format!("Name the certificate by its fingerprint: {}.", list.join(", ")),
    )
}

fn revoked_already(row: &IssuedCertificate, before: Revocation) -> Error {
    Error::conflict(
        "already_revoked",
        format!("Certificate {} was revoked at {} with the reason {}.", row.serial, before.at, before.reason),
        "The reason of a revocation cannot be changed.",
    )
}

/// The refusal of revoking a CA certificate here, with the request that does it.
async fn points_to_the_ca(queries: &mut dyn Queries, row: &IssuedCertificate) -> Result<Error, Error> {
    let place = find_ca_version(queries, row).await?;
    let (ca, version) = place.unwrap_or_else(|| ("{ca}".to_owned(), "{version}".to_owned()));
    Ok(Error::conflict(
        "ca_certificate",
        format!("Certificate {} is the certificate of a CA.", row.serial),
        format!("Revoke the CA's version: POST /v1/certificate-authorities/{ca}/versions/{version}/revoke"),
    ))
}

/// Which CA's which version carries this certificate? The signer itself (a root) or one that it issued.
async fn find_ca_version(
    queries: &mut dyn Queries,
    row: &IssuedCertificate,
) -> Result<Option<(String, String)>, Error> {
    let filter = CaFilter { issuer_id: Some(row.ca_id.clone()), include_system: true, ..CaFilter::default() };
    let mut candidates = queries.cas(&filter, &PageRequest { limit: 500, after: None }).await?.items;
    candidates.extend(queries.ca(&by_id(row.ca_id.as_str())?).await?);
    for ca in candidates {
        for version in queries.ca_versions(&ca.id).await? {
            if version.issued_id.as_ref() == Some(&row.id) {
                return Ok(Some((ca.name.to_string(), version.number.to_string())));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_apart_by_their_form() {
        let id = "issued_01JD8XK4M2W7Z3T5V9YQ6B1C0D";
        assert_eq!(IssuedReference::parse(id).unwrap(), IssuedReference::Id(IssuedId::parse(id).unwrap()));
        let serial = Serial::parse("0abc01").unwrap();
        for spelling in ["0abc01", "0A:BC:01", "abc01", "0x0ABC01", "00 0a bc 01"] {
            assert_eq!(
                IssuedReference::parse(spelling).unwrap(),
                IssuedReference::Serial(serial.clone()),
                "{spelling}"
            );
        }
        let fingerprint = Sha256([0xab; 32]);
        for spelling in ["ab".repeat(32), "AB:".repeat(32).trim_end_matches(':').to_owned()] {
            assert_eq!(IssuedReference::parse(&spelling).unwrap(), IssuedReference::Fingerprint(fingerprint));
        }
        for wrong in ["", "xyz", "00", "vault_01JD8XK4M2W7Z3T5V9YQ6B1C0D", &"a".repeat(41)] {
            assert!(matches!(IssuedReference::parse(wrong), Err(Error::Invalid(_))), "{wrong}");
        }
    }
}
