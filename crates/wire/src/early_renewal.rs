//! Calls to renew early.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A call to renew certificates of a CA early.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"within": "PT12H", "profile": "tls-server", "reason": "the intermediate is replaced",
    "explanationUrl": "https://status.example.com/7"}))]
pub struct NewEarlyRenewal {
    /// When the first are due; missing or past: now. At most 365 days ahead.
    pub from: Option<String>,
    /// Over how long they are spread, so that they do not all come at once; default a day, at most 365 days.
    #[schema(example = "PT12H")]
    pub within: Option<String>,
    /// Only certificates that were issued before; missing: before now.
    pub issued_before: Option<String>,
    /// Only certificates with this profile (name or id).
    pub profile: Option<String>,
    /// Only certificates of accounts of this ACME directory of the CA (name or id).
    pub acme_directory: Option<String>,
    /// Why; for people.
    pub reason: Option<String>,
    /// Where it is explained; ACME clients are given it with their renewal information.
    pub explanation_url: Option<String>,
}

/// A call to renew certificates of a CA early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EarlyRenewal {
    /// Id.
    #[schema(example = "earlyrenewal_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Id of the CA.
    pub ca: String,
    /// `MOVING`: not all certificates have been looked at; `MOVED`: all have; `WITHDRAWN`: it is being put back.
    #[schema(example = "MOVED")]
    pub state: String,
    /// How many certificates it has moved: those whose usual time was later.
    pub moved: u64,
    /// When the first are due.
    pub from: String,
    /// When the last are.
    pub until: String,
    /// Only certificates that were issued before.
    pub issued_before: String,
    /// Only certificates with this profile; `null`: whatever they have.
    pub profile: Option<String>,
    /// Only certificates of accounts of this ACME directory, by its id; `null`: whoever asked for them.
    pub acme_directory: Option<String>,
    /// Why.
    pub reason: String,
    /// Where it is explained.
    pub explanation_url: Option<String>,
    /// When it was made.
    pub created_at: String,
}
