//! Files with secrets: read only when nobody else can, replaced atomically and durably.

use crate::Error;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// The longest file that is read.
const MAX_BYTES: usize = 64 * 1024;

/// Who may touch a file besides its owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// A file of ours: nobody (mode 0600 or less).
    OwnerOnly,
    /// A file that someone else provides: its group may read it (systemd credentials are 0400 or 0440).
    GroupMayRead,
}

impl Access {
    const fn forbidden(self) -> u32 {
        match self {
            Self::OwnerOnly => 0o077,
            Self::GroupMayRead => 0o027,
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::OwnerOnly => "chmod 600",
            Self::GroupMayRead => "chmod 440",
        }
    }
}

/// Reads a text file with secrets, which `form` describes. `Ok(None)`: there is no such file.
pub(crate) fn read(path: &Path, access: Access, form: &str) -> Result<Option<Zeroizing<String>>, Error> {
    let failed = |error: std::io::Error| Error::RootKey(format!("{} cannot be read: {error}.", path.display()));
    // Looked at before opening, because opening a pipe would wait for its writer.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(Error::RootKey(format!("{} is not a regular file.", path.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let mut file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & access.forbidden() != 0 {
        return Err(Error::RootKey(format!(
            "{} has mode {mode:04o}, so that others can get at the secret in it. Run `{} {}`, and replace the secret if \
             others had access.",
            path.display(),
            access.remedy(),
            path.display(),
        )));
    }
    // One allocation that never grows, so that no copy of the secret is left behind.
    let mut bytes = Zeroizing::new(vec![0; MAX_BYTES]);
    let mut length = 0;
    loop {
        let free = bytes.get_mut(length..).unwrap_or_default();
        if free.is_empty() {
            return Err(Error::RootKey(format!("{} is longer than {MAX_BYTES} bytes.", path.display())));
        }
        match file.read(free).map_err(failed)? {
            0 => break,
            read => length = length.saturating_add(read),
        }
    }
    bytes.truncate(length);
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Error::RootKey(format!("{} is not UTF-8 text: {form}.", path.display())))
        }
    }
}

/// Writes a file with mode 0600: first beside it, synced, then moved to its place, and the folder synced. After a crash
/// there is the old content or the new one. With `replace` unset an existing file is left alone and `false` returned.
pub(crate) fn write(path: &Path, content: &str, replace: bool) -> Result<bool, Error> {
    let failed = |error: std::io::Error| Error::RootKey(format!("{} cannot be written: {error}.", path.display()));
    // A link is replaced where it points to, not itself.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let made = if replace { file.persist(&target).map(drop) } else { file.persist_noclobber(&target).map(drop) };
    match made {
        Ok(()) => {}
        Err(error) if !replace && error.error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(failed(error.error)),
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn writes_atomically_with_mode_0600_and_does_not_clobber() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        assert!(read(&path, Access::OwnerOnly, "one key a line").unwrap().is_none());
        assert!(write(&path, "one\n", false).unwrap());
        assert!(!write(&path, "two\n", false).unwrap());
        assert_eq!(read(&path, Access::OwnerOnly, "one key a line").unwrap().unwrap().as_str(), "one\n");
        assert!(write(&path, "three\n", true).unwrap());
        assert_eq!(read(&path, Access::OwnerOnly, "one key a line").unwrap().unwrap().as_str(), "three\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn modes_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "x").unwrap();
        for (bits, owner_only, group_may_read) in [
            (0o600, true, true),
            (0o400, true, true),
            (0o440, false, true),
            (0o640, false, true),
            (0o660, false, false),
            (0o644, false, false),
            (0o604, false, false),
            (0o602, false, false),
        ] {
            mode(&path, bits);
            assert_eq!(read(&path, Access::OwnerOnly, "one key a line").is_ok(), owner_only, "{bits:o}");
            assert_eq!(read(&path, Access::GroupMayRead, "one key a line").is_ok(), group_may_read, "{bits:o}");
        }
    }

    #[test]
    fn folders_long_files_and_binary_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path(), Access::OwnerOnly, "one key a line"), Err(Error::RootKey(_))));
        let path = folder.path().join("secret");
        std::fs::write(&path, vec![b'a'; MAX_BYTES]).unwrap();
        mode(&path, 0o600);
        assert!(matches!(read(&path, Access::OwnerOnly, "one key a line"), Err(Error::RootKey(_))));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path, Access::OwnerOnly, "one key a line"), Err(Error::RootKey(_))));
    }
}
