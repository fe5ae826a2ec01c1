//! A folder as a target. Every part of a name is opened below the one before it and no link is followed, so whoever can
//! write in the folder cannot make us write anywhere else. One file is written at a time: on a file system that hangs, one
//! thread hangs, and nothing newer is there before it.

use async_trait::async_trait;
use certwright_app::{Target, TargetError, TargetObject};
use certwright_domain::publication::ObjectName;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// Files and folders that we make: anybody may read them.
const FILE: Mode = Mode::from_raw_mode(0o644);
const FOLDER: Mode = Mode::from_raw_mode(0o755);

/// How the names of temporary files begin.
const BESIDE: &str = ".certwright-";
/// Seconds after which a temporary file is nobody's: a write takes no tenth of it.
const LEFT_BEHIND_S: i64 = 3600;
/// Folders below that are remembered.
const MAX_SWEPT: usize = 1000;

/// A folder.
pub(super) struct Folder {
    path: PathBuf,
    /// Held while a file is written, also by a thread that nobody waits for any more. The folders below that were looked
    /// through for what writers left behind that were killed.
    writing: Arc<Mutex<BTreeSet<String>>>,
}

/// Says when it is dropped that nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, writing: Arc::default() }
    }
}

#[async_trait]
impl Target for Folder {
    async fn put(&self, object: &TargetObject) -> Result<(), TargetError> {
        let (path, name, bytes) = (self.path.clone(), object.name.clone(), object.bytes.clone());
        let given_up = Arc::new(AtomicBool::new(false));
        let waiting = Waiting(Arc::clone(&given_up));
        let mut swept = Arc::clone(&self.writing).lock_owned().await;
        let written = tokio::task::spawn_blocking(move || write(&path, &name, &bytes, &given_up, &mut swept)).await;
        drop(waiting);
        match written {
            Ok(outcome) => outcome,
            Err(_) => Err(TargetError::File(std::io::ErrorKind::Other)),
        }
    }
}

fn write(
    root: &Path,
    name: &ObjectName,
    bytes: &[u8],
    given_up: &AtomicBool,
    swept: &mut BTreeSet<String>,
) -> Result<(), TargetError> {
    let walk = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = match rustix::fs::open(root, walk, Mode::empty()) {
        Err(Errno::NOENT) => return Err(TargetError::Missing),
        opened => opened.map_err(refused)?,
    };
    let mut segments = name.segments().peekable();
    let mut below = String::new();
    while let Some(segment) = segments.next() {
        if segments.peek().is_none() {
            let sweeping = !swept.contains(&below);
            write_in(&folder, segment, bytes, given_up, sweeping)?;
            if swept.len() >= MAX_SWEPT {
                swept.clear();
            }
            swept.insert(below);
            return Ok(());
        }
        let made = match rustix::fs::mkdirat(&folder, segment, FOLDER) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(refused(error)),
        };
        let next = rustix::fs::openat(&folder, segment, walk | OFlags::NOFOLLOW, Mode::empty()).map_err(refused)?;
        if made {
            // The umask of a server is strict; what is published is for everybody.
            rustix::fs::fchmod(&next, FOLDER).map_err(refused)?;
            // What is in a folder whose own name is not on disk would go with it.
            rustix::fs::fsync(&folder).map_err(refused)?;
        }
        folder = next;
        below.push_str(segment);
        below.push('/');
    }
    Err(TargetError::File(std::io::ErrorKind::InvalidInput))
}

/// Writes beside the file, syncs, and moves it to its place.
fn write_in(
    folder: &OwnedFd,
    leaf: &str,
    bytes: &[u8],
    given_up: &AtomicBool,
    sweeping: bool,
) -> Result<(), TargetError> {
    let beside = beside()?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(folder, beside.as_str(), flags, FILE).map_err(refused)?);
    if sweeping {
        // Best effort: what is left takes room and nothing else.
        let _ = sweep(folder, &file);
    }
    let written = file
        .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .map_err(|error| TargetError::File(error.kind()));
    let moved = written.and_then(|()| {
        // Nobody waits any more: something newer may be there already.
        if given_up.load(Ordering::Acquire) {
            return Err(TargetError::Timeout);
        }
        rustix::fs::renameat(folder, beside.as_str(), folder, leaf).map_err(refused)
    });
    if moved.is_err() {
        // Best effort: the error that counts is the other one.
        let _ = rustix::fs::unlinkat(folder, beside.as_str(), AtFlags::empty());
    }
    moved.and_then(|()| rustix::fs::fsync(folder).map_err(refused))
}

/// Deletes what writers left that were killed: files beside that are an hour older than ours. The time is the file
/// system's own.
fn sweep(folder: &OwnedFd, ours: &File) -> Result<(), Errno> {
    let now = rustix::fs::fstat(ours)?.st_mtime;
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_bytes().starts_with(BESIDE.as_bytes()) {
            continue;
        }
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_mtime.saturating_add(LEFT_BEHIND_S) < now {
            rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
        }
    }
    Ok(())
}

/// A name of a file that nobody else has: several nodes may write into one folder, as processes of the same number on
/// machines of the same name. Names of objects never begin with a dot.
fn beside() -> Result<String, TargetError> {
    let mut random = [0; 16];
    match rustix::rand::getrandom(&mut random, GetRandomFlags::empty()) {
        Ok(16) => Ok(format!("{BESIDE}{:032x}", u128::from_ne_bytes(random))),
        Ok(_) => Err(TargetError::File(std::io::ErrorKind::Other)),
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: Errno) -> TargetError {
    TargetError::File(std::io::Error::from(error).kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use certwright_domain::time::Span;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    fn object(name: &str, bytes: &'static [u8]) -> TargetObject {
        let (name, bytes) = (ObjectName::parse(name).unwrap(), Bytes::from_static(bytes));
        TargetObject { name, content_type: "application/pkix-crl", keep_for: Span::from_minutes(5), bytes }
    }

    #[tokio::test]
    async fn files_are_replaced_whole_and_anybody_may_read_them() {
        // As the server runs.
        crate::harden().unwrap();
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().to_owned());
        for bytes in [&b"one"[..], b"two, which is longer", b"3"] {
            folder.put(&object("crl/deep/root-1.crl", bytes)).await.unwrap();
            let path = home.path().join("crl/deep/root-1.crl");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
            assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o755);
        }
        let beside = std::fs::read_dir(home.path().join("crl/deep")).unwrap().count();
        assert_eq!(beside, 1, "no temporary file is left");
    }

    #[tokio::test]
    async fn while_one_file_is_written_the_next_one_waits_without_a_thread() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().to_owned());
        let hanging = Arc::clone(&folder.writing).lock_owned().await;
        let next = object("root-1.crl", b"x");
        let mut put = folder.put(&next);
        assert!(is_pending(&mut put).await);
        drop(hanging);
        put.await.unwrap();
        assert_eq!(std::fs::read(home.path().join("root-1.crl")).unwrap(), b"x");
    }

    /// Polls once; true: there is no outcome yet.
    async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }

    #[tokio::test]
    async fn what_killed_writers_left_is_deleted_when_it_is_old() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join("crl").join(name);
        std::fs::create_dir(home.path().join("crl")).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH;
        for (name, age) in
            [(".certwright-old", Some(old)), (".certwright-new", None), (".other", Some(old)), ("x.crl", Some(old))]
        {
            let file = File::create(at(name)).unwrap();
            if let Some(age) = age {
                file.set_modified(age).unwrap();
            }
        }
        let folder = Folder::new(home.path().to_owned());
        folder.put(&object("crl/root-1.crl", b"x")).await.unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(home.path().join("crl")).unwrap().map(|one| one.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".certwright-new", ".other", "root-1.crl", "x.crl"]);
    }

    #[test]
    fn no_two_writers_use_one_file_beside() {
        let names: std::collections::BTreeSet<String> = (0..1000).map(|_| beside().unwrap()).collect();
        assert_eq!(names.len(), 1000);
        let process = std::process::id().to_string();
        assert!(names.iter().any(|name| !name.contains(&process)), "containers have the same process ids");
    }

    #[tokio::test]
    async fn links_lead_nowhere() {
        let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = elsewhere.path().join("secret");
        std::fs::write(&secret, "untouched").unwrap();
        let folder = Folder::new(home.path().to_owned());
        symlink(elsewhere.path(), home.path().join("crl")).unwrap();
        assert!(matches!(folder.put(&object("crl/root-1.crl", b"x")).await, Err(TargetError::File(_))));
        symlink(&secret, home.path().join("root-1.crl")).unwrap();
        folder.put(&object("root-1.crl", b"x")).await.unwrap();
        assert_eq!(std::fs::read(home.path().join("root-1.crl")).unwrap(), b"x", "the link was replaced");
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "untouched");
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_told() {
        let home = tempfile::tempdir().unwrap();
        let missing = Folder::new(home.path().join("missing"));
        assert_eq!(missing.put(&object("a", b"x")).await, Err(TargetError::Missing));
        let folder = Folder::new(home.path().to_owned());
        std::fs::create_dir(home.path().join("root-1.crl")).unwrap();
        assert!(matches!(folder.put(&object("root-1.crl", b"x")).await, Err(TargetError::File(_))));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn what_nobody_waits_for_any_more_does_not_take_effect() {
        let home = tempfile::tempdir().unwrap();
        let name = ObjectName::parse("a").unwrap();
        write(home.path(), &name, b"newer", &AtomicBool::new(false), &mut BTreeSet::new()).unwrap();
        let late = write(home.path(), &name, b"older", &AtomicBool::new(true), &mut BTreeSet::new());
        assert_eq!(late, Err(TargetError::Timeout));
        assert_eq!(std::fs::read(home.path().join("a")).unwrap(), b"newer");
    }
}
