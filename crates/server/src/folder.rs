//! The data folder and the files in it that are written for people.

use crate::Error;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Makes the folder with mode 0700 when it is missing; says what is doubtful about one that exists.
pub(crate) fn prepare(path: &Path) -> Result<Vec<String>, Error> {
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            Err(Error::file("use", path, io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder")))
        }
        Ok(found) => Ok(doubts(path, found.mode())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path).map_err(|error| Error::file("make the data folder", path, error))?;
            Ok(Vec::new())
        }
        Err(error) => Err(Error::file("open the data folder", path, error)),
    }
}

/// Reads a secret; one that group or others can read is refused.
pub(crate) fn read_secret(path: &Path) -> Result<Option<String>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", path, error)),
    };
    // Asked of the open file, so that what was judged is what is read.
    let mode = file.metadata().map_err(|error| Error::file("read", path, error))?.mode();
    if mode & 0o077 != 0 {
        return Err(Error::Exposed { path: path.to_owned(), mode });
    }
    io::read_to_string(file).map(Some).map_err(|error| Error::file("read", path, error))
}

/// Writes a file with this mode as a whole: readers see the old one or the new one, and it is on disk.
pub(crate) fn write_file(path: &Path, contents: &[u8], mode: u32) -> Result<(), Error> {
    draft(path, contents, mode)?.put()
}

/// A file that is on disk, but not in its place yet. Dropping it deletes it.
pub(crate) struct Draft {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

/// Writes a file beside its place: what can go wrong has gone wrong before [`Draft::put`].
pub(crate) fn draft(path: &Path, contents: &[u8], mode: u32) -> Result<Draft, Error> {
    let failed = |error| Error::file("write", path, error);
    if path.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let parent = folder_of(path);
    if !parent.exists() {
        make(parent).map_err(failed)?;
    }
    // A temporary file is made with mode 0600, so a secret is never open to others, not even for a moment.
    let mut file = tempfile::Builder::new().prefix(".certwright-").tempfile_in(parent).map_err(failed)?;
    file.write_all(contents).map_err(failed)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(Draft { file, path: path.to_owned() })
}

impl Draft {
    /// Puts it in its place.
    pub(crate) fn put(self) -> Result<(), Error> {
        let Self { file, path } = self;
        let failed = |error| Error::file("write", &path, error);
        file.persist(&path).map_err(|error| failed(error.error))?;
        File::open(folder_of(&path)).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn doubts(path: &Path, mode: u32) -> Vec<String> {
    let mut doubts = Vec::new();
    if mode & 0o022 != 0 {
        doubts.push(format!(
            "the data folder {} can be written by other users (mode {:03o}); chmod 700 keeps them out",
            path.display(),
            mode & 0o777
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_folder_is_private_and_an_open_one_is_doubted() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("a/b");
        assert!(prepare(&data).unwrap().is_empty());
        assert_eq!(mode(&data), 0o700);
        assert!(prepare(&data).unwrap().is_empty());
        fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(prepare(&data).unwrap().len(), 1);
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(prepare(&file), Err(Error::File { .. })));
    }

    #[test]
    fn files_get_their_mode_and_replace_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/admin.token");
        write_file(&path, b"one", 0o600).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        write_file(&path, b"two", 0o644).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o644));
        drop(draft(&path, b"three", 0o600).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
        assert!(draft(path.parent().unwrap(), b"x", 0o600).is_err(), "a folder is told before anything depends on it");
    }

    #[test]
    fn secrets_that_others_can_read_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin.token");
        assert_eq!(read_secret(&path).unwrap(), None);
        write_file(&path, b"secret", 0o600).unwrap();
        assert_eq!(read_secret(&path).unwrap().as_deref(), Some("secret"));
        for open in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            assert!(matches!(read_secret(&path), Err(Error::Exposed { mode, .. }) if mode & 0o777 == open));
        }
    }
}
