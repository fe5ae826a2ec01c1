//! What the process gives up before it touches a secret.

use crate::Error;
use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask};

/// No core dumps, no reading of our memory by other processes of the same user, and files that are ours alone.
pub fn harden() -> Result<(), Error> {
    let failed = |error: rustix::io::Errno| Error::System { doing: "harden the process", why: error.to_string() };
    keep_files_ours();
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(failed)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed)
}

/// What we make is ours alone, unless whoever makes it says otherwise.
pub(crate) fn keep_files_ours() {
    umask(Mode::RWXG | Mode::RWXO);
}
