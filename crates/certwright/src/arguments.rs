//! The command line. The flags of settings come from the table of settings, so that flag, environment variable, file
//! and reference cannot drift apart.

use certwright_server::config::{FIELDS, Field, Origin, Sources};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
A flag beats its environment variable beats the configuration file beats the default.";

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("certwright")
        .about("A self-hosted certificate authority: one binary, one HTTP service.")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(
            Command::new("serve")
                .about("Serve; the first start makes the data folder, the root key and an administrator token"),
        ))
        .subcommand(with_settings(
            Command::new("quickstart")
                .about("Set up an empty data folder with a root and an issuing CA, show what to try, and serve")
                .arg(
                    Arg::new("organization")
                        .long("organization")
                        .value_name("NAME")
                        .help("Organization in the subjects of the CAs"),
                )
                .arg(
                    Arg::new("name")
                        .long("name")
                        .value_name("DNS")
                        .default_value("localhost")
                        .help("DNS name of the first certificate"),
                )
                .arg(
                    Arg::new("no-serve")
                        .long("no-serve")
                        .action(ArgAction::SetTrue)
                        .help("End after the set-up, for scripts"),
                ),
        ))
        .subcommand(
            Command::new("config")
                .about("Look at the configuration")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(with_settings(
                    Command::new("check").about("Say everything that is wrong; exit code 2 if anything is"),
                ))
                .subcommand(with_settings(
                    Command::new("show").about("Show the settings in force, secrets masked").arg(
                        Arg::new("origin")
                            .long("origin")
                            .action(ArgAction::SetTrue)
                            .help("Say where each of them came from"),
                    ),
                ))
                .subcommand(
                    Command::new("example").about("Print a configuration file with every setting and its default"),
                ),
        )
        .subcommand(with_settings(
            Command::new("migrate")
                .about("Bring the database's schema up to date (`serve` does so by itself)")
                .arg(Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Only list what is missing")),
        ))
        .subcommand(with_settings(
            Command::new("admin-token").about("Print the administrator token of the data folder").arg(
                Arg::new("rotate")
                    .long("rotate")
                    .action(ArgAction::SetTrue)
                    .help("Revoke it and make another; the server may run"),
            ),
        ))
        .subcommand(
            Command::new("audit")
                .about("Look at the audit trail")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(
                    Command::new("verify")
                        .about("Verify an export (GET /v1/audit-events/export) without a server; exit code 1 if it is broken")
                        .arg(
                            Arg::new("file")
                                .value_name("FILE")
                                .required(true)
                                .value_parser(clap::value_parser!(PathBuf))
                                .help("The export, JSON lines"),
                        )
                        .arg(
                            Arg::new("public-key")
                                .long("public-key")
                                .value_name("FILE")
                                .value_parser(clap::value_parser!(PathBuf))
                                .help("PEM file with the public keys that may have signed the checkpoints"),
                        ),
                ),
        )
        .subcommand(with_settings(
            Command::new("healthcheck")
                .about("Ask the running server whether it is well, over its plain listener")
                .arg(
                    Arg::new("live")
                        .long("live")
                        .action(ArgAction::SetTrue)
                        .help("Only whether it answers, not whether its database does"),
                ),
        ))
}

/// Where the configuration comes from, by these arguments and the environment.
pub(crate) fn sources(matches: &ArgMatches) -> Sources {
    let mut sources = Sources::new();
    // An empty variable is one that was not set: `VAR=${OTHER:-}` in a compose file makes such.
    if let Some(path) = matches.get_one::<String>("config").filter(|path| !path.is_empty()) {
        sources = sources.with_file(PathBuf::from(path));
    }
    for (field, flag, env) in flagged() {
        let Some(value) = matches.get_one::<String>(flag) else { continue };
        let origin = match matches.value_source(flag) {
            Some(ValueSource::CommandLine) => Origin::Flag(flag),
            Some(ValueSource::EnvVariable) if !value.is_empty() => Origin::Environment(env),
            _ => continue,
        };
        sources = sources.with(field.path, value, origin);
    }
    sources
}

/// The command with `--config` and a flag for every setting that has one.
fn with_settings(command: Command) -> Command {
    let config = Arg::new("config")
        .long("config")
        .env("CERTWRIGHT_CONFIG")
        .value_name("FILE")
        .help_heading("Settings")
        .help("Configuration file, TOML");
    flagged().fold(command.arg(config), |command, (field, flag, env)| {
        let arg = Arg::new(flag).long(flag).env(env).hide_env_values(true).help_heading("Settings").help(help(field));
        command.arg(if field.is_switch {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false")
        } else {
            arg.value_name("VALUE")
        })
    })
}

fn flagged() -> impl Iterator<Item = (&'static Field, &'static str, &'static str)> {
    FIELDS.iter().filter_map(|field| field.flag.map(|(flag, env)| (field, flag, env)))
}

/// The first sentence of the reference, with the default.
fn help(field: &Field) -> String {
    let text = field.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let first = text.split_once(". ").map_or(text.as_str(), |(first, _)| first).trim_end_matches('.').to_owned();
    if field.has_default { format!("{first} [default: {}]", field.toml.trim_matches('"')) } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn switches_need_no_value_and_flags_reach_the_settings() {
        for (arguments, wanted) in [
            (vec!["certwright", "serve", "--insecure-http"], "insecure_http = true"),
            (vec!["certwright", "serve", "--insecure-http=false"], "insecure_http = false"),
            (vec!["certwright", "serve", "--data", "/x"], "data = \"/x\""),
            (vec!["certwright", "serve", "--listen=[::1]:9443"], "listen = \"[::1]:9443\""),
        ] {
            let matches = command().try_get_matches_from(arguments).unwrap();
            let loaded = sources(matches.subcommand().unwrap().1).load().unwrap();
            let shown = loaded.show(true);
            let line = shown.lines().find(|line| line.starts_with(wanted)).unwrap_or_else(|| panic!("{shown}"));
            assert!(line.contains("# --"), "{line}");
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        for arguments in
            [vec!["certwright"], vec!["certwright", "sevre"], vec!["certwright", "serve", "--lissten", "x"]]
        {
            assert!(command().try_get_matches_from(arguments).is_err());
        }
    }
}
