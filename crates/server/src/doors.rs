//! The doors: the API with ACME beside it, and what stands on the plain listener.

use crate::Error;
use crate::config::Settings;
use crate::wiring;
use axum::Router;
use certwright_acme::DoorSettings;
use certwright_api::{ApiSettings, PlainDoor};
use certwright_app::App;
use certwright_domain::ambient::Entropy;
use std::sync::Arc;

/// One for each listener.
pub(crate) struct Doors {
    pub(crate) api: Router,
    pub(crate) plain: PlainDoor,
}

/// Makes the doors; `beside`: what else stands on the plain listener.
pub(crate) fn open(app: &App, settings: &Settings, entropy: Arc<dyn Entropy>, beside: Router) -> Result<Doors, Error> {
    let limits = &settings.limits;
    let clock = app.clone();
    // Milliseconds first: ids grow with time, so the index of the audit trail by request is appended to, not filled at
    // random.
    let request_ids = move || {
        let mut random = [0_u8; 16];
        entropy.fill(&mut random);
        let random = u128::from_be_bytes(random) >> 48;
        let milliseconds = u128::from(clock.now().unix_ms().unsigned_abs()) << 80;
        format!("{:032x}", milliseconds | random)
    };
    let api = ApiSettings {
        body_limit: limits.body,
        request_timeout: limits.request_timeout,
        max_per_caller: limits.requests_per_caller,
        max_per_address: limits.requests_per_address,
        caller_rate: limits.caller_rate,
        address_rate: limits.address_rate,
        max_in_flight: limits.requests,
        ..ApiSettings::new(Arc::new(request_ids))
    };
    let acme = DoorSettings {
        request_timeout: limits.request_timeout,
        max_in_flight: limits.requests,
        ..DoorSettings::new(wiring::acme(settings), Arc::clone(&api.request_ids))
    };
    let acme = certwright_acme::router(app.clone(), acme);
    Ok(Doors {
        api: certwright_api::router_beside(app.clone(), api.clone(), acme).map_err(Error::Routes)?,
        plain: certwright_api::plain_door(app.clone(), api, beside).map_err(Error::Routes)?,
    })
}
