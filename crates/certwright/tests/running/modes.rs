//! Files that others could read or write (A43): the server does not start with a secret that is not one any more.

use super::server::{self, Server};
use std::fs;
use std::path::{Path, PathBuf};

/// A server that has its files: root key, database, a TLS key of the operator.
fn prepared() -> (Server, PathBuf) {
    let mut server = Server::new(None);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/data");
    let (chain, key) = (server.home().join("tls.crt"), server.home().join("tls.key"));
    fs::copy(data.join("one.pem"), &chain).unwrap();
    fs::copy(data.join("one.key"), &key).unwrap();
    server::set_mode(&key, 0o600);
    server.config(&format!("tls.certificate = \"{}\"\ntls.key = \"{}\"\n", chain.display(), key.display()));
    server.start(&[]);
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    (server, key)
}

#[test]
fn secrets_that_others_can_get_at_stop_the_start() {
    let (mut server, tls_key) = prepared();
    let root_key = server.data().join("root.key");
    let mut refused = 0_u32;
    for (path, modes) in [
        (&root_key, [0o604, 0o640, 0o644, 0o660, 0o602, 0o620, 0o666, 0o601].as_slice()),
        (&tls_key, [0o604, 0o644, 0o666, 0o606].as_slice()),
    ] {
        for mode in modes {
            server::set_mode(path, *mode);
            let (code, text) = server.refusal();
            assert_eq!(code, Some(1), "{} {mode:o}: {text}", path.display());
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(text.contains(name) && text.contains("chmod"), "{mode:o}: {text}");
            refused = refused.saturating_add(1);
        }
        server::set_mode(path, 0o600);
    }
    assert_eq!(refused, 12);
    // As it was before, it starts.
    server.start(&[]);
    assert_eq!(server.terminate(), Some(0));
}

/// What can be mended without asking is mended, and what only its owner can judge is told.
#[test]
fn the_database_is_closed_to_others_and_open_folders_and_configurations_are_told() {
    let (mut server, _) = prepared();
    let (database, data) = (server.data().join("certwright.db"), server.data().to_owned());
    server::set_mode(&database, 0o666);
    server::set_mode(&data, 0o777);
    let config = server.home().join("certwright.toml");
    let text = fs::read_to_string(&config).unwrap();
    server.config(&format!("database_url = \"sqlite:{}\"\n{text}", database.display()));
    server::set_mode(&config, 0o666);
    server.start(&[]);
    let log = server.log();
    assert_eq!(server::mode(&database), 0o600, "{log}");
    for said in ["the database file was open to other users", "can be written by other users", "certwright.toml"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert_eq!(server.terminate(), Some(0));
    for entry in fs::read_dir(&data).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        assert_eq!(server::mode(&entry.path()) & 0o077, 0, "{}", entry.path().display());
    }
}

/// Whatever the shell's umask is.
#[test]
fn what_the_server_makes_is_its_owners_alone() {
    let (mut server, _) = prepared();
    server.start(&[]);
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    assert!(status.lines().any(|line| line == "Umask:\t0077"), "{status}");
    assert_eq!(server.terminate(), Some(0));
    let mut files = 0_u32;
    for entry in fs::read_dir(server.data()).unwrap().map(Result::unwrap) {
        // What clients are to trust is for everybody, in a folder that is not.
        if entry.path().is_dir() {
            continue;
        }
        assert_eq!(server::mode(&entry.path()) & 0o077, 0, "{}", entry.path().display());
        files = files.saturating_add(1);
    }
    assert!(files >= 3, "{files}");
}
