//! The real binary on free ports: first start, second start, signals, commands; on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "everything in here is a test or its helper, and a test fails by a panic"
)]

mod hostile;
mod modes;
mod server;

use server::{Server, get, mode, run};
use std::fs;
use std::path::Path;

const LIVE: &str = "/healthz";
const READY: &str = "/readyz";
const WHOAMI: &str = "/v1/whoami";

/// What holds on every database.
fn first_and_second_start(database_url: Option<&str>) {
    let mut server = Server::new(database_url);
    assert_eq!(server.command(&["healthcheck"]).status.code(), Some(1), "nobody serves yet");
    assert_eq!(server.command(&["admin-token"]).status.code(), Some(1), "there is no token yet");
    let rotated = server.command(&["admin-token", "--rotate"]);
    assert_eq!(rotated.status.code(), Some(1), "nothing was set up yet");
    assert!(String::from_utf8_lossy(&rotated.stderr).contains("try:"), "{rotated:?}");

    server.start(&[]);
    for path in [LIVE, READY] {
        assert_eq!(server.plain(path).status, 200, "{path}");
        assert_eq!(server.command(&["healthcheck"]).status.code(), Some(0));
    }
    assert_eq!(server.plain(WHOAMI).status, 404, "the API stands on the TLS listener alone");
    assert_eq!(server.api(WHOAMI, None).status, 401);
    let token = server.token();
    let answer = server.api(WHOAMI, Some(&token));
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(server.command(&["admin-token"]).stdout, format!("{token}\n").as_bytes());

    assert_eq!(mode(server.data()), 0o700);
    for secret in ["admin.token", "root.key"] {
        assert_eq!(mode(&server.data().join(secret)), 0o600, "{secret}");
    }
    assert_eq!(mode(&server.data().join("tls/ca.pem")), 0o644);
    let (log, root) = (server.log(), server.root());
    assert!(log.contains("admin.token") && !log.contains(&token), "the path is logged, the token is not: {log}");
    assert!(log.contains("root_key.source"), "the root key's place is warned about: {log}");

    // A new token takes the place of the old one while the server runs.
    let rotated = server.command(&["admin-token", "--rotate"]);
    assert_eq!(rotated.status.code(), Some(0), "{rotated:?}");
    let new_token = server.token();
    assert_ne!(token, new_token);
    assert_eq!(rotated.stdout, format!("{new_token}\n").as_bytes());
    assert_eq!(server.api(WHOAMI, Some(&new_token)).status, 200);
    assert_eq!(server.api(WHOAMI, Some(&token)).status, 401);

    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    assert!(server.log().contains("stopped"));

    let migrated = server.command(&["migrate"]);
    assert!(String::from_utf8_lossy(&migrated.stdout).contains("up to date"), "{migrated:?}");

    server.start(&[]);
    assert_eq!(server.token(), new_token);
    assert_eq!(server.root(), root, "clients that trust the service CA go on trusting it");
    assert_eq!(server.api(WHOAMI, Some(&new_token)).status, 200);
    assert_eq!(server.interrupt(), Some(0));
}

#[test]
fn sqlite_from_the_first_start_on() {
    first_and_second_start(None);
}

#[test]
fn postgres_from_the_first_start_on() {
    let (url, _database) = certwright_testkit::postgres::fresh_database();
    first_and_second_start(Some(&url));
}

#[test]
fn files_of_the_operator_are_read_again_on_sighup_and_bad_ones_are_not_taken() {
    let mut server = Server::new(None);
    let (chain, key) = (server.home().join("tls.crt"), server.home().join("tls.key"));
    let install = |name: &str| {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/data");
        fs::copy(data.join(format!("{name}.pem")), &chain).unwrap();
        fs::copy(data.join(format!("{name}.key")), &key).unwrap();
        server::set_mode(&key, 0o600);
        fs::read_to_string(data.join("root.pem")).unwrap()
    };
    let root = install("one");
    server.config(&format!(
        "tls.certificate = \"{}\"\ntls.key = \"{}\"\nlog.format = \"json\"\n",
        chain.display(),
        key.display()
    ));
    server.start(&[]);
    let first = server.api_trusting(&root, LIVE);
    assert_eq!(first.status, 200);
    assert!(
        server.log().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{}",
        server.log()
    );

    // A key that does not belong to the certificate: everything stays.
    fs::write(&key, "not a key").unwrap();
    server.reload("stays as it was");
    assert_eq!(server.api_trusting(&root, LIVE).certificate, first.certificate);

    install("two");
    server.reload("was read again");
    let second = server.api_trusting(&root, LIVE);
    assert_ne!(second.certificate, first.certificate);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn the_log_level_follows_the_file_on_sighup_and_a_broken_file_changes_nothing() {
    let mut server = Server::new(None);
    server.config("log.level = \"error\"\n");
    server.start(&[]);
    assert!(!server.log().contains("serving"), "{}", server.log());
    server.config("log.level = \"info\"\n");
    server.reload("reloaded");
    server.config("log.level = \"nonsense\"\n");
    server.reload("was not read again");
    assert_eq!(server.plain(READY).status, 200);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn faults_are_told_together_and_nothing_is_made() {
    let server = Server::new(None);
    server.config("lisen = \"x\"\n[limits]\nbody = \"huge\"\n[log]\nlevel = \"loud\"\n");
    for command in ["serve", "migrate", "healthcheck"] {
        let refused = server.command(&[command]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.starts_with("error: the configuration has 3 faults\n"), "{text}");
        for line in ["lisen (", ":1): ", "limits.body (", ":3): ", "log.level (", ":5): ", "\ntry:   "] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
    assert!(!server.data().exists());
    assert_eq!(run(&["--nosuch"], &[]).status.code(), Some(2));
    assert_eq!(run(&["--version"], &[]).stdout, format!("certwright {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

#[test]
fn the_environment_and_flags_are_shown_with_their_origin_and_without_secrets() {
    let environment = [
        ("CERTWRIGHT_DATABASE_URL", "postgres://certwright:hunter2@db/certwright"),
        ("CERTWRIGHT_LISTEN", "127.0.0.1:9443"),
        ("CERTWRIGHT_PUBLIC_URL", ""),
    ];
    let shown = run(&["config", "show", "--origin", "--listen", "127.0.0.1:9444"], &environment);
    let text = String::from_utf8(shown.stdout).unwrap();
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("listen =").contains("127.0.0.1:9444") && line("listen =").ends_with("--listen"), "{text}");
    assert!(line("database_url =").ends_with("CERTWRIGHT_DATABASE_URL") && !text.contains("hunter2"), "{text}");
    assert!(
        line("public_url =").contains("https://localhost:9444") && line("public_url =").ends_with("derived"),
        "{text}"
    );
    assert_eq!(run(&["config", "check"], &environment).status.code(), Some(0));
    let example = run(&["config", "example"], &[]).stdout;
    let stored = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/certwright.example.toml")).unwrap();
    assert!(example == stored, "config/certwright.example.toml is what the program prints");
}

#[test]
fn a_taken_port_and_an_exposed_token_are_refused() {
    let mut server = Server::new(None);
    let holder = std::net::TcpListener::bind(("127.0.0.1", server.api_port())).unwrap();
    let refused = server.command(&["serve"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("error: cannot listen on") && text.contains("try:   stop the program"), "{text}");
    assert!(!server.data().exists(), "nothing half-made is left");
    drop(holder);

    server.start(&[]);
    assert_eq!(server.terminate(), Some(0));
    server::set_mode(&server.data().join("admin.token"), 0o644);
    let refused = server.command(&["admin-token"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty());
    // A lost root key is never replaced by another one: everything that was sealed would be lost with it.
    fs::remove_file(server.data().join("root.key")).unwrap();
    let refused = server.command(&["serve"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("root.key"), "{refused:?}");
    assert!(!server.data().join("root.key").exists());
}

#[test]
fn insecure_http_serves_the_api_on_loopback_alone() {
    let mut server = Server::new(None);
    server.start(&["--insecure-http"]);
    let answer = get(server.api_port(), None, WHOAMI, Some(&server.token()));
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!server.data().join("tls").exists());
    assert_eq!(server.terminate(), Some(0));
    let refused = run(&["config", "check", "--insecure-http", "--listen", "0.0.0.0:8443"], &[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[test]
fn metrics_stand_on_the_plain_listener_when_enabled() {
    let mut server = Server::new(None);
    server.start(&[]);
    assert_eq!(server.plain("/metrics").status, 404);
    assert_eq!(server.terminate(), Some(0));
    server.config("metrics.enabled = true\n");
    server.start(&[]);
    let answer = server.plain("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("certwright_build_info{version=\"0.1.0\"} 1"), "{}", answer.text);
    assert!(answer.text.contains("certwright_connections{listener=\"plain\"}"), "{}", answer.text);
    assert_eq!(server.api("/metrics", None).status, 404);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn heads_that_are_too_large_and_callers_that_say_nothing_are_turned_away() {
    let mut server = Server::new(None);
    server.config("limits.headers = \"8 KiB\"\nlimits.header_timeout = \"1s\"\nlimits.handshake_timeout = \"1s\"\n");
    server.start(&[]);
    let token = "x".repeat(9 * 1024);
    assert_eq!(server.api(WHOAMI, Some(&token)).status, 431);
    // Both end because the server closes: one never shakes hands, the other never asks.
    for port in [server.api_port(), server.plain_port()] {
        assert_eq!(server::silence(port), 0);
    }
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn what_cannot_be_is_said_before_anything_is_made() {
    let server = Server::new(None);
    let refused = server.command(&["quickstart", "--no-serve", "--name", "a b"]);
    let said = String::from_utf8(refused.stderr.clone()).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("error: cannot take --name"), "{said}");
    assert!(!server.data().exists(), "nothing was made");

    let verify = run(&["audit", "verify", "nix"], &[]);
    let said = String::from_utf8(verify.stderr).unwrap();
    assert!(verify.status.code() == Some(1) && !said.contains("--data"), "{said}");
}

#[test]
fn quickstart_sets_up_once_and_then_says_so() {
    let server = Server::new(None);
    let made =
        server.command(&["quickstart", "--no-serve", "--organization", "Example", "--name", "first.example.com"]);
    let text = String::from_utf8(made.stdout.clone()).unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    for program in ["curl ", "certwright ", "openssl "] {
        assert_eq!(text.lines().filter(|line| line.starts_with(program)).count(), 1, "{text}");
    }
    let token = fs::read_to_string(server.data().join("admin.token")).unwrap();
    assert!(!text.contains(token.trim()), "the token is not printed");
    assert!(fs::read_to_string(server.data().join("root.pem")).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let again = server.command(&["quickstart", "--no-serve"]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stdout).contains("nothing was made"), "{again:?}");
    assert_eq!(fs::read_to_string(server.data().join("admin.token")).unwrap(), token);
}

#[test]
fn the_process_leaves_no_core_and_cannot_be_read() {
    let mut server = Server::new(None);
    server.start(&[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_request_that_never_ends_is_cut_off_at_the_deadline() {
    let mut server = Server::new(None);
    server.config("shutdown_deadline = \"1s\"\n");
    server.start(&["--insecure-http"]);
    let _stuck = server::stuck_request(server.api_port(), &server.token());
    assert_eq!(server.terminate(), Some(0));
    assert!(server.log().contains("cut off"), "{}", server.log());
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut server = Server::new(None);
    server.start(&["--insecure-http"]);
    let _stuck = server::stuck_request(server.api_port(), &server.token());
    server.begin_to_stop();
    assert_eq!(server.terminate(), Some(1));
    assert!(server.log().contains("stopped at once"), "{}", server.log());
}

#[test]
fn a_token_that_cannot_be_written_down_is_not_lost() {
    let mut server = Server::new(None);
    let path = server.data().join("admin.token");
    fs::create_dir_all(&path).unwrap();
    server::set_mode(server.data(), 0o700);
    let (code, text) = server.refusal();
    assert!(code == Some(1) && text.contains("admin.token"), "{code:?} {text}");
    // It was not put in force, so the next start makes the first one.
    fs::remove_dir(&path).unwrap();
    server.start(&[]);
    assert_eq!(server.api(WHOAMI, Some(&server.token())).status, 200);

    // A new one is printed, file or not.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let rotated = server.command(&["admin-token", "--rotate"]);
    let said = String::from_utf8_lossy(&rotated.stderr);
    assert!(rotated.status.code() == Some(1) && said.contains("is in force, but"), "{rotated:?}");
    let token = String::from_utf8(rotated.stdout).unwrap();
    assert_eq!(server.api(WHOAMI, Some(token.trim())).status, 200);
    assert_eq!(server.terminate(), Some(0));

    // A first start that was cut off between the two leaves no file: that is told, with what helps.
    fs::remove_dir(&path).unwrap();
    server.start(&[]);
    assert!(server.log().contains("a first start that was interrupted"), "{}", server.log());
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn quickstart_serves_on_when_nobody_reads_what_it_says() {
    let mut server = Server::new(None);
    server.start_unread("quickstart");
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    assert!(server.log().contains("stopped"), "{}", server.log());
}

#[test]
fn a_signal_ends_a_start_that_takes_long() {
    // A database that takes the connection and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://certwright@{}/certwright?sslmode=disable", silent.local_addr().unwrap());
    for verb in ["serve", "quickstart"] {
        let mut server = Server::new(Some(&url));
        server.spawn_verb(verb, &[]);
        let asked = silent.accept().unwrap();
        assert_eq!(server.terminate(), Some(0), "{verb}: {}", server.log());
        assert!(server.log().contains("stopped before anything was served"), "{verb}: {}", server.log());
        drop(asked);
    }
}

#[test]
fn two_nodes_share_a_database_and_a_root_key() {
    let (url, _database) = certwright_testkit::postgres::fresh_database();
    let shared = tempfile::tempdir().unwrap();
    let key = shared.path().join("root-key");
    fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
    server::set_mode(&key, 0o600);
    let mut nodes = [Server::new(Some(&url)), Server::new(Some(&url))];
    for node in &mut nodes {
        node.config(&format!("root_key = {{ source = \"credential\", path = \"{}\" }}\n", key.display()));
        node.spawn(&[]);
    }
    for node in &mut nodes {
        node.wait_until_ready();
    }
    // One of them made the administrator; both know it.
    let tokens: Vec<_> = nodes.iter().filter(|node| node.data().join("admin.token").exists()).collect();
    assert_eq!(tokens.len(), 1);
    let token = tokens[0].token();
    assert_eq!(nodes[0].root(), nodes[1].root(), "one service CA");
    for node in &nodes {
        assert_eq!(node.api(WHOAMI, Some(&token)).status, 200);
        assert!(!node.log().contains("root_key.source"), "a credential is nothing to warn about: {}", node.log());
    }
    for node in &mut nodes {
        assert_eq!(node.terminate(), Some(0), "{}", node.log());
    }
}
