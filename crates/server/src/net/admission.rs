//! How many connections may be open, in all and per client address; and seats that are kept for this machine.

use certwright_domain::rate::client_of;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the open connections of one listener.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    /// Seats for this machine, beside the others.
    own: Arc<Semaphore>,
    has_own: bool,
    per_address: usize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// Room for one connection, of whose address nothing is known yet.
#[derive(Debug)]
pub(crate) struct Room {
    permit: OwnedSemaphorePermit,
    is_own: bool,
}

/// Leave for one connection; dropped with it.
#[derive(Debug)]
pub(crate) struct Seat {
    admission: Arc<Admission>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// At most so many connections, and `own` more from this machine: who asks for our health is let in while strangers have all
    /// other seats. Without any, a connection for which there is no room waits in the kernel. With some, it is taken, to see where it
    /// comes from, and a stranger is sent away.
    pub(crate) fn new(connections: usize, own: usize, per_address: usize) -> Arc<Self> {
        let semaphore = |seats: usize| Arc::new(Semaphore::new(seats.min(Semaphore::MAX_PERMITS)));
        let (all, has_own, own) = (semaphore(connections), own > 0, semaphore(own));
        Arc::new(Self { all, own, has_own, per_address, addresses: Mutex::new(HashMap::new()) })
    }

    /// Waits until one more connection may be open. `None` never comes in practice: nobody closes the semaphores.
    pub(crate) async fn room(&self) -> Option<Room> {
        let take = |seats: &Arc<Semaphore>| Arc::clone(seats).acquire_owned();
        let (permit, is_own) = tokio::select! {
            biased;
            permit = take(&self.all) => (permit, false),
            permit = take(&self.own), if self.has_own => (permit, true),
        };
        permit.ok().map(|permit| Room { permit, is_own })
    }

    /// Seats a connection from this address, unless it has too many, or is a stranger's and only our own seats are left.
    pub(crate) fn seat(self: &Arc<Self>, room: Room, from: IpAddr) -> Option<Seat> {
        let permit = match room.is_own.then(|| Arc::clone(&self.all).try_acquire_owned()) {
            // Somebody has left meanwhile: our own seats are for when nobody does.
            Some(Ok(permit)) => permit,
            Some(Err(_)) if !from.to_canonical().is_loopback() => return None,
            Some(Err(_)) | None => room.permit,
        };
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
        let admission = Admission::new(10, 0, 2);
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
        let admission = Admission::new(1, 0, 5);
        let seat = admission.seat(admission.room().await.unwrap(), IpAddr::V4([127, 0, 0, 1].into()));
        assert_eq!(admission.all.available_permits(), 0);
        drop(seat);
        assert_eq!(admission.all.available_permits(), 1);
        assert!(admission.addresses.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn this_machine_finds_a_seat_when_strangers_have_all_the_others() {
        let admission = Admission::new(2, 1, 5);
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        let stranger = from("192.0.2.1");
        let seat = async |ip| admission.seat(admission.room().await.unwrap(), ip);
        let strangers = (seat(stranger).await.unwrap(), seat(from("192.0.2.2")).await.unwrap());
        for one in ["192.0.2.3", "2001:db8::1"] {
            assert!(seat(from(one)).await.is_none(), "{one}");
        }
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let seated = seat(from(own)).await;
            assert!(seated.is_some(), "{own}");
            assert!(is_pending(admission.room()), "all are taken");
        }
        // Somebody leaves after room was found among our own: a stranger may have that seat, and ours is free again.
        let room = admission.room().await.unwrap();
        drop(strangers.0);
        let late = admission.seat(room, stranger);
        assert!(late.is_some());
        assert!(seat(from("127.0.0.1")).await.is_some());
        // While there are other seats, this machine has one of those.
        drop(late);
        let own = seat(from("127.0.0.1")).await.unwrap();
        assert_eq!((admission.all.available_permits(), admission.own.available_permits()), (0, 1));
        drop((own, strangers.1));
        assert_eq!((admission.all.available_permits(), admission.own.available_permits()), (2, 1));
    }

    /// Does this not end at once?
    fn is_pending<T>(work: impl Future<Output = T>) -> bool {
        let work = std::pin::pin!(work);
        work.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending()
    }
}
