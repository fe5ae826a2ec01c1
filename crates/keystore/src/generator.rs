//! RSA keys take 0.1 to 2 seconds of one core to make: never on a runtime thread, never on all cores at once.
//!
//! Requests queue up here and a few workers on blocking threads serve them, first come first served. When nobody waits,
//! one worker fills a small pool of RSA-2048 keys for leaf certificates. It starts with the first request for one, so
//! that a server that never makes RSA leaves never spends a moment on them.

use crate::Error;
use crate::material::Material;
use certwright_domain::algorithm::KeyAlgorithm;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Keys that wait in the pool.
const POOL: usize = 4;
/// Requests that may wait; a caller's own deadline ends long before this queue does.
const QUEUE: usize = 4096;
/// The one algorithm that is pooled: what nearly every RSA leaf is.
const POOLED: KeyAlgorithm = KeyAlgorithm::Rsa2048;

type Made = Result<Material, Error>;

/// Makes RSA keys.
pub(crate) struct Generator {
    shared: Arc<Mutex<State>>,
}

struct State {
    ready: VecDeque<Material>,
    waiting: VecDeque<(KeyAlgorithm, oneshot::Sender<Made>)>,
    workers: usize,
    max_workers: usize,
    wanted: bool,
    closed: bool,
}

enum Step {
    Serve(KeyAlgorithm, oneshot::Sender<Made>),
    Fill,
}

impl Generator {
    /// A generator that uses up to half of the cores.
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_workers((cores / 2).max(1))
    }

    fn with_workers(max_workers: usize) -> Self {
        let state = State {
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            workers: 0,
            max_workers,
            wanted: false,
            closed: false,
        };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// A key for a requester, from the pool where one is ready.
    pub(crate) async fn leaf(&self, algorithm: KeyAlgorithm) -> Made {
        let ready = {
            let mut state = lock(&self.shared);
            if algorithm == POOLED {
                state.wanted = true;
                state.ready.pop_front()
            } else {
                None
            }
        };
        match ready {
            Some(key) => {
                self.wake();
                Ok(key)
            }
            None => self.fresh(algorithm).await,
        }
    }

    /// A key made for this call.
    pub(crate) async fn fresh(&self, algorithm: KeyAlgorithm) -> Made {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = lock(&self.shared);
            // Those who gave up waiting make room first.
            if state.waiting.len() >= QUEUE {
                state.waiting.retain(|(_, sender)| !sender.is_closed());
            }
            if state.waiting.len() >= QUEUE {
                return Err(Error::Crypto("too many RSA keys are being waited for"));
            }
            state.waiting.push_back((algorithm, sender));
        }
        self.wake();
        receiver.await.unwrap_or(Err(Error::Crypto("the key store was closed")))
    }

    /// Starts a worker where there is work for another one.
    fn wake(&self) {
        let mut state = lock(&self.shared);
        let busy_enough = state.workers >= state.max_workers;
        let work = !state.waiting.is_empty() || (state.workers == 0 && state.fills());
        if busy_enough || !work || state.closed {
            return;
        }
        state.workers = state.workers.saturating_add(1);
        drop(state);
        let worker = Worker { shared: Arc::clone(&self.shared), counted: true };
        tokio::task::spawn_blocking(move || worker.run());
    }
}

impl Drop for Generator {
    /// Workers end after the key they are making.
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.closed = true;
        state.waiting.clear();
        state.ready.clear();
    }
}

impl State {
    fn fills(&self) -> bool {
        self.wanted && self.ready.len() < POOL
    }

    /// The next thing for a worker to do; `None`: it ends.
    fn next(&mut self) -> Option<Step> {
        while let Some((algorithm, sender)) = self.waiting.pop_front() {
            if !sender.is_closed() {
                return Some(Step::Serve(algorithm, sender));
            }
        }
        // Only the last worker fills the pool: one core at most for what nobody waits for.
        if !self.closed && self.workers == 1 && self.fills() {
            return Some(Step::Fill);
        }
        None
    }

    fn keep(&mut self, key: Material) {
        if !self.closed && self.ready.len() < POOL {
            self.ready.push_back(key);
        }
    }
}

struct Worker {
    shared: Arc<Mutex<State>>,
    counted: bool,
}

impl Worker {
    fn run(mut self) {
        while let Some(step) = self.next() {
            match step {
                Step::Serve(algorithm, sender) => {
                    if let Err(Ok(unclaimed)) = sender.send(Material::generate(algorithm))
                        && algorithm == POOLED
                    {
                        lock(&self.shared).keep(unclaimed);
                    }
                }
                Step::Fill => match Material::generate(POOLED) {
                    Ok(key) => lock(&self.shared).keep(key),
                    // Not worth more than a line: whoever asks next gets the error itself.
                    Err(error) => {
                        tracing::warn!(%error, "the pool of RSA keys could not be filled");
                        lock(&self.shared).wanted = false;
                    }
                },
            }
        }
    }

    /// The next step; at the end the worker is counted out under the same lock, so that whoever queues up next sees that
    /// another worker is needed.
    fn next(&mut self) -> Option<Step> {
        let mut state = lock(&self.shared);
        let step = state.next();
        if step.is_none() {
            state.workers = state.workers.saturating_sub(1);
            self.counted = false;
        }
        step
    }
}

impl Drop for Worker {
    /// Counts out a worker that panicked.
    fn drop(&mut self) {
        if self.counted {
            let mut state = lock(&self.shared);
            state.workers = state.workers.saturating_sub(1);
        }
    }
}

fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    // The state holds no half-done changes between its lines.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works off everything on this thread.
    fn work(generator: &Generator) {
        lock(&generator.shared).workers = 1;
        Worker { shared: Arc::clone(&generator.shared), counted: true }.run();
        assert_eq!(lock(&generator.shared).workers, 0);
    }

    #[test]
    fn an_idle_generator_makes_nothing_and_a_wanted_pool_is_filled_once() {
        let generator = Generator::with_workers(1);
        work(&generator);
        assert_eq!(lock(&generator.shared).ready.len(), 0);
        lock(&generator.shared).wanted = true;
        work(&generator);
        assert_eq!(lock(&generator.shared).ready.len(), POOL);
    }

    #[tokio::test]
    async fn those_who_wait_are_served_before_the_pool_and_those_who_left_are_skipped() {
        let generator = Generator::with_workers(0);
        lock(&generator.shared).wanted = true;
        let (left, gone) = oneshot::channel();
        drop(gone);
        let (sender, receiver) = oneshot::channel();
        lock(&generator.shared).waiting.extend([(KeyAlgorithm::Rsa4096, left), (KeyAlgorithm::Rsa2048, sender)]);
        let first = lock(&generator.shared).next();
        let Some(Step::Serve(KeyAlgorithm::Rsa2048, sender)) = first else { panic!("the waiting one comes first") };
        assert!(sender.send(Material::generate(KeyAlgorithm::Rsa2048)).is_ok());
        assert_eq!(receiver.await.unwrap().unwrap().algorithm(), KeyAlgorithm::Rsa2048);
        assert!(lock(&generator.shared).waiting.is_empty());
    }

    #[tokio::test]
    async fn leaves_come_from_the_pool_and_a_closed_generator_says_so() {
        let generator = Generator::with_workers(1);
        lock(&generator.shared).wanted = true;
        work(&generator);
        let pooled = lock(&generator.shared).ready.front().unwrap().public_key().to_vec();
        lock(&generator.shared).max_workers = 0;
        let leaf = generator.leaf(KeyAlgorithm::Rsa2048).await.unwrap();
        assert_eq!(leaf.public_key(), pooled);
        assert_eq!(lock(&generator.shared).ready.len(), POOL - 1);

        let waiting = {
            let (sender, receiver) = oneshot::channel();
            lock(&generator.shared).waiting.push_back((KeyAlgorithm::Rsa2048, sender));
            receiver
        };
        let shared = Arc::clone(&generator.shared);
        drop(generator);
        assert!(waiting.await.is_err());
        assert!(lock(&shared).ready.is_empty());
        assert!(lock(&shared).next().is_none());
    }

    #[tokio::test]
    async fn many_at_once_are_all_served_by_one_worker() {
        let generator = Arc::new(Generator::with_workers(1));
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let generator = Arc::clone(&generator);
                tokio::spawn(async move { generator.leaf(KeyAlgorithm::Rsa2048).await })
            })
            .collect();
        let mut keys = std::collections::HashSet::new();
        for task in tasks {
            keys.insert(task.await.unwrap().unwrap().public_key().to_vec());
            assert!(lock(&generator.shared).workers <= 1);
        }
        assert_eq!(keys.len(), 6);
    }
}
