//! How many connections may be open, in all and per client address.

use certwright_domain::rate::client_of;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the open connections of one listener.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    per_address: usize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// Leave for one connection; dropped with it.
#[derive(Debug)]
pub(crate) struct Seat {
    admission: Arc<Admission>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// At most so many connections.
    pub(crate) fn new(connections: usize, per_address: usize) -> Arc<Self> {
        let all = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { all, per_address, addresses: Mutex::new(HashMap::new()) })
    }

    /// Waits until one more connection may be open. `None` never comes in practice: nobody closes the semaphore.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Seats a connection from this address, unless it has too many.
    pub(crate) fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit, from: IpAddr) -> Option<Seat> {
        let address = client_of(from);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let open = addresses.entry(address).or_insert(0);
        if *open >= self.per_address {
            return None;
        }
        *open = open.saturating_add(1);
        drop(addresses);
        Some(Seat { admission: Arc::clone(self), address, _permit: permit })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut addresses = self.admission.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = addresses.get_mut(&self.address) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_bound_and_gives_it_back() {
        let admission = Admission::new(10, 2);
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        let seat = async |ip: &str| admission.seat(admission.room().await.unwrap(), from(ip));
        let first = seat("10.0.0.1").await;
        let second = seat("::ffff:10.0.0.1").await;
        assert!(first.is_some() && second.is_some());
        assert!(seat("10.0.0.1").await.is_none());
        assert!(seat("10.0.0.2").await.is_some());
        drop(first);
        assert!(seat("10.0.0.1").await.is_some());
        let (_a, _b) = (seat("2001:db8::1").await, seat("2001:db8::2").await);
        assert!(seat("2001:db8::3").await.is_none(), "one /64 is one client");
        assert!(seat("2001:db8:0:1::1").await.is_some());
    }

    #[tokio::test]
    async fn a_full_house_is_empty_again_when_all_left() {
        let admission = Admission::new(1, 5);
        let seat = admission.seat(admission.room().await.unwrap(), IpAddr::V4([127, 0, 0, 1].into()));
        assert_eq!(admission.all.available_permits(), 0);
        drop(seat);
        assert_eq!(admission.all.available_permits(), 1);
        assert!(admission.addresses.lock().unwrap().is_empty());
    }
}
