//! `quickstart`: from an empty folder to a CA that issues, and three lines to copy.

use crate::config::{Loaded, Settings, Sources, TlsSource};
use crate::logging::LogLevel;
use crate::serve::{Ended, run, stopped_early};
use crate::signals::Signals;
use crate::start::{self, Opened};
use crate::{Error, folder};
use certwright_app::{App, Quickstart, QuickstartReport};
use certwright_domain::dn::{Attribute, AttributeType};
use certwright_domain::san::San;
use certwright_domain::violation::Invalid;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What the operator may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// Organization in the subjects of the CAs.
    pub organization: Option<String>,
    /// DNS name of the first certificate.
    pub name: String,
    /// Keep serving afterwards?
    pub serve: bool,
}

/// Sets up what has not been set up, says on `out` what was made and what to try, and serves.
pub async fn quickstart(
    sources: &Sources,
    loaded: &Loaded,
    level: &LogLevel,
    wishes: Wishes,
    out: &mut (dyn Write + Send),
) -> Result<Ended, Error> {
    let settings = &loaded.settings;
    judge(&wishes)?;
    loaded.doubts().iter().for_each(|doubt| tracing::warn!("{doubt}"));
    let mut signals = Signals::listen()?;
    if wishes.serve {
        let started = match signals.unless_stopped(start::start(settings)).await {
            Ok(started) => started?,
            Err(signal) => return Ok(stopped_early(signal)),
        };
        let text = set_up(settings, &mut signals, &started.app, started.was_initialised, wishes).await;
        return match text {
            // The lines are shown when they work: once the listeners answer.
            Ok(Ok(text)) => run((sources, settings, level), signals, started, || show(out, &text)).await,
            Ok(Err(signal)) => Ok(stopped_early(signal)),
            Err(error) => {
                started.store.close().await;
                Err(error)
            }
        };
    }
    let Opened { wired, was_initialised } = match signals.unless_stopped(start::open(settings)).await {
        Ok(opened) => opened?,
        Err(signal) => return Ok(stopped_early(signal)),
    };
    let shown = match set_up(settings, &mut signals, &wired.app, was_initialised, wishes).await {
        Ok(Ok(text)) => show(out, &text).map(|()| Ended::Orderly),
        Ok(Err(signal)) => Ok(stopped_early(signal)),
        Err(error) => Err(error),
    };
    wired.store.close().await;
    shown
}

fn show(out: &mut (dyn Write + Send), text: &str) -> Result<(), Error> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads our output had enough of it (`quickstart | head -1`). That is no reason not to serve.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::System { doing: "write to standard output", why: error.to_string() })
        }
        _ => Ok(()),
    }
}

/// Sets up what has not been set up; what is to be said of it, or the signal that cut it off.
async fn set_up(
    settings: &Settings,
    signals: &mut Signals,
    app: &App,
    was_initialised: bool,
    wishes: Wishes,
) -> Result<Result<String, &'static str>, Error> {
    // A server that was started without us has made its token, and nothing else.
    let failed = |source| Error::App { doing: "look at what there is", source };
    if was_initialised && !app.is_blank().await.map_err(failed)? {
        return Ok(Ok(format!(
            "There are vaults or CAs in {} already: nothing was made. `certwright serve` starts this node.\n",
            settings.database.describe()
        )));
    }
    let wish = Quickstart { organization: wishes.organization, dns_name: wishes.name };
    let failed = |source| Error::App { doing: "set up the CA", source };
    let report = match signals.unless_stopped(app.quickstart(&wish)).await {
        Ok(report) => report.map_err(failed)?,
        Err(signal) => return Ok(Err(signal)),
    };
    folder::write_file(&root_path(settings), report.root.as_bytes(), 0o644)?;
    // Last, because it marks the database as initialised: an interrupted run is taken up by the next one.
    start::first_token(settings, app).await?;
    Ok(Ok(describe(settings, &report)))
}

/// Nothing is made for wishes that cannot come true.
fn judge(wishes: &Wishes) -> Result<(), Error> {
    let wrong = |flag, invalid: Invalid| Error::Flag { flag, why: invalid.detail, hint: invalid.hint };
    let host = match San::parse(&wishes.name).map_err(|invalid| wrong("name", invalid))? {
        San::Dns(name) => !name.is_wildcard(),
        San::Ip(_) => true,
        San::Email(_) | San::Uri(_) => false,
    };
    if !host {
        let detail = format!("`{}` is not the name of one host.", wishes.name.escape_debug());
        let hint = "Give a DNS name or an IP address, such as `ca.example.com`.";
        return Err(wrong("name", Invalid::new("invalid_name", detail, hint)));
    }
    Attribute::parse(AttributeType::CommonName, &wishes.name).map_err(|invalid| wrong("name", invalid))?;
    let organization = wishes.organization.as_deref().map(|text| Attribute::parse(AttributeType::Organization, text));
    organization.transpose().map_err(|invalid| wrong("organization", invalid)).map(drop)
}

/// Where the root of the CA that was made stands.
fn root_path(settings: &Settings) -> PathBuf {
    settings.data().join("root.pem")
}

/// What was made, and three lines that work when pasted while the server runs.
fn describe(settings: &Settings, report: &QuickstartReport) -> String {
    let mut text = String::from("Certwright is set up.\n\n");
    for (what, meaning) in &report.made {
        let _ = writeln!(text, "  {what:<12} {meaning}");
    }
    let _ = writeln!(text, "  {:<12} {}", "root file", root_path(settings).display());
    let _ = writeln!(text, "  {:<12} {}", "admin token", settings.token_path().display());
    if let Some([issue, check, sign]) = lines(settings, &report.issuing_ca) {
        let _ = write!(
            text,
            "\nTry, in another terminal:\n\n# a certificate with its key, as JSON\n{issue}\n\n# is the server well?\n\
             {check}\n\n# a key and a CSR of your own, signed and verified\n{sign}\n\n"
        );
    }
    text
}

/// The lines: curl, our own program, openssl. `None` when the data folder cannot be named from elsewhere.
fn lines(settings: &Settings, ca: &str) -> Option<[String; 3]> {
    // Absolute, so that the lines work in whatever folder they are pasted.
    let absolute = |path: PathBuf| std::path::absolute(path).ok().map(|path| quoted(&path));
    let root = absolute(root_path(settings))?;
    let token = absolute(settings.token_path())?;
    let trust = match settings.tls {
        TlsSource::Service { .. } => format!(" --cacert {}", absolute(settings.tls_root_path())?),
        TlsSource::Files { .. } | TlsSource::Off => String::new(),
    };
    let curl = format!("curl -sS --fail-with-body{trust} -H \"Authorization: Bearer $(cat {token})\"");
    let url = format!("{}/v1/certificate-authorities/{ca}", settings.public_url.as_str());
    let issue = format!(
        "{curl} -H 'Content-Type: application/json' \
         -d '{{\"subject\":{{\"commonName\":\"service-a.internal\"}},\"names\":[\"service-a.internal\"]}}' {url}/issue"
    );
    let check = match settings.http_listen {
        Some(address) => format!("certwright healthcheck --http-listen {address}"),
        None => format!("certwright config show --data {}", absolute(settings.data().to_owned())?),
    };
    let sign = format!(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout service-b.key \
         -subj /CN=service-b.internal -addext subjectAltName=DNS:service-b.internal | {curl} \
         -H 'Content-Type: application/pkcs10' -H 'Accept: application/pem-certificate-chain' --data-binary @- \
         {url}/sign > service-b.pem && openssl verify -x509_strict -CAfile {root} -untrusted service-b.pem service-b.pem"
    );
    Some([issue, check, sign])
}

/// A path for a shell: in single quotes where it needs them.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    #[test]
    fn wishes_that_cannot_come_true_name_their_flag() {
        let wishes = |name: &str, organization: Option<&str>| Wishes {
            organization: organization.map(str::to_owned),
            name: name.to_owned(),
            serve: false,
        };
        for fine in ["localhost", "ca.example.com", "10.0.0.5"] {
            assert!(judge(&wishes(fine, Some("DDIM"))).is_ok(), "{fine}");
        }
        let long = format!("{}.example.com", "a".repeat(60));
        for (name, organization, wanted) in [
            ("a b", None, "name"),
            ("", None, "name"),
            ("*.example.com", None, "name"),
            ("a@example.com", None, "name"),
            (long.as_str(), None, "name"),
            ("localhost", Some(""), "organization"),
        ] {
            let error = judge(&wishes(name, organization)).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(matches!(&error, Error::Flag { flag, .. } if *flag == wanted), "{name}: {error:?}");
            assert!(error.explain().to_string().starts_with(&format!("error: cannot take --{wanted}")));
        }
    }

    #[test]
    fn paths_survive_a_shell() {
        for (path, wanted) in [
            ("/var/lib/certwright", "/var/lib/certwright"),
            ("/home/a b/x", "'/home/a b/x'"),
            ("/it's/$HOME", "'/it'\\''s/$HOME'"),
        ] {
            assert_eq!(quoted(Path::new(path)), wanted);
        }
    }

    #[test]
    fn the_lines_are_single_lines_and_name_the_files() {
        let sources = Sources::new().with("data", "/srv/a b", Origin::Flag("data"));
        let settings = sources.load().unwrap().settings;
        let lines = lines(&settings, "issuing-1").unwrap();
        for (line, program) in lines.iter().zip(["curl ", "certwright ", "openssl "]) {
            assert!(line.starts_with(program) && !line.contains('\n'), "{line}");
        }
        assert!(lines[0].contains("--cacert '/srv/a b/tls/ca.pem'"));
        assert!(lines[0].contains("$(cat '/srv/a b/admin.token')"));
        assert!(lines[0].ends_with("https://localhost:8443/v1/certificate-authorities/issuing-1/issue"));
        assert!(lines[2].contains("-CAfile '/srv/a b/root.pem'"));
    }
}
