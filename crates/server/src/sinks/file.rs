//! A file that the trail is appended to, one event a line. It is synced before a batch counts as taken, and opened anew when
//! somebody has moved it away.

use async_trait::async_trait;
use certwright_app::{AuditSink, SinkError, SinkEvent};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, TryLockError};

/// A file that we make: ours to write, our group's to read, whatever the umask (ours lets nobody else in).
const FILE: Mode = Mode::from_raw_mode(0o640);

/// The file.
pub(super) struct Lines {
    path: PathBuf,
    /// Held while a write is under way, also by one that nobody waits for any more.
    open: Arc<Mutex<Option<File>>>,
}

impl Lines {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: Arc::default() }
    }
}

#[async_trait]
impl AuditSink for Lines {
    async fn ship(&self, events: &[SinkEvent]) -> Result<(), SinkError> {
        let length = events.iter().map(|event| event.line.len().saturating_add(1)).fold(0, usize::saturating_add);
        let mut bytes = Vec::with_capacity(length);
        for event in events {
            bytes.extend_from_slice(event.line.as_bytes());
            bytes.push(b'\n');
        }
        let (path, open) = (self.path.clone(), Arc::clone(&self.open));
        let written = tokio::task::spawn_blocking(move || {
            let mut open = match open.try_lock() {
                Ok(open) => open,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // On a file system that hangs: no second thread is to hang there.
                Err(TryLockError::WouldBlock) => return Err(SinkError::Busy),
            };
            append(&path, &mut open, &bytes)
        });
        written.await.unwrap_or(Err(SinkError::File(io::ErrorKind::Other)))
    }
}

fn append(path: &Path, open: &mut Option<File>, bytes: &[u8]) -> Result<(), SinkError> {
    // Whatever goes wrong: the next batch looks at the file anew.
    let file = match open.take().filter(|file| is_there(path, file)) {
        Some(file) => file,
        None => open_at(path)?,
    };
    let written = (&file).write_all(bytes).and_then(|()| file.sync_data());
    written.map_err(|error| SinkError::File(error.kind()))?;
    *open = Some(file);
    Ok(())
}

/// Is this still the file of that path? It was moved away or deleted otherwise.
fn is_there(path: &Path, file: &File) -> bool {
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(ours)) => (there.dev(), there.ino()) == (ours.dev(), ours.ino()),
        _ => false,
    }
}

fn open_at(path: &Path) -> Result<File, SinkError> {
    // Reading: to see how the file ends. Not to wait: where a pipe stands, opening would.
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let refused = |error: Errno| SinkError::File(io::Error::from(error).kind());
    let (file, is_new) = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => (rustix::fs::open(path, flags | OFlags::CREATE, FILE).map_err(refused)?, true),
        opened => (opened.map_err(refused)?, false),
    };
    let file = File::from(file);
    let failed = |error: io::Error| SinkError::File(error.kind());
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SinkError::NotAFile);
    }
    if is_new {
        rustix::fs::fchmod(&file, FILE).map_err(refused)?;
    }
    if is_new && let Some(folder) = path.parent() {
        // The name must be there after a crash, too.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    let mut last = [b'\n'];
    if let Some(end) = metadata.len().checked_sub(1) {
        file.read_exact_at(&mut last, end).map_err(failed)?;
    }
    if last != [b'\n'] {
        // A batch was cut off by a crash or a full disk. Its events come again, from their beginning.
        (&file).write_all(b"\n").map_err(failed)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::syslog::tests::event;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn lines_are_appended_and_a_file_that_was_moved_away_is_made_anew() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        let sink = Lines::new(path.clone());
        // As the server does; other tests of this process may do with it.
        crate::hardening::keep_files_ours();
        sink.ship(&[event("one"), event("two")]).await.unwrap();
        sink.ship(&[event("three")]).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640, "the group reads along");
        // What somebody has changed stays.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        sink.ship(&[]).await.unwrap();
        Lines::new(path.clone()).ship(&[]).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::fs::rename(&path, home.path().join("audit.jsonl.1")).unwrap();
        sink.ship(&[event("four")]).await.unwrap();
        assert_eq!(std::fs::read_to_string(home.path().join("audit.jsonl.1")).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
        // Cut down where it stands, as copytruncate does: we append, so no hole appears.
        std::fs::write(&path, "").unwrap();
        sink.ship(&[event("five")]).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        sink.ship(&[event("six")]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "six\n");
    }

    #[tokio::test]
    async fn half_a_line_stays_a_line_of_its_own() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        std::fs::write(&path, "zero\n{\"type\":\"ev").unwrap();
        Lines::new(path.clone()).ship(&[event("one")]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "zero\n{\"type\":\"ev\none\n");
    }

    #[tokio::test]
    async fn what_is_no_file_is_refused_and_nobody_hangs_there() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert_eq!(Lines::new(pipe).ship(&[event("one")]).await, Err(SinkError::NotAFile));
        assert_eq!(Lines::new("/dev/full".into()).ship(&[event("one")]).await, Err(SinkError::NotAFile));
        let missing = Lines::new(home.path().join("missing/audit.jsonl"));
        assert_eq!(missing.ship(&[event("one")]).await, Err(SinkError::File(io::ErrorKind::NotFound)));
        // A write that hangs leaves the file to itself.
        let sink = Lines::new(home.path().join("audit.jsonl"));
        let open = Arc::clone(&sink.open);
        let (hangs, goes_on) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        let (hangs, goes_on) = (Arc::new(hangs), Arc::new(goes_on));
        let barriers = (Arc::clone(&hangs), Arc::clone(&goes_on));
        let hanging = std::thread::spawn(move || {
            let held = open.lock().unwrap();
            barriers.0.wait();
            barriers.1.wait();
            drop(held);
        });
        hangs.wait();
        assert_eq!(sink.ship(&[event("one")]).await, Err(SinkError::Busy));
        goes_on.wait();
        hanging.join().unwrap();
        sink.ship(&[event("one")]).await.unwrap();
    }
}
