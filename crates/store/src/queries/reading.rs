//! Rows to values. What does not parse is [`Error::Corrupt`], with table, column and key.

use super::{Driver, Error, Result, Row};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::Validity;
use sqlx::{Decode, Row as _, Type};

/// A row being read.
pub(super) struct Reading<'r> {
    row: &'r Row,
    table: &'static str,
    key: String,
}

impl<'r> Reading<'r> {
    /// Reads a row of `table` whose primary key is (or begins with) the text column `key`.
    pub(super) fn of(row: &'r Row, table: &'static str, key: &'static str) -> Result<Self> {
        let key = row.try_get(key).map_err(Error::from_driver)?;
        Ok(Self { row, table, key })
    }

    /// The value of a column as the driver has it.
    pub(super) fn get<T>(&self, column: &'static str) -> Result<T>
    where
        T: Decode<'r, Driver> + Type<Driver>,
    {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    pub(super) fn corrupt(&self, column: &'static str) -> Error {
        Error::Corrupt { table: self.table, column, row: self.key.clone() }
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String> {
        self.get(column)
    }

    /// A text that `parse` accepts.
    pub(super) fn parse<T, E>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
    ) -> Result<T> {
        parse(self.get(column)?).map_err(|_| self.corrupt(column))
    }

    /// The same for a column that may be NULL.
    pub(super) fn parse_optional<T, E>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
    ) -> Result<Option<T>> {
        self.get::<Option<&str>>(column)?.map(parse).transpose().map_err(|_| self.corrupt(column))
    }

    /// A text that one of the documents' readers accepts.
    pub(super) fn document<T>(&self, column: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        read(self.get(column)?).ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn document_optional<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| read(&text).ok_or_else(|| self.corrupt(column))).transpose()
    }

    pub(super) fn blob(&self, column: &'static str) -> Result<Vec<u8>> {
        self.get(column)
    }

    /// A version number.
    pub(super) fn number(&self, column: &'static str) -> Result<u32> {
        u32::try_from(self.get::<i64>(column)?).map_err(|_| self.corrupt(column))
    }

    pub(super) fn number_optional(&self, column: &'static str) -> Result<Option<u32>> {
        self.get::<Option<i64>>(column)?.map(u32::try_from).transpose().map_err(|_| self.corrupt(column))
    }

    pub(super) fn flag(&self, column: &'static str) -> Result<bool> {
        match self.get::<i64>(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.get(column).map(Timestamp::from_unix_ms)
    }

    pub(super) fn time_optional(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_unix_ms))
    }

    pub(super) fn span(&self, column: &'static str) -> Result<Span> {
        self.get(column).map(Span::from_ms)
    }

    pub(super) fn sha256(&self, column: &'static str) -> Result<Sha256> {
        Sha256::from_slice(self.get(column)?).ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn sha256_optional(&self, column: &'static str) -> Result<Option<Sha256>> {
        self.get::<Option<&[u8]>>(column)?
            .map(|bytes| Sha256::from_slice(bytes).ok_or_else(|| self.corrupt(column)))
            .transpose()
    }

    pub(super) fn serial(&self, column: &'static str) -> Result<Serial> {
        Serial::from_bytes(self.get(column)?).map_err(|_| self.corrupt(column))
    }

    pub(super) fn serial_optional(&self, column: &'static str) -> Result<Option<Serial>> {
        self.get::<Option<&[u8]>>(column)?.map(Serial::from_bytes).transpose().map_err(|_| self.corrupt(column))
    }

    /// `not_before` and `not_after`.
    pub(super) fn validity(&self) -> Result<Validity> {
        Validity::new(self.time("not_before")?, self.time("not_after")?).map_err(|_| self.corrupt("not_after"))
    }

    /// The same where both may be NULL.
    pub(super) fn validity_optional(&self) -> Result<Option<Validity>> {
        match (self.time_optional("not_before")?, self.time_optional("not_after")?) {
            (Some(from), Some(to)) => Validity::new(from, to).map(Some).map_err(|_| self.corrupt("not_after")),
            (None, None) => Ok(None),
            _ => Err(self.corrupt("not_after")),
        }
    }

    /// `revoked_at` and `revocation_reason`.
    pub(super) fn revocation(&self) -> Result<Option<Revocation>> {
        let reason = self.parse_optional("revocation_reason", RevocationReason::parse)?;
        match (self.time_optional("revoked_at")?, reason) {
            (Some(at), Some(reason)) => Ok(Some(Revocation { at, reason })),
            (None, None) => Ok(None),
            _ => Err(self.corrupt("revocation_reason")),
        }
    }
}
