//! `[publication.NAME]` and `[audit.sink.NAME]`: targets of publication and sinks of the audit trail, as many as the operator
//! likes. Their names are the operator's, so they stand in no table of settings; their keys stand in tables here.

use super::file::{Toml, line_of, read};
use super::origin::{Fault, Origin};
use super::reference::FieldType as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A section with things that the operator names.
#[derive(Debug)]
pub(super) struct Section {
    /// Its path.
    pub(super) path: &'static str,
    /// What one of them is called, and many.
    one: &'static str,
    many: &'static str,
    /// One of them in the example file.
    example: &'static str,
    /// What they are.
    doc: &'static str,
    /// The page that says more.
    page: &'static str,
    keys: &'static [Key],
}

/// The targets of publication.
pub(super) static TARGETS: Section = Section {
    path: "publication",
    one: "a target",
    many: "Targets",
    example: "cdn",
    doc: "Targets that CAs publish their lists and certificates to",
    page: "publication.md",
    keys: KEYS,
};

/// The sinks of the audit trail.
pub(super) static SINKS: Section = Section {
    path: "audit.sink",
    one: "a sink",
    many: "Sinks",
    example: "siem",
    doc: "Sinks that the audit trail is shipped to",
    page: "audit.md",
    keys: SINK_KEYS,
};

/// Every section of this kind.
pub(super) static SECTIONS: [&Section; 2] = [&TARGETS, &SINKS];

/// A key of one of them: what it means, and an example.
#[derive(Debug)]
struct Key {
    name: &'static str,
    doc: &'static str,
    toml: &'static str,
}

const KEYS: &[Key] = &[
    Key {
        name: "kind",
        doc: "`folder` or `s3` (a bucket of AWS or of anything that speaks its protocol).",
        toml: r#""s3""#,
    },
    Key { name: "path", doc: "`folder`: the folder, which must exist.", toml: r#""/srv/www/pki""# },
    Key { name: "bucket", doc: "`s3`: the bucket, which must exist.", toml: r#""example-crl""# },
    Key { name: "region", doc: "`s3`: the region; `us-east-1` when nothing else is said.", toml: r#""eu-central-1""# },
    Key {
        name: "endpoint",
        doc: "`s3`: the server, for anything but AWS itself.",
        toml: r#""https://objects.example.com""#,
    },
    Key { name: "allow_http", doc: "`s3`: may the endpoint be `http://`? On loopback it always may.", toml: "false" },
    Key { name: "prefix", doc: "`s3`: stands before every name in the bucket.", toml: r#""pki/crl""# },
    Key { name: "access_key_id", doc: "`s3`: the id of the access key.", toml: r#""AKIAIOSFODNN7EXAMPLE""# },
    Key {
        name: "secret_key_file",
        doc: "`s3`: the file with the secret key, not readable for others; read anew for each request.",
        toml: r#""/run/credentials/certwright.service/s3-secret-key""#,
    },
];

const SINK_KEYS: &[Key] = &[
    Key {
        name: "kind",
        doc: "`file` (lines of JSON), or syslog: `unix` (datagrams to this machine's), `tcp` or `tls` (octet counting).",
        toml: r#""tls""#,
    },
    Key {
        name: "path",
        doc: "`file`: the file, whose folder must exist. `unix`: the socket, `/dev/log` when nothing else is said.",
        toml: r#""/var/log/certwright/audit.jsonl""#,
    },
    Key { name: "address", doc: "`tcp`, `tls`: host and port.", toml: r#""syslog.example.com:6514""# },
    Key {
        name: "facility",
        doc: "Syslog: `authpriv` when nothing else is said; `auth`, `daemon`, `audit` (13) or `local0` to `local7`.",
        toml: r#""authpriv""#,
    },
    Key {
        name: "start",
        doc: "What a new sink gets: everything from the `beginning` (when nothing else is said), or what comes from `now` on.",
        toml: r#""beginning""#,
    },
];

/// Targets or sinks as they stand in the file; nothing is judged yet.
#[derive(Debug, Clone)]
pub(crate) struct RawTargets {
    pub(super) section: &'static Section,
    path: PathBuf,
    pub(super) targets: Vec<RawTarget>,
}

/// A target.
#[derive(Debug, Clone)]
pub(super) struct RawTarget {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) values: BTreeMap<&'static str, (Toml, usize)>,
}

impl RawTargets {
    /// None.
    pub(super) fn none(section: &'static Section) -> Self {
        Self { section, path: PathBuf::new(), targets: Vec::new() }
    }

    /// Reads the section. What is unknown goes to `faults`.
    pub(super) fn read(
        section: &'static Section,
        path: &Path,
        table: &DeTable<'_>,
        text: &str,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let mut out = Self { section, path: path.to_owned(), targets: Vec::new() };
        for (name, value) in table {
            let line = line_of(text, name.span().start);
            let place = format!("{}.{}", section.path, name.get_ref().escape_debug());
            let DeValue::Table(table) = value.get_ref() else {
                let hint = format!("{} are sections: write `[{}.NAME]`.", section.many, section.path);
                faults.push(out.fault(place, line, (format!("This is not {}.", section.one), hint)));
                continue;
            };
            let mut values = BTreeMap::new();
            for (key, value) in table {
                let line = line_of(text, key.span().start);
                match section.keys.iter().find(|known| known.name == key.get_ref().as_ref()) {
                    Some(known) => drop(values.insert(known.name, (read(value), line))),
                    None => {
                        let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
                        let hint = format!("{} have: {}.", section.many, known.join(", "));
                        let place = format!("{place}.{}", key.get_ref().escape_debug());
                        faults.push(out.fault(place, line, ("There is no such setting.".to_owned(), hint)));
                    }
                }
            }
            out.targets.push(RawTarget { name: name.get_ref().to_string(), line, values });
        }
        out
    }

    /// What is wrong with a value of the section of this name.
    pub(super) fn fault_of(&self, name: &str, key: &str, wrong: (String, String)) -> Option<Fault> {
        let target = self.targets.iter().find(|target| target.name == name)?;
        let line = target.values.get(key).map_or(target.line, |(_, line)| *line);
        Some(self.fault(format!("{}.{name}.{key}", self.section.path), line, wrong))
    }

    pub(super) fn fault(&self, path: String, line: usize, (detail, hint): (String, String)) -> Fault {
        Fault { path, origin: Origin::File { path: self.path.clone(), line }, detail, hint }
    }

    /// Every setting as TOML with where it came from. None of them is a secret: those stand in files of their own.
    pub(super) fn values(&self) -> Vec<(String, String, Origin)> {
        let mut out = Vec::new();
        for target in &self.targets {
            for (key, (value, line)) in &target.values {
                let text = match value {
                    Toml::Text(text) => text.to_toml(),
                    Toml::Switch(switch) => switch.to_toml(),
                    Toml::Number(number) => number.to_toml(),
                    Toml::List(list) => list.to_toml(),
                    Toml::Table(table) => table.to_toml(),
                    Toml::Other(what) => (*what).to_owned(),
                };
                let origin = Origin::File { path: self.path.clone(), line: *line };
                out.push((format!("{}.{}.{key}", self.section.path, target.name), text, origin));
            }
        }
        out
    }
}

/// One of each for the example file.
pub(super) fn example() -> String {
    let mut out = String::new();
    for section in SECTIONS {
        let Section { path, doc, page, example, .. } = section;
        out.push_str(&format!(
            "\n# {doc} (docs/{page}); as many as you like, each\n# under a name of its own.\n#[{path}.{example}]\n"
        ));
        for key in section.keys {
            out.push_str(&format!("\n# {}\n#{} = {}\n", key.doc, key.name, key.toml));
        }
    }
    out
}

/// The reference for people, in Markdown.
pub(super) fn markdown() -> String {
    let mut out = String::new();
    for section in SECTIONS {
        let Section { path, doc, page, .. } = section;
        out.push_str(&format!(
            "\n## `[{path}.NAME]`\n\n{doc} ([{page}]({page})); as many as you like,\neach under a name of its own. In the file \
             alone.\n\n| Setting | Example | Meaning |\n|---|---|---|\n"
        ));
        for key in section.keys {
            out.push_str(&format!("| `{path}.NAME.{}` | `{}` | {} |\n", key.name, key.toml, key.doc));
        }
    }
    out
}
