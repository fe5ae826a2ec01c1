//! Targets of publication.

use super::path;
use crate::config::file::Toml;
use crate::config::origin::Fault;
use crate::config::targets::{RawTarget, RawTargets};
use crate::config::values::Wrong;
use certwright_domain::http_url::{Host, HttpUrl};
use certwright_domain::name::ResourceName;
use certwright_domain::publication::ObjectName;
use std::path::PathBuf;

/// Most targets.
const MAX: usize = 64;

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetSettings {
    /// A folder.
    Folder {
        /// Where.
        path: PathBuf,
    },
    /// A bucket.
    Bucket(BucketSettings),
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketSettings {
    /// Its name.
    pub(crate) bucket: String,
    /// The region that requests are signed for.
    pub(crate) region: String,
    /// The server.
    pub(crate) endpoint: HttpUrl,
    /// Stands before every name.
    pub(crate) prefix: Option<String>,
    /// Id of the access key.
    pub(crate) access_key_id: String,
    /// File with the secret key.
    pub(crate) secret_key_file: PathBuf,
}

/// Reads one target, or sink, and notes what is wrong with it.
pub(super) struct Reader<'a> {
    raw: &'a RawTargets,
    target: &'a RawTarget,
    faults: &'a mut Vec<Fault>,
}

pub(super) fn publication(raw: &RawTargets, faults: &mut Vec<Fault>) -> Option<Vec<(ResourceName, TargetSettings)>> {
    each(raw, faults, MAX, |reader| reader.settings())
}

/// Reads each of them; `None`: something is wrong, and that is noted.
pub(super) fn each<T>(
    raw: &RawTargets,
    faults: &mut Vec<Fault>,
    most: usize,
    read: impl Fn(&mut Reader<'_>) -> Option<T>,
) -> Option<Vec<(ResourceName, T)>> {
    let mut out = Vec::new();
    let before = faults.len();
    for (number, target) in raw.targets.iter().enumerate() {
        if number >= most {
            let wrong = (format!("There are more than {most} of them."), "Remove some.".to_owned());
            let place = format!("{}.{}", raw.section.path, target.name.escape_debug());
            faults.push(raw.fault(place, target.line, wrong));
            break;
        }
        let mut reader = Reader { raw, target, faults };
        let name = ResourceName::parse(&target.name)
            .map_err(|invalid| reader.fault(None, (invalid.detail, invalid.hint)))
            .ok();
        let settings = read(&mut reader);
        out.extend(name.zip(settings));
    }
    (faults.len() == before).then_some(out)
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, key: Option<&str>, wrong: Wrong) {
        let place = format!("{}.{}", self.raw.section.path, self.target.name.escape_debug());
        let (place, line) = match key {
            Some(key) => {
                (format!("{place}.{key}"), self.target.values.get(key).map_or(self.target.line, |(_, line)| *line))
            }
            None => (place, self.target.line),
        };
        let fault = self.raw.fault(place, line, wrong);
        self.faults.push(fault);
    }

    /// The keys that were given.
    pub(super) fn given(&self) -> Vec<&'static str> {
        self.target.values.keys().copied().collect()
    }

    fn settings(&mut self) -> Option<TargetSettings> {
        const FOLDER: [&str; 2] = ["kind", "path"];
        let kind = self.required("kind", |text| match text {
            "folder" | "s3" => Ok(text == "folder"),
            _ => {
                Err((format!("`{}` is no kind of target.", text.escape_debug()), "Write `folder` or `s3`.".to_owned()))
            }
        })?;
        let misplaced: Vec<&str> =
            self.target.values.keys().copied().filter(|key| *key != "kind" && FOLDER.contains(key) != kind).collect();
        for key in misplaced {
            let other = if kind { "`s3`" } else { "`folder`" };
            self.fault(Some(key), (format!("It belongs to targets of the kind {other}."), "Leave it out.".to_owned()));
        }
        match kind {
            true => self.required("path", path).map(|path| TargetSettings::Folder { path }),
            false => self.bucket().map(TargetSettings::Bucket),
        }
    }

    fn bucket(&mut self) -> Option<BucketSettings> {
        let word = |what: &'static str, most: usize, also: &'static str| {
            move |text: &str| {
                let fine = (1..=most).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.as_bytes().contains(&byte));
                if fine && !text.starts_with('.') {
                    return Ok(text.to_owned());
                }
                let hint = format!("Use letters, digits and `{also}`, {most} at most.");
                Err((format!("`{}` is not {what}.", text.escape_debug()), hint))
            }
        };
        let bucket = self.required("bucket", word("the name of a bucket", 255, "._-"));
        let region = self.optional("region", word("a region", 64, "-_"));
        let region = region.map(|region| region.unwrap_or_else(|| "us-east-1".to_owned()));
        let access_key_id = self.required("access_key_id", word("the id of an access key", 128, "_-"));
        let secret_key_file = self.required("secret_key_file", path);
        let prefix = self.optional("prefix", |text| {
            ObjectName::parse(text).map(|name| name.to_string()).map_err(|invalid| (invalid.detail, invalid.hint))
        });
        let allow_http = match self.target.values.get("allow_http") {
            None => Some(false),
            Some((Toml::Switch(switch), _)) => Some(*switch),
            Some(_) => {
                self.fault(Some("allow_http"), wrong_type("true or false"));
                None
            }
        };
        let endpoint = self.optional("endpoint", |text| {
            let url = HttpUrl::parse(text).map_err(|invalid| (invalid.detail, invalid.hint))?;
            match url.target() == "/" && (url.is_https() || is_loopback(&url) || allow_http == Some(true)) {
                true => Ok(url),
                false => Err((
                    format!("`{}` cannot be the endpoint of a bucket.", text.escape_debug()),
                    "Write `https://host[:port]` without a path; `http://` needs `allow_http = true`, and then anyone on \
                     the way can read along and change what is written."
                        .to_owned(),
                )),
            }
        });
        let region = region?;
        let endpoint = match endpoint? {
            Some(url) => url,
            None => HttpUrl::parse(&format!("https://s3.{region}.amazonaws.com")).ok()?,
        };
        allow_http?;
        Some(BucketSettings {
            bucket: bucket?,
            region,
            endpoint,
            prefix: prefix?,
            access_key_id: access_key_id?,
            secret_key_file: secret_key_file?,
        })
    }

    pub(super) fn required<T>(&mut self, key: &str, read: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let found = self.optional(key, read)?;
        if found.is_none() {
            self.fault(Some(key), ("It is missing.".to_owned(), format!("Add `{key}`.")));
        }
        found
    }

    pub(super) fn optional<T>(&mut self, key: &str, read: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<Option<T>> {
        let outcome = match self.target.values.get(key) {
            None => return Some(None),
            Some((Toml::Text(text), _)) => read(text),
            Some(_) => Err(wrong_type("text in quotes")),
        };
        outcome.map(Some).map_err(|wrong| self.fault(Some(key), wrong)).ok()
    }
}

fn wrong_type(wanted: &str) -> Wrong {
    ("The value has the wrong type.".to_owned(), format!("Write {wanted}."))
}

fn is_loopback(url: &HttpUrl) -> bool {
    match url.host() {
        Host::Ip(address) => address.is_loopback(),
        Host::Name(name) => name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Fault, Loaded, Sources};

    fn load(text: &str) -> Result<Loaded, Vec<Fault>> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("certwright.toml");
        std::fs::write(&path, text).unwrap();
        Sources::new().with_file(path).load()
    }

    const BUCKET: &str = "[publication.cdn]\nkind = \"s3\"\nbucket = \"crl\"\naccess_key_id = \"AKIA1\"\n\
                          secret_key_file = \"/run/secret\"\n";

    #[test]
    fn folders_and_buckets_are_read() {
        let text = format!(
            "{BUCKET}endpoint = \"http://127.0.0.1:9000\"\nprefix = \"a/b\"\n[publication.web]\nkind = \"folder\"\npath = \"/srv/www\"\n"
        );
        let loaded = load(&text).map_err(|faults| format!("{faults:?}")).unwrap();
        let [(cdn, TargetSettings::Bucket(bucket)), (web, TargetSettings::Folder { path })] =
            loaded.settings.publication.as_slice()
        else {
            panic!("{:?}", loaded.settings.publication)
        };
        assert_eq!((cdn.as_str(), web.as_str(), path.to_str()), ("cdn", "web", Some("/srv/www")));
        assert_eq!((bucket.bucket.as_str(), bucket.region.as_str()), ("crl", "us-east-1"));
        assert_eq!(
            (bucket.endpoint.to_string().as_str(), bucket.prefix.as_deref()),
            ("http://127.0.0.1:9000/", Some("a/b"))
        );
        let shown = loaded.show(true);
        assert!(shown.contains("publication.cdn.secret_key_file = \"/run/secret\""), "{shown}");
        let line = shown.lines().find(|line| line.starts_with("publication.web.kind = ")).unwrap();
        assert!(line.ends_with("certwright.toml:9"), "{line}");

        let aws =
            load(&format!("{BUCKET}region = \"eu-central-1\"\n")).map_err(|faults| format!("{faults:?}")).unwrap();
        let (_, TargetSettings::Bucket(bucket)) = &aws.settings.publication[0] else { panic!("a bucket") };
        assert_eq!(bucket.endpoint.to_string(), "https://s3.eu-central-1.amazonaws.com/");
        let plain = format!("{BUCKET}endpoint = \"http://objects.example.com\"\nallow_http = true\n");
        assert!(load(&plain).is_ok());
        assert!(Sources::new().load().is_ok_and(|loaded| loaded.settings.publication.is_empty()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, wrong) in [
            ("[publication.a]\n", vec![("publication.a.kind", 1)]),
            ("[publication.a]\nkind = \"ftp\"\n", vec![("publication.a.kind", 2)]),
            ("[publication.a]\nkind = 3\n", vec![("publication.a.kind", 2)]),
            ("[publication.a]\nkind = \"folder\"\n", vec![("publication.a.path", 1)]),
            ("[publication.a]\nkind = \"folder\"\npath = \"/a\"\nbucket = \"b\"\n", vec![("publication.a.bucket", 4)]),
            ("[publication.a]\nkind = \"folder\"\npath = \"/a\"\nbukket = \"b\"\n", vec![("publication.a.bukket", 4)]),
            ("[publication.\"a b\"]\nkind = \"folder\"\npath = \"/a\"\n", vec![("publication.a b", 1)]),
            ("[publication]\na = 1\n", vec![("publication.a", 2)]),
            ("publication = 1\n", vec![("publication", 1)]),
            (
                "[publication.a]\nkind = \"s3\"\n",
                vec![
                    ("publication.a.bucket", 1),
                    ("publication.a.access_key_id", 1),
                    ("publication.a.secret_key_file", 1),
                ],
            ),
        ] {
            let faults = load(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
            let found: Vec<(String, usize)> = faults
                .into_iter()
                .map(|fault| match fault.origin {
                    crate::config::Origin::File { line, .. } => (fault.path, line),
                    _ => (fault.path, 0),
                })
                .collect();
            let wrong: Vec<_> = wrong.into_iter().map(|(path, line)| (path.to_owned(), line)).collect();
            assert_eq!(found, wrong, "{text}");
        }
        for line in [
            "endpoint = \"http://objects.example.com\"",
            "endpoint = \"https://objects.example.com/path\"",
            "endpoint = \"objects.example.com\"",
            "endpoint = \"https://user:pw@objects.example.com\"",
            "prefix = \"../up\"",
            "prefix = \"/root\"",
            "region = \"eu central\"",
            "allow_http = \"yes\"",
        ] {
            let faults = load(&format!("{BUCKET}{line}\n")).err().unwrap_or_else(|| panic!("accepted: {line}"));
            assert_eq!(faults.len(), 1, "{line}: {faults:?}");
        }
        let many: String =
            (0..=MAX).map(|n| format!("[publication.t{n}]\nkind = \"folder\"\npath = \"/a\"\n")).collect();
        assert_eq!(load(&many).err().map(|faults| faults.len()), Some(1));
    }
}
