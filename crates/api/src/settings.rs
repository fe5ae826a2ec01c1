//! Settings of the REST door.

use std::sync::Arc;
use std::time::Duration;

/// Bounds of the REST door, and where its request ids come from.
#[derive(Clone)]
pub struct ApiSettings {
    /// Most bytes of a request body; more is a 413.
    pub body_limit: usize,
    /// Longest time from the request's head to the answer's head; longer is a 503.
    pub request_timeout: Duration,
    /// Most requests of one caller at a time; more is a 429.
    pub max_per_caller: usize,
    /// Most requests from one address (IPv6: /64) at a time; more is a 429.
    pub max_per_address: usize,
    /// Requests a second of one caller, and how many at once; 0 a second: no limit. More is a 429.
    pub caller_rate: (u32, u32),
    /// The same for one address (IPv6: /64), judged before anybody is authenticated.
    pub address_rate: (u32, u32),
    /// Most requests at a time, whoever calls; more is a 503. Health checks are not counted.
    pub max_in_flight: usize,
    /// Where clients reach the API; for the plain listener, which has no part of it.
    pub public_url: String,
    /// Makes an id for a request that brings none: `[A-Za-z0-9._-]{1,64}`, unique.
    pub request_ids: Arc<dyn Fn() -> String + Send + Sync>,
}

impl ApiSettings {
    /// Defaults: 256 KiB, 30 seconds, 256 requests per caller and 768 per address at a time, 4096 in all, no limit of rates.
    pub fn new(request_ids: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self {
            body_limit: 256 * 1024,
            request_timeout: Duration::from_secs(30),
            max_per_caller: 256,
            max_per_address: 768,
            caller_rate: (0, 0),
            address_rate: (0, 0),
            max_in_flight: 4096,
            public_url: "https://localhost:8443".to_owned(),
            request_ids,
        }
    }
}
