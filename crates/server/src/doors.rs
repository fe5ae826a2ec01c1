//! The doors: the API with ACME beside it, and what stands on the plain listener.

use crate::Error;
use crate::config::Settings;
use crate::wiring;
use axum::Router;
use certwright_acme::DoorSettings;
use certwright_api::{ApiSettings, PlainDoor};
use certwright_app::App;
use certwright_domain::ambient::Entropy;
use std::sync::{Arc, Mutex, PoisonError};

/// One for each listener.
pub(crate) struct Doors {
    pub(crate) api: Router,
    pub(crate) plain: PlainDoor,
}

/// What is random in an id.
type Draw = [u8; 10];
/// Draws at a time.
const DRAWS: usize = 64;

/// Randomness for ids, drawn in larger pieces: a draw of the crypto library's generator costs about the same for a few bytes and
/// for many. Ids are no secrets.
struct Draws {
    entropy: Arc<dyn Entropy>,
    left: Mutex<Vec<Draw>>,
}

impl Draws {
    fn next(&self) -> Draw {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(draw) = left.pop() {
            return draw;
        }
        let mut bytes = [0; DRAWS * size_of::<Draw>()];
        self.entropy.fill(&mut bytes);
        left.extend(bytes.as_chunks().0);
        left.pop().unwrap_or_default()
    }
}

/// Makes the doors; `beside`: what else stands on the plain listener.
pub(crate) fn open(app: &App, settings: &Settings, entropy: Arc<dyn Entropy>, beside: Router) -> Result<Doors, Error> {
    let limits = &settings.limits;
    let clock = app.clone();
    // Milliseconds first: ids grow with time, so the index of the audit trail by request is appended to, not filled at
    // random.
    let draws = Draws { entropy, left: Mutex::default() };
    let request_ids = move || {
        let random = draws.next().iter().fold(0, |number, octet| (number << 8) | u128::from(*octet));
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
        public_url: settings.public_url.as_str().to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::SystemEntropy;
    use std::collections::HashSet;

    #[test]
    fn no_draw_is_given_twice() {
        let draws = Draws { entropy: Arc::new(SystemEntropy::new()), left: Mutex::default() };
        let drawn: HashSet<Draw> = (0..1000).map(|_| draws.next()).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(!drawn.contains(&[0; 10]));
    }
}
