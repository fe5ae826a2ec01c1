//! What each command does: read the settings, call the server's library, print.

use crate::arguments::sources;
use certwright_server::config::{self, Loaded, Sources};
use certwright_server::{Check, Ended, Error, Rotated, Wishes};
use clap::ArgMatches;
use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;

/// Runs the command. The exit code when nothing failed.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Error> {
    match matches.subcommand() {
        Some(("serve", matches)) => serve(matches),
        Some(("quickstart", matches)) => quickstart(matches),
        Some(("config", matches)) => match matches.subcommand() {
            Some(("check", matches)) => check(matches),
            Some(("show", matches)) => load(matches).and_then(|(_, l)| print(&l.show(matches.get_flag("origin")))),
            _ => print(&config::example()),
        },
        Some(("migrate", matches)) => migrate(matches),
        Some(("admin-token", matches)) => admin_token(matches),
        Some(("healthcheck", matches)) => healthcheck(matches),
        Some(("audit", matches)) => match matches.subcommand() {
            Some(("verify", matches)) => verify_audit(matches),
            _ => Ok(2),
        },
        // The command line's parser lets nothing else through.
        _ => Ok(2),
    }
}

/// Prints an error as three lines.
pub(crate) fn complain(error: &Error) {
    // Nothing is left to tell it to when standard error is gone.
    let _ = writeln!(io::stderr(), "{}", error.explain());
}

fn check(matches: &ArgMatches) -> Result<u8, Error> {
    let (_, loaded) = load(matches)?;
    match loaded.missing_folders() {
        missing if missing.is_empty() => print("The configuration is fine.\n"),
        missing => Err(Error::Config(missing)),
    }
}

fn serve(matches: &ArgMatches) -> Result<u8, Error> {
    let (sources, loaded) = load(matches)?;
    let level = certwright_server::init_log(loaded.settings.log_format(), loaded.settings.log_level())?;
    Ok(code(block_on(certwright_server::serve(&sources, &loaded, &level))?))
}

fn quickstart(matches: &ArgMatches) -> Result<u8, Error> {
    let (sources, loaded) = load(matches)?;
    let level = certwright_server::init_log(loaded.settings.log_format(), loaded.settings.log_level())?;
    let wishes = Wishes {
        organization: matches.get_one::<String>("organization").cloned(),
        name: matches.get_one::<String>("name").cloned().unwrap_or_default(),
        serve: !matches.get_flag("no-serve"),
    };
    Ok(code(block_on(certwright_server::quickstart(&sources, &loaded, &level, wishes, &mut io::stdout()))?))
}

fn migrate(matches: &ArgMatches) -> Result<u8, Error> {
    let (_, loaded) = load(matches)?;
    let done = block_on(certwright_server::migrate(&loaded.settings, matches.get_flag("dry-run")))?;
    let mut text = String::new();
    for name in &done.pending {
        let word = if done.applied { "applied" } else { "missing" };
        text.push_str(&format!("{word} {name}\n"));
    }
    if done.pending.is_empty() {
        text.push_str(&format!("The schema of {} is up to date.\n", done.database));
    }
    print(&text)
}

fn admin_token(matches: &ArgMatches) -> Result<u8, Error> {
    let (_, loaded) = load(matches)?;
    let Rotated { token, unkept } = if matches.get_flag("rotate") {
        block_on(certwright_server::rotate_admin_token(&loaded.settings))?
    } else {
        Rotated { token: certwright_server::admin_token(&loaded.settings)?, unkept: None }
    };
    print(token.expose())?;
    let printed = print("\n")?;
    unkept.map_or(Ok(printed), Err)
}

fn healthcheck(matches: &ArgMatches) -> Result<u8, Error> {
    let (_, loaded) = load(matches)?;
    let check = if matches.get_flag("live") { Check::Live } else { Check::Ready };
    let address = block_on(certwright_server::healthcheck(&loaded.settings, check))?;
    print(&format!("The server at {address} is well.\n"))
}

/// Exit code 1 when something is wrong with the trail.
fn verify_audit(matches: &ArgMatches) -> Result<u8, Error> {
    let path = |name| matches.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let Some(file) = path("file") else { return Ok(2) };
    let verdict = certwright_server::verify_audit(file, path("public-key"))?;
    let mut text = String::new();
    for (line, fault) in &verdict.faults {
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let event = fault.event.as_deref().map(|event| format!(" {event}")).unwrap_or_default();
        text.push_str(&format!("{line}{}{event}: {}\n", fault.kind.as_str(), fault.detail));
    }
    let checkpoint = verdict.checkpoint.map_or_else(|| "none".to_owned(), |number| number.to_string());
    text.push_str(&format!(
        "{} events verified, {} from before the chains, newest checkpoint: {checkpoint}.\n",
        verdict.events, verdict.before_chains
    ));
    if !verdict.pinned {
        text.push_str(
            "The public keys came from the file itself; give --public-key to hold it against keys you trust.\n",
        );
    }
    print(&text)?;
    Ok(u8::from(!verdict.faults.is_empty()))
}

fn load(matches: &ArgMatches) -> Result<(Sources, Loaded), Error> {
    let sources = sources(matches);
    let loaded = sources.load().map_err(Error::Config)?;
    Ok((sources, loaded))
}

/// 0 for an orderly end. A second signal means now: nothing else is waited for.
fn code(ended: Ended) -> u8 {
    match ended {
        Ended::Orderly => 0,
        Ended::Forced => std::process::exit(1),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::System { doing: "start the runtime", why: error.to_string() })?;
    let outcome = runtime.block_on(work);
    // Connections that were cut off, or blocking work that hangs, must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn print(text: &str) -> Result<u8, Error> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(0),
        // Whoever read our output had enough of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Error::System { doing: "write to standard output", why: error.to_string() }),
    }
}
