//! Problem documents (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong: an RFC 9457 problem document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "type": "urn:certwright:problem:lifetime_too_long",
    "title": "A rule refused the request",
    "status": 422,
    "detail": "The validity period 7839114782 exceeds the maximum validity period allowed 7776000000. (90 days 17 hours 31 minutes 54 seconds; 90 days are allowed.)",
    "code": "lifetime_too_long",
    "hint": "Ask for P90D or less.",
    "requestId": "01JD8XK4M2W7Z3T5V9YQ6B1C0D",
    "retryable": false,
    "errors": [{
        "pointer": "/validity/notAfter", "code": "lifetime_too_long", "rule": "leafMaxValidity", "owner": "CA issuing-1",
        "limit": "P90D", "value": "P90DT17H31M54S", "allowed": "up to P90D", "hint": "Ask for P90D or less.",
        "detail": "The validity period 7839114782 exceeds the maximum validity period allowed 7776000000."
    }]
}))]
pub struct Problem {
    /// `urn:certwright:problem:` followed by the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words; the same for every problem of a status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in full sentences.
    pub detail: String,
    /// Stable word for programs. Where `errors` has several entries with different codes, `invalid_request` (400) or
    /// `rejected` (422).
    pub code: String,
    /// What to do about it.
    pub hint: String,
    /// Id of the request, as in the header `X-Request-Id`, the log and the audit trail.
    pub request_id: String,
    /// May the same request succeed later without a change?
    pub retryable: bool,
    /// Every fault that was found; empty where the problem has no parts.
    #[serde(default)]
    pub errors: Vec<ProblemError>,
    /// Trials that a rule refused: every rule with its verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<crate::RuleVerdict>>,
}

/// One fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemError {
    /// JSON pointer (RFC 6901) of the place in the request body; for a query parameter `/` and its name; empty: the
    /// request as a whole.
    #[schema(example = "/names/3")]
    pub pointer: String,
    /// Stable word for programs.
    #[schema(example = "invalid_dns_name")]
    pub code: String,
    /// The rule that refused, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Who carries the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// The value that broke it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What would pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// The smallest change that would pass.
    pub hint: String,
    /// One sentence.
    pub detail: String,
}
