//! How many requests of one party run at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Requests in flight, by party. Who has none takes no room.
pub(crate) struct Places<K: Hash + Eq> {
    limit: usize,
    counts: Mutex<HashMap<K, usize>>,
}

/// One of a party's places; given back when dropped.
pub(crate) struct Place<K: Hash + Eq> {
    places: Arc<Places<K>>,
    party: K,
}

impl<K: Hash + Eq + Clone> Places<K> {
    /// So many for each.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, counts: Mutex::new(HashMap::new()) })
    }

    /// A place, unless the party has all that it may have.
    pub(crate) fn enter(self: &Arc<Self>, party: K) -> Option<Place<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(party.clone()).or_insert(0);
        if *count >= self.limit {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Place { places: Arc::clone(self), party })
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.places.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.party) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.party);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_party_and_given_back() {
        let places = Places::new(2);
        let first = places.enter("a").unwrap();
        let _second = places.enter("a").unwrap();
        assert!(places.enter("a").is_none());
        assert!(places.enter("b").is_some());
        drop(first);
        assert!(places.enter("a").is_some());
        assert_eq!(places.counts.lock().unwrap().len(), 1);
    }
}
