//! Orders (RFC 8555 sections 7.1.3, 7.4).

use super::{Authorization, AuthorizationState, Identifier};
use crate::algorithm::named_enum;
use crate::id::{AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeOrderId, IssuedId};
use crate::name::ResourceName;
use crate::time::Timestamp;

named_enum! {
    /// What an order is (RFC 8555 section 7.1.6). There is no `processing` here: a certificate is signed and stored within the
    /// request that asks for it.
    OrderState, "invalid_order_status", "order status" {
        /// Some name is not proven yet.
        Pending = "pending",
        /// Every name is proven: the client may finalize.
        Ready = "ready",
        /// The certificate is there.
        Valid = "valid",
        /// It came to nothing.
        Invalid = "invalid",
    }
}

/// Why an order came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderError {
    /// The last part of the error type (RFC 8555 section 6.7): `unauthorized`.
    pub kind: String,
    /// A sentence.
    pub detail: String,
}

/// How an order ended, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEnd {
    /// With this certificate.
    Valid(IssuedId),
    /// With nothing.
    Invalid(OrderError),
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Id; the last part of its URL.
    pub id: AcmeOrderId,
    /// The account.
    pub account: AcmeAccountId,
    /// The directory of the account.
    pub directory: AcmeDirectoryId,
    /// What is to be certified, without repetitions, in the order of the request.
    pub identifiers: Vec<Identifier>,
    /// One for each identifier, in their order.
    pub authorizations: Vec<AcmeAuthorizationId>,
    /// The profile that was asked for, or the directory's first one.
    pub profile: ResourceName,
    /// notBefore as asked for.
    pub not_before: Option<Timestamp>,
    /// notAfter as asked for.
    pub not_after: Option<Timestamp>,
    /// The certificate that it replaces (RFC 9773 section 5), and its identifier as the client wrote it.
    pub replaces: Option<(IssuedId, String)>,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// How it ended.
    pub end: Option<OrderEnd>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change.
    pub revision: i64,
}

impl Order {
    /// What it is, given its authorizations and the time, and why it came to nothing.
    pub fn state(&self, authorizations: &[Authorization], now: Timestamp) -> (OrderState, Option<OrderError>) {
        match &self.end {
            Some(OrderEnd::Valid(_)) => return (OrderState::Valid, None),
            Some(OrderEnd::Invalid(error)) => return (OrderState::Invalid, Some(error.clone())),
            None => {}
        }
        if let Some(error) = self.broken(authorizations, now) {
            return (OrderState::Invalid, Some(error));
        }
        if self.expires_at <= now {
            let detail = "The order expired before it was finalized.".to_owned();
            return (OrderState::Invalid, Some(OrderError { kind: "malformed".to_owned(), detail }));
        }
        let proven = authorizations.iter().all(|authorization| authorization.is_valid_at(now));
        (if proven { OrderState::Ready } else { OrderState::Pending }, None)
    }

    /// The first of its authorizations that came to nothing, or is not there.
    fn broken(&self, authorizations: &[Authorization], now: Timestamp) -> Option<OrderError> {
        self.authorizations.iter().find_map(|id| {
            let found = authorizations.iter().find(|authorization| authorization.id == *id);
            let state = found.map_or(AuthorizationState::Expired, |authorization| authorization.state_at(now));
            let name = found.map(|authorization| authorization.identifier.to_string()).unwrap_or_default();
            let failure = found.and_then(|it| it.challenges.iter().find_map(|challenge| challenge.failure.clone()));
            let (kind, detail) = match (state, failure) {
                (AuthorizationState::Pending | AuthorizationState::Valid, _) => return None,
                (AuthorizationState::Invalid, Some(failure)) => {
                    (failure.kind.as_str(), format!("Control of {name} was not proven: {}", failure.detail))
                }
                (state, _) => ("unauthorized", format!("The authorization for {name} is {state}.")),
            };
            Some(OrderError { kind: kind.to_owned(), detail })
        })
    }

    /// The certificate, where there is one.
    pub fn certificate(&self) -> Option<&IssuedId> {
        match &self.end {
            Some(OrderEnd::Valid(id)) => Some(id),
            _ => None,
        }
    }
}
