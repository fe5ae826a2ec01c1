//! Work that takes its time for a million entries and is owed to no request in particular.

use crate::Error;
use tokio::sync::oneshot;

/// How far it stands back where cores are scarce: about a tenth of what a thread that answers requests gets.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Runs it on a thread of its own, behind those that answer requests.
///
/// # Errors
/// Its own; [`Error::Internal`] when it panics or no thread is to be had.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (done, outcome) = oneshot::channel();
    let run = move || {
        // Linux counts this by thread. Where it is not allowed, we are merely less polite.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, NICE);
        // Whoever asked may have gone away.
        let _ = done.send(work());
    };
    std::thread::Builder::new()
        .name("crl".to_owned())
        .spawn(run)
        .map_err(|error| Error::Internal(format!("no thread for a list: {error}")))?;
    outcome.await.map_err(|_| Error::Internal("a list was not finished".to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_outcome_comes_back_and_a_panic_is_an_error() {
        assert_eq!(aside(|| Ok(7)).await.unwrap(), 7);
        let failed = aside(|| Err::<(), _>(Error::Internal("own".into()))).await;
        assert!(matches!(failed, Err(Error::Internal(why)) if why == "own"));
        let panicked = aside(|| -> Result<(), Error> { panic!("in the work") }).await;
        assert!(matches!(panicked, Err(Error::Internal(_))));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_stands_back_alone() {
        let nice = || rustix::process::getpriority_process(None).map_err(|_| Error::Internal("no priority".into()));
        let before = nice().unwrap();
        assert_eq!(aside(nice).await.unwrap(), before.max(NICE));
        assert_eq!(nice().unwrap(), before);
    }
}
