//! Receivers that exist in memory: they remember what they got, and answer what a test wants.

use async_trait::async_trait;
use certwright_app::{Fetched, Outbound, OutboundAnswer, OutboundError};
use certwright_domain::egress::EgressRules;
use certwright_domain::http_url::{Host, HttpUrl};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// What a receiver got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).unwrap()
    }
}

/// Every receiver there is. Those at `slow.example.com` answer when [`Receivers::release`] is called.
pub(crate) struct Receivers {
    posts: Mutex<Vec<Post>>,
    answers: Mutex<VecDeque<Result<u16, OutboundError>>>,
    slow: Semaphore,
    documents: Mutex<BTreeMap<String, Vec<u8>>>,
    fetched: Mutex<Vec<String>>,
}

impl Default for Receivers {
    fn default() -> Self {
        Self {
            posts: Mutex::default(),
            answers: Mutex::default(),
            slow: Semaphore::new(0),
            documents: Mutex::default(),
            fetched: Mutex::default(),
        }
    }
}

impl Receivers {
    /// The next answers; 204 when they are used up.
    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Result<u16, OutboundError>>) {
        lock(&self.answers).extend(answers);
    }

    /// What was got so far.
    pub(crate) fn posts(&self) -> Vec<Post> {
        lock(&self.posts).clone()
    }

    /// What stands at this URL from now on; `None`: nobody is there any more.
    pub(crate) fn serve(&self, url: &str, document: Option<Vec<u8>>) {
        match document {
            Some(document) => lock(&self.documents).insert(url.to_owned(), document),
            None => lock(&self.documents).remove(url),
        };
    }

    /// Every URL that was fetched, in order.
    pub(crate) fn fetched(&self) -> Vec<String> {
        lock(&self.fetched).clone()
    }

    /// Lets a slow receiver answer once.
    pub(crate) fn release(&self) {
        self.slow.add_permits(1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Outbound for Receivers {
    fn check(&self, url: &HttpUrl) -> Result<(), OutboundError> {
        match url.host() {
            Host::Ip(address) => Ok(EgressRules::default().check(*address)?),
            Host::Name(_) => Ok(()),
        }
    }

    async fn post(
        &self,
        url: &HttpUrl,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<OutboundAnswer, OutboundError> {
        lock(&self.posts).push(Post { url: url.to_string(), headers: headers.to_vec(), body });
        if url.to_string().contains("slow.example.com") {
            self.slow.acquire().await.unwrap().forget();
        }
        let status = lock(&self.answers).pop_front().unwrap_or(Ok(204))?;
        Ok(OutboundAnswer { status, retry_after: None })
    }

    async fn get(&self, url: &HttpUrl, most: usize) -> Result<Fetched, OutboundError> {
        lock(&self.fetched).push(url.to_string());
        let body = lock(&self.documents).get(&url.to_string()).cloned().ok_or(OutboundError::Unreachable)?;
        if body.len() > most {
            return Err(OutboundError::Malformed);
        }
        Ok(Fetched { status: 200, max_age: None, body })
    }
}
