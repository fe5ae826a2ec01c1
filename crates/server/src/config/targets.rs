//! `[publication.NAME]`: targets of publication, as many as the operator likes. Their names are the operator's, so they stand
//! in no table of settings; their keys stand in one here.

use super::file::{Toml, line_of, read};
use super::origin::{Fault, Origin};
use super::reference::FieldType as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The section.
pub(super) const SECTION: &str = "publication";

/// A key of a target: what it means, and an example.
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

/// Targets as they stand in the file; nothing is judged yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawTargets {
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
    /// Reads the section. What is unknown goes to `faults`.
    pub(super) fn read(path: &Path, section: &DeTable<'_>, text: &str, faults: &mut Vec<Fault>) -> Self {
        let mut out = Self { path: path.to_owned(), targets: Vec::new() };
        for (name, value) in section {
            let line = line_of(text, name.span().start);
            let place = format!("{SECTION}.{}", name.get_ref().escape_debug());
            let DeValue::Table(table) = value.get_ref() else {
                let hint = format!("Targets are sections: write `[{SECTION}.NAME]`.");
                faults.push(out.fault(place, line, ("This is not a target.".to_owned(), hint)));
                continue;
            };
            let mut values = BTreeMap::new();
            for (key, value) in table {
                let line = line_of(text, key.span().start);
                match KEYS.iter().find(|known| known.name == key.get_ref().as_ref()) {
                    Some(known) => drop(values.insert(known.name, (read(value), line))),
                    None => {
                        let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
                        let hint = format!("Targets have: {}.", known.join(", "));
                        let place = format!("{place}.{}", key.get_ref().escape_debug());
                        faults.push(out.fault(place, line, ("There is no such setting.".to_owned(), hint)));
                    }
                }
            }
            out.targets.push(RawTarget { name: name.get_ref().to_string(), line, values });
        }
        out
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
                out.push((format!("{SECTION}.{}.{key}", target.name), text, origin));
            }
        }
        out
    }
}

/// A target for the example file.
pub(super) fn example() -> String {
    let mut out = format!(
        "\n# A target that CAs publish their lists and certificates to (docs/publication.md); as many as you like, each\n\
         # under a name of its own.\n#[{SECTION}.cdn]\n"
    );
    for key in KEYS {
        out.push_str(&format!("\n# {}\n#{} = {}\n", key.doc, key.name, key.toml));
    }
    out
}

/// The reference for people, in Markdown.
pub(super) fn markdown() -> String {
    let mut out = format!(
        "\n## `[{SECTION}.NAME]`\n\nTargets that CAs publish their lists and certificates to ([publication.md](publication.md)); as \
         many as you like,\neach under a name of its own. In the file alone.\n\n| Setting | Example | Meaning |\n|---|---|---|\n"
    );
    for key in KEYS {
        out.push_str(&format!("| `{SECTION}.NAME.{}` | `{}` | {} |\n", key.name, key.toml, key.doc));
    }
    out
}
