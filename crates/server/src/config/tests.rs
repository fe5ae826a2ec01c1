//! Tables of what is accepted, what is refused, who wins, and what is never shown.

use super::*;
use crate::Error;
use certwright_domain::time::Span;
use certwright_keystore::RootKeySource;
use certwright_store::Location;
use certwright_validation::dns::Servers;
use std::path::Path;
use std::time::Duration;

fn file(text: &str) -> (tempfile::TempDir, Sources) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("certwright.toml");
    std::fs::write(&path, text).unwrap();
    (home, Sources::new().with_file(path))
}

fn settings(text: &str) -> Settings {
    file(text).1.load().unwrap_or_else(|faults| panic!("{text}: {faults:?}")).settings
}

/// Paths and lines of the faults.
fn faults(text: &str) -> Vec<(String, usize)> {
    let (_home, sources) = file(text);
    let faults = sources.load().err().unwrap_or_else(|| panic!("accepted: {text}"));
    faults
        .into_iter()
        .map(|fault| match fault.origin {
            Origin::File { line, .. } => (fault.path, line),
            _ => (fault.path, 0),
        })
        .collect()
}

#[test]
fn folders_that_are_not_there_are_told_when_the_configuration_is_checked() {
    let home = tempfile::tempdir().unwrap();
    let there = home.path().display();
    let text = format!(
        "[publication.a]\nkind = \"folder\"\npath = \"{there}\"\n\
         [publication.web]\nkind = \"folder\"\npath = \"{there}/nix\"\n\
         [audit.sink.a]\nkind = \"file\"\npath = \"{there}/audit.jsonl\"\n\
         [audit.sink.file]\nkind = \"file\"\npath = \"{there}/nix/audit.jsonl\"\n"
    );
    let (_home, sources) = file(&text);
    let loaded = sources.load().unwrap_or_else(|faults| panic!("{faults:?}"));
    let missing: Vec<(String, usize)> = loaded
        .missing_folders()
        .into_iter()
        .map(|fault| match fault.origin {
            Origin::File { line, .. } => (fault.path, line),
            _ => (fault.path, 0),
        })
        .collect();
    assert_eq!(missing, [("publication.web.path".to_owned(), 6), ("audit.sink.file.path".to_owned(), 12)]);
    assert!(loaded.missing_folders().first().is_some_and(|fault| fault.detail.contains("nix is not there")));
    assert!(Sources::new().load().unwrap_or_else(|faults| panic!("{faults:?}")).missing_folders().is_empty());
}

#[test]
fn the_defaults_are_what_the_design_says() {
    let settings = Sources::new().load().unwrap().settings;
    assert_eq!(settings.data, Path::new("./certwright-data"));
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(settings.http_listen.unwrap().to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_url.as_str(), "https://localhost:8443");
    assert_eq!(settings.pki_url.as_str(), "http://localhost:8080");
    assert_eq!(settings.database.location(), &Location::Sqlite("./certwright-data/certwright.db".into()));
    assert_eq!(settings.root_key, RootKeySource::File { path: "./certwright-data/root.key".into(), create: false });
    assert_eq!(settings.shutdown_deadline, Duration::from_secs(30));
    assert_eq!(settings.idempotency_lifetime, Span::from_hours(24));
    assert_eq!(settings.retention, None);
    assert_eq!(settings.events.retention, Span::from_days(90));
    assert_eq!(settings.events.first_retry, Span::from_s(10));
    assert_eq!(settings.events.rules, certwright_domain::egress::EgressRules::default());
    assert_eq!(settings.issuance, certwright_domain::rules::ServiceLimits::default());
    let limits = settings.limits;
    assert_eq!((limits.body, limits.headers), (1 << 20, 32 << 10));
    assert_eq!((limits.header_timeout, limits.idle_timeout), (Duration::from_secs(10), Duration::from_secs(60)));
    let TlsSource::Service { names } = settings.tls else { panic!("the service CA is the default") };
    assert_eq!(names.get(..3).unwrap(), ["localhost", "127.0.0.1", "::1"]);
    assert!(!settings.metrics);
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let (_home, in_file) = file("listen = \"127.0.0.1:1003\"\n");
    let env =
        |sources: &Sources| sources.clone().with("listen", "127.0.0.1:1002", Origin::Environment("CERTWRIGHT_LISTEN"));
    let flag = |sources: &Sources| sources.clone().with("listen", "127.0.0.1:1001", Origin::Flag("listen"));
    for (sources, port, origin) in [
        (Sources::new(), 8443, "default"),
        (in_file.clone(), 1003, "certwright.toml:1"),
        (env(&in_file), 1002, "CERTWRIGHT_LISTEN"),
        (flag(&in_file), 1001, "--listen"),
        (flag(&env(&in_file)), 1001, "--listen"),
        (env(&flag(&in_file)), 1001, "--listen"),
        (env(&Sources::new()), 1002, "CERTWRIGHT_LISTEN"),
    ] {
        let loaded = sources.load().unwrap();
        assert_eq!(loaded.settings.listen.port(), port);
        let shown = loaded.show(true);
        let line = shown.lines().find(|line| line.starts_with("listen = ")).unwrap();
        assert!(line.ends_with(origin), "{line} should come from {origin}");
        assert!(loaded.settings.public_url.as_str().ends_with(&format!(":{port}")), "derived from the winner");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let text = "\
listen = \"nowhere\"
lissten = \"127.0.0.1:1\"
http_listen = 8080

[limits]
body = \"much\"
header_timeout = \"0s\"
connections = -1
requests = 0

[tls]
certificate = \"/only/one.pem\"
names = [\"fine.example.com\", \"not fine\", \"also not\"]

[nosuch]
key = 1

[log]
format = \"xml\"
level = \"loud\"

[root_key]
source = \"hsm\"

[issuance]
leaf_max_backdate = \"1s\"
";
    let found = faults(text);
    let wanted = [
        ("listen", 1),
        ("lissten", 2),
        ("http_listen", 3),
        ("limits.body", 6),
        ("limits.header_timeout", 7),
        ("limits.connections", 8),
        ("limits.requests", 9),
        ("tls.key", 0),
        ("tls.names", 13),
        ("tls.names", 13),
        ("nosuch", 15),
        ("log.format", 19),
        ("log.level", 20),
        ("root_key.source", 23),
        ("issuance.leaf_max_backdate", 26),
    ];
    for (path, line) in wanted {
        assert!(found.contains(&(path.to_owned(), line)), "{path}:{line} is missing in {found:?}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:?}");
}

#[test]
fn single_values_out_of_bounds_are_refused() {
    for (text, path) in [
        ("listen = \"127.0.0.1\"", "listen"),
        ("listen = \"127.0.0.1:0\"", "listen"),
        ("listen = \"localhost:8443\"", "listen"),
        ("data = \"\"", "data"),
        ("public_url = \"ca.example.com\"", "public_url"),
        ("public_url = \"ftp://ca.example.com\"", "public_url"),
        ("public_url = \"https://user@ca.example.com\"", "public_url"),
        ("public_url = \"https://ca.example.com/?x\"", "public_url"),
        ("public_url = \"https://ca_x.example.com\"", "public_url"),
        ("public_url = \"https://ca.example.com:0\"", "public_url"),
        ("pki_url = \"https://ca.example.com\"", "pki_url"),
        ("http_listen = \"off\"", "pki_url"),
        ("http_listen = \"127.0.0.1:8443\"", "http_listen"),
        ("database_url = \"mysql://x\"", "database_url"),
        ("database_url = \"sqlite::memory:\"", "database_url"),
        ("insecure_http = true\nlisten = \"0.0.0.0:8443\"", "insecure_http"),
        ("insecure_http = \"yes\"", "insecure_http"),
        ("shutdown_deadline = \"2h\"", "shutdown_deadline"),
        ("shutdown_deadline = 30", "shutdown_deadline"),
        ("limits.body = \"1 KiB\"", "limits.body"),
        ("limits.body = \"1 GiB\"", "limits.body"),
        ("limits.headers = \"4 KiB\"", "limits.headers"),
        ("limits.idle_timeout = \"30s\"", "limits.idle_timeout"),
        ("inventory.retention = \"12h\"", "inventory.retention"),
        ("events.retention = \"1h\"", "events.retention"),
        ("webhooks.first_retry = \"0s\"", "webhooks.first_retry"),
        ("webhooks.first_retry = \"2h\"", "webhooks.first_retry"),
        ("egress.allowed_ranges = [\"10.0.0.0\"]", "egress.allowed_ranges"),
        ("egress.ca_file = \"\"", "egress.ca_file"),
        ("acme.http_port = 0", "acme.http_port"),
        ("acme.tls_port = 65536", "acme.tls_port"),
        ("acme.dns_servers = [\"ns.example.com\"]", "acme.dns_servers"),
        ("acme.dns_servers = [\"10.0.0.1:0\"]", "acme.dns_servers"),
        ("acme.dns_servers = [\"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\", \"10.0.0.4\"]", "acme.dns_servers"),
        ("acme.allowed_private_ranges = [\"10.0.0.0\"]", "acme.allowed_private_ranges"),
        ("acme.zones = [\"corp.example\"]", "acme.zones"),
        ("acme.zones = { \"corp.example\" = \"10.0.0.1\" }", "acme.zones"),
        ("[acme.zones]\n\"corp.example\" = []", "acme.zones"),
        ("[acme.zones]\n\"corp.example\" = [\"ns1\"]", "acme.zones"),
        ("[acme.zones]\n\"corp example\" = [\"10.0.0.1\"]", "acme.zones"),
        ("idempotency.lifetime = \"P1M\"", "idempotency.lifetime"),
        ("root_key.source = \"credential\"", "root_key.path"),
        ("root_key.source = \"passphrase\"", "root_key.path"),
        ("tls.key = \"/x\"", "tls.certificate"),
        ("tls.names = [\"a@example.com\"]", "tls.names"),
        ("tls.names = [1]", "tls.names"),
        ("tls = 1", "tls"),
        // What would be taken and then do nothing.
        ("tls = { certificate = \"/c\", key = \"/k\", names = [\"a.example.com\"] }", "tls.names"),
        ("insecure_http = true\ntls.names = [\"a.example.com\"]", "tls.names"),
        ("root_key.salt_path = \"/s\"", "root_key.salt_path"),
        ("root_key = { source = \"credential\", path = \"/k\", salt_path = \"/s\" }", "root_key.salt_path"),
    ] {
        assert_eq!(faults(text).into_iter().map(|(path, _)| path).collect::<Vec<_>>(), [path], "{text}");
    }
}

/// DN4: DNS servers are the deployment's, and may be others for a zone.
#[test]
fn dn4_dns_servers_are_read_with_and_without_ports_and_per_zone() {
    let settings = Sources::new().load().unwrap().settings;
    assert_eq!((settings.acme.http_port, settings.acme.tls_port), (80, 443));
    assert_eq!(settings.acme.servers, Servers::default());
    assert_eq!(settings.acme.rules, certwright_domain::egress::EgressRules::default());

    let (_home, sources) = file(
        "[acme]\ndns_servers = [\"10.0.0.53\", \"[fd00::53]:5353\"]\nallowed_private_ranges = [\"10.0.0.0/8\"]\n\
         [acme.zones]\n\"corp.example\" = [\"10.1.0.53\"]\nlab = [\"10.2.0.53:54\", \"10.2.0.54\"]\n",
    );
    let loaded = sources.load().unwrap();
    let at = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let expected = Servers::new(at(&["10.0.0.53:53", "[fd00::53]:5353"]))
        .with_zone("corp.example", at(&["10.1.0.53:53"]))
        .with_zone("lab", at(&["10.2.0.53:54", "10.2.0.54:53"]));
    assert_eq!(loaded.settings.acme.servers, expected);
    let allowed = certwright_domain::egress::EgressRules::parse(["10.0.0.0/8"]).unwrap();
    assert_eq!(loaded.settings.acme.rules, allowed);
    let shown = loaded.show(false);
    assert!(shown.contains(r#"acme.zones = { "corp.example" = ["10.1.0.53"], "lab" = "#), "{shown}");
}

#[test]
fn broken_toml_is_one_fault_that_does_not_quote_the_line() {
    let (_home, sources) = file("data = \"/x\"\ndatabase_url = \"postgres://u:hunter2@h/d\nlisten = \"127.0.0.1:1\"\n");
    let found = sources.load().err().unwrap();
    assert!(!found.is_empty());
    let text = Error::Config(found).explain().to_string();
    assert!(text.contains("certwright.toml:2"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let missing = Sources::new().with_file("/nonexistent/certwright.toml".into()).load().err().unwrap();
    assert_eq!(missing.len(), 1);
    assert!(!faults("data = \"a\"\ndata = \"b\"\n").is_empty(), "a key that stands twice is refused");
}

#[test]
fn near_misses_are_suggested() {
    for (text, wanted) in [
        ("lissten = 1", "`listen`"),
        ("retention = \"1d\"", "`inventory.retention`"),
        ("log.levl = \"info\"", "`log.level`"),
        ("whatever_else = 1", "config example"),
    ] {
        let (_home, sources) = file(text);
        let faults = sources.load().err().unwrap();
        assert!(faults[0].hint.contains(wanted), "{text}: {}", faults[0].hint);
    }
}

#[test]
fn a_file_that_others_can_write_or_whose_password_they_can_read_is_doubted() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certwright.toml");
    let doubts = |url: &str, mode: u32| {
        std::fs::write(&path, format!("database_url = \"{url}\"\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Sources::new().with_file(path.clone()).load().unwrap().doubts()
    };
    let (with, without) = ("postgres://certwright:hunter2@db/certwright", "postgres://certwright@db/certwright");
    for (url, mode, count) in [
        (with, 0o600, 0),
        (with, 0o400, 0),
        (with, 0o640, 1),
        (with, 0o604, 1),
        (with, 0o620, 1),
        (with, 0o666, 2),
        (without, 0o644, 0),
        (without, 0o664, 1),
        (without, 0o602, 1),
    ] {
        let said = doubts(url, mode);
        assert_eq!(said.len(), count, "{mode:o}: {said:?}");
        assert!(said.iter().all(|text| text.contains("certwright.toml") && !text.contains("hunter2")), "{said:?}");
    }
    assert!(Sources::new().load().unwrap().doubts().is_empty());
}

#[test]
fn passwords_are_masked_wherever_settings_are_shown() {
    for url in [
        "postgres://certwright:hunter2@db/certwright",
        "postgres://certwright:hun@ter2@db/certwright",
        "postgres://certwright:hunter2@[::1]:5432/certwright?sslmode=require",
        "postgres://db/certwright?user=x&password=hunter2",
        "postgres://db/certwright?sslpassword=hunter2&x=1",
        "postgresql://certwright:hunter2/hunter2@db/x",
    ] {
        let sources = Sources::new().with("database_url", url, Origin::Environment("CERTWRIGHT_DATABASE_URL"));
        let loaded = sources.load().unwrap();
        assert_eq!(loaded.settings.database.location(), &Location::Postgres(url.to_owned()));
        for text in [loaded.show(true), format!("{:?}", loaded.settings), loaded.settings.database.describe()] {
            assert!(!text.contains("hun") && !text.contains("ter2"), "{text}");
            assert!(text.contains("***"), "{text}");
        }
    }
    assert_eq!(mask_url("postgres://certwright@db/x"), "postgres://certwright@db/x");
    assert_eq!(mask_url("postgres:///x?host=/run/postgresql"), "postgres:///x?host=/run/postgresql");
}

#[test]
fn urls_are_derived_from_where_we_listen() {
    for (text, public, pki) in [
        ("listen = \"0.0.0.0:443\"", "https://localhost", "http://localhost:8080"),
        ("listen = \"10.0.0.5:8443\"", "https://10.0.0.5:8443", "http://10.0.0.5:8080"),
        ("listen = \"[2001:db8::1]:8443\"", "https://[2001:db8::1]:8443", "http://[2001:db8::1]:8080"),
        (
            "public_url = \"https://ca.example.com/\"\nhttp_listen = \"0.0.0.0:80\"",
            "https://ca.example.com",
            "http://ca.example.com",
        ),
        (
            "public_url = \"https://CA.example.com/base/\"\npki_url = \"http://pki.example.com/x/\"",
            "https://CA.example.com/base",
            "http://pki.example.com/x",
        ),
        ("insecure_http = true", "http://localhost:8443", "http://localhost:8080"),
        (
            "http_listen = \"off\"\npki_url = \"http://pki.example.com\"",
            "https://localhost:8443",
            "http://pki.example.com",
        ),
    ] {
        let settings = settings(text);
        assert_eq!((settings.public_url.as_str(), settings.pki_url.as_str()), (public, pki), "{text}");
    }
}

#[test]
fn the_certificate_is_for_every_name_we_are_called_by_and_none_twice() {
    let settings = settings(
        "listen = \"10.0.0.5:8443\"\npublic_url = \"https://ca.example.com\"\ntls.names = [\"localhost\", \"Extra.Example.COM\"]",
    );
    let TlsSource::Service { names } = settings.tls else { panic!() };
    for wanted in ["localhost", "127.0.0.1", "::1", "ca.example.com", "10.0.0.5", "extra.example.com"] {
        assert_eq!(names.iter().filter(|name| *name == wanted).count(), 1, "{wanted} in {names:?}");
    }
}

#[test]
fn sources_of_the_root_key_and_of_tls() {
    let key = |text: &str| settings(text).root_key;
    assert_eq!(
        key("root_key = { source = \"credential\", path = \"/run/k\" }"),
        RootKeySource::Credential { path: "/run/k".into() }
    );
    assert_eq!(
        key("data = \"/d\"\nroot_key = { source = \"passphrase\", path = \"/run/p\" }"),
        RootKeySource::Passphrase { path: "/run/p".into(), salt_path: "/d/root.salt".into(), create: false }
    );
    assert_eq!(
        settings("tls.certificate = \"/c\"\ntls.key = \"/k\"").tls,
        TlsSource::Files { certificate: "/c".into(), key: "/k".into() }
    );
    assert_eq!(settings("insecure_http = true").tls, TlsSource::Off);
    let both = faults("insecure_http = true\ntls.certificate = \"/c\"\ntls.key = \"/k\"");
    assert_eq!(both, [("tls.certificate".to_owned(), 2), ("tls.key".to_owned(), 3)]);
}

#[test]
fn sizes_and_counts() {
    for (text, bytes) in
        [("65536", 65_536), ("64 KiB", 65_536), ("64KiB", 65_536), ("1 MB", 1_000_000), ("2 MiB", 2 << 20)]
    {
        assert_eq!(values::size(text, 1, 1 << 30).unwrap(), bytes);
    }
    for text in ["", "KiB", "1 XB", "-1", "1.5 MiB", "99999999999999999999", "18446744073709551615 GiB", "1 MiB x"] {
        assert!(values::size(text, 0, u64::MAX).is_err(), "{text}");
    }
}

#[test]
fn every_default_of_the_table_is_read_and_shown_as_it_stands() {
    let shown = Sources::new().load().unwrap().show(false);
    for field in FIELDS.iter().filter(|field| field.has_default) {
        let line = format!("{} = {}", field.path, field.toml);
        assert!(shown.lines().any(|shown| shown == line), "{line} is missing in:\n{shown}");
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    let (_home, sources) =
        file("listen = \"127.0.0.1:9443\"\ntls.names = [\"a.example.com\"]\nlimits.connections = 7\n");
    let shown = sources.load().unwrap().show(true);
    let (_other, again) = file(&shown);
    assert_eq!(again.load().unwrap().show(false), sources.load().unwrap().show(false));
}

/// The example names every setting, says the defaults, and is what the repository holds.
#[test]
fn the_generated_files_are_up_to_date() {
    let example = example();
    let uncommented: String = example
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).or(Some(line)))
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut found = Vec::new();
    let mut read = super::file::File::parse(Path::new("example"), &uncommented, &mut found);
    assert_eq!(found, []);
    for field in FIELDS {
        assert!(read.take(field.path).is_some(), "{} is not in the example", field.path);
    }
    assert_eq!(file(&example).1.load().unwrap().show(false), Sources::new().load().unwrap().show(false));

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, wanted) in [("config/certwright.example.toml", example), ("docs/configuration.md", markdown())] {
        let path = root.join(path);
        if update_generated() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &wanted).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == wanted, "{} is out of date: run the tests with UPDATE_GENERATED=1", path.display());
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not configuration")]
fn update_generated() -> bool {
    std::env::var("UPDATE_GENERATED").is_ok_and(|value| value == "1")
}
