//! The inventory.
use crate::access::Object;
use crate::{App, Call, Error, Permission};
use certwright_domain::id::IssuedId;
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::violation::Invalid;
use certwright_store::{IssuedFilter, Page, PageRequest, Queries};

impl App {
    /// Searches the inventory.
    pub async fn issued_certificates(
        &self,
        call: &Call,
        filter: &IssuedFilter,
        page: &PageRequest,
    ) -> Result<Page<IssuedCertificate>, Error> {
        let mut read = self.inner.store.read().await?;
        let page = read.search_issued(filter, page).await?;
        self.visible(&mut *read, call, Permission::IssuedList, page).await
    }

    /// One certificate by serial (any spelling), SHA-256 fingerprint or id. A serial that several CAs used is a
    /// conflict that lists the fingerprints.
    pub async fn issued_certificate(&self, call: &Call, reference: &str) -> Result<IssuedCertificate, Error> {
        let mut read = self.inner.store.read().await?;
        let row = self.find_issued(&mut *read, call, reference).await?;
        self.may_issued(&mut *read, call, Permission::IssuedRead, &row, reference).await?;
        Ok(row)
    }
}

impl App {
    /// Finds a row by what the caller calls it. Rows that the caller may not see make nothing ambiguous.
    pub(crate) async fn find_issued(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        reference: &str,
    ) -> Result<IssuedCertificate, Error> {
        let found = match IssuedReference::parse(reference)? {
            IssuedReference::Id(id) => queries.issued(&id).await?,
            IssuedReference::Fingerprint(fingerprint) => queries.issued_by_fingerprint(&fingerprint).await?,
            IssuedReference::Serial(serial) => {
                let mut rows = Vec::new();
                for row in queries.issued_by_serial(&serial).await? {
                    let compartment = queries.compartment_of(row.ca_id.as_str()).await?;
                    if self.is_allowed(call, Permission::IssuedList, &Object::issued(&row, compartment)) {
                        rows.push(row);
                    }
                }
                if rows.len() > 1 {
                    return Err(ambiguous(&serial, &rows));
                }
                rows.pop()
            }
        };
        found.ok_or_else(|| Error::not_found("issued certificate", reference))
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
        Serial::parse(text).map(Self::Serial).map_err(|invalid| {
            let shown: String = text.chars().take(80).collect();
            let detail =
                format!("`{}` is neither a serial nor a SHA-256 fingerprint nor an id.", shown.escape_debug());
            let hint = "Give the serial or the fingerprint in hex, or the id (`issued_…`); GET /v1/issued-certificates?q= \
                        finds them by name.";
            Error::invalid("", Invalid::new(invalid.code, detail, hint))
        })
    }
}

fn ambiguous(serial: &Serial, rows: &[IssuedCertificate]) -> Error {
    let list: Vec<String> = rows.iter().map(|row| format!("{} (CA {})", row.fingerprint, row.ca_name)).collect();
    Error::conflict(
        "ambiguous_serial",
        format!("Several CAs used the serial {serial}."),
        format!("Name the certificate by its fingerprint: {}.", list.join(", ")),
    )
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
