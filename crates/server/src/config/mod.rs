//! Configuration: flags, environment, file and defaults become [`Settings`] before any socket opens.
//!
//! A flag beats an environment variable beats the file beats the default. Everything that is wrong is reported
//! together. Environment variables come in through the command line's parser (`--flag` and its variable are one
//! argument there), never from elsewhere.

mod file;
mod origin;
mod reference;
mod settings;
mod targets;
mod values;

#[cfg(test)]
mod tests;

pub use origin::{Fault, Origin};
pub use reference::{FIELDS, Field, example, markdown};
pub(crate) use settings::{BucketSettings, Limits, SinkPlace, SinkSettings, TargetSettings, TlsSource};
pub use settings::{LogFormat, Settings};
pub(crate) use values::mask_url;

use file::File;
use origin::Setting;
use reference::{FieldType, Raw};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use targets::RawTargets;

/// Where the configuration comes from. Kept, so that SIGHUP can read it again. No `Debug`: it may
/// hold a password.
#[derive(Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    overrides: Vec<Override>,
}

#[derive(Clone)]
struct Override {
    path: &'static str,
    value: String,
    origin: Origin,
}

/// A configuration that passed every check.
#[derive(Clone)]
pub struct Loaded {
    /// What the program works with.
    pub settings: Settings,
    raw: Raw,
    targets: RawTargets,
    sinks: RawTargets,
    /// The file and the mode it had when it was read.
    file: Option<(PathBuf, u32)>,
}

/// Hands out the strongest value of each setting and collects what is wrong.
pub(crate) struct Collector<'a> {
    file: File,
    overrides: &'a [Override],
    faults: &'a mut Vec<Fault>,
}

impl Sources {
    /// Neither file nor flags: defaults alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the configuration file.
    #[must_use]
    pub fn with_file(mut self, path: PathBuf) -> Self {
        self.file = Some(path);
        self
    }

    /// Adds a value from a flag or the environment. `path` is the setting's path in the file.
    #[must_use]
    pub fn with(mut self, path: &'static str, value: impl Into<String>, origin: Origin) -> Self {
        self.overrides.push(Override { path, value: value.into(), origin });
        self
    }

    /// Reads and judges everything.
    pub fn load(&self) -> Result<Loaded, Vec<Fault>> {
        let mut faults = Vec::new();
        let file = match &self.file {
            None => File::default(),
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => File::parse(path, &text, &mut faults),
                Err(error) => {
                    faults.push(Fault {
                        path: path.display().to_string(),
                        origin: Origin::File { path: path.clone(), line: 1 },
                        detail: format!("The configuration file cannot be read: {error}."),
                        hint: "Check --config and CERTWRIGHT_CONFIG.".to_owned(),
                    });
                    File::default()
                }
            },
        };
        let mut file = file;
        let (targets, sinks) = (file.take_named(&targets::TARGETS), file.take_named(&targets::SINKS));
        let raw = Raw::collect(&mut Collector { file, overrides: &self.overrides, faults: &mut faults });
        match Settings::new(&raw, &targets, &sinks, &mut faults) {
            Some(settings) if faults.is_empty() => {
                let mode =
                    |path: &PathBuf| std::fs::metadata(path).ok().map(|found| (path.clone(), found.mode() & 0o777));
                Ok(Loaded { settings, raw, targets, sinks, file: self.file.as_ref().and_then(mode) })
            }
            _ => Err(faults),
        }
    }
}

impl Loaded {
    /// What is doubtful about the file: that others can write it, or read the password in it. Told and not refused: in a container
    /// the file of a secret often is everybody's, and nobody else is there.
    pub fn doubts(&self) -> Vec<String> {
        let Some((path, mode)) = &self.file else { return Vec::new() };
        let mut doubts = Vec::new();
        if mode & 0o022 != 0 {
            doubts.push(format!(
                "the configuration {} can be written by other users (mode {mode:03o}); chmod 600 keeps them out",
                path.display()
            ));
        }
        let values = self.raw.values();
        let from_file = values.iter().filter(|(_, _, from)| matches!(from, Origin::File { .. }));
        let is_password = |path: &str, value: &str| {
            FIELDS.iter().any(|field| field.path == path && field.secret) && values::mask_toml(value).contains("***")
        };
        let holds_password = from_file.filter_map(|(path, value, _)| Some((*path, value.as_deref()?)));
        if mode & 0o044 != 0 && holds_password.into_iter().any(|(path, value)| is_password(path, value)) {
            doubts.push(format!(
                "the configuration {} holds a password and can be read by other users (mode {mode:03o}); chmod 600 keeps \
                 them out",
                path.display()
            ));
        }
        doubts
    }

    /// Folders that settings name and that are not there: told when the configuration is checked. The server starts without
    /// them, because they may come back.
    pub fn missing_folders(&self) -> Vec<Fault> {
        let folder = |path: &Path, hint: &str| {
            (!path.is_dir()).then(|| (format!("The folder {} is not there.", path.display()), hint.to_owned()))
        };
        let mut faults = Vec::new();
        for (name, target) in &self.settings.publication {
            if let TargetSettings::Folder { path } = target
                && let Some(wrong) = folder(path, "Make it, and let the server write in it.")
            {
                faults.extend(self.targets.fault_of(name.as_str(), "path", wrong));
            }
        }
        for (name, sink) in &self.settings.audit.sinks {
            if let SinkPlace::File { path } = &sink.place
                && let Some(parent) = path.parent()
                && let Some(wrong) =
                    folder(parent, "Make it, and let the server write in it; the file comes by itself.")
            {
                faults.extend(self.sinks.fault_of(name.as_str(), "path", wrong));
            }
        }
        faults
    }

    /// The settings in force as TOML, secrets masked; with `origin`, where each of them came from.
    pub fn show(&self, origin: bool) -> String {
        let derived = self.settings.derived();
        let mut out = String::new();
        for (path, value, from) in self.raw.values() {
            let secret = FIELDS.iter().any(|field| field.path == path && field.secret);
            let (value, from) = match (value, derived.iter().find(|(name, _)| *name == path)) {
                (Some(value), _) => (Some(if secret { values::mask_toml(&value) } else { value }), from),
                (None, Some((_, value))) => (Some(value.to_toml()), &Origin::Derived),
                (None, None) => (None, from),
            };
            let line = match value {
                Some(value) => format!("{path} = {value}"),
                None => format!("#{path} is not set"),
            };
            match origin {
                true => out.push_str(&format!("{line:<60} # {from}\n")),
                false => out.push_str(&format!("{line}\n")),
            }
        }
        for (path, value, from) in self.targets.values().into_iter().chain(self.sinks.values()) {
            let line = format!("{path} = {value}");
            match origin {
                true => out.push_str(&format!("{line:<60} # {from}\n")),
                false => out.push_str(&format!("{line}\n")),
            }
        }
        out
    }
}

impl Collector<'_> {
    /// The strongest value of a setting.
    pub(crate) fn take<T: FieldType>(&mut self, path: &'static str, default: Option<&'static str>) -> Setting<T> {
        let from_file = self.file.take(path);
        let strength = |origin: &Origin| match origin {
            Origin::Flag(_) => 2,
            Origin::Environment(_) => 1,
            _ => 0,
        };
        let given = self.overrides.iter().filter(|o| o.path == path).max_by_key(|o| strength(&o.origin));
        if let Some(given) = given {
            let value = T::from_text(&given.value);
            if value.is_none() {
                self.wrong_type(path, &given.origin, T::NAME);
            }
            return Setting { value, origin: given.origin.clone() };
        }
        if let Some((value, origin)) = from_file {
            let value = T::from_toml(&value);
            if value.is_none() {
                self.wrong_type(path, &origin, T::NAME);
            }
            return Setting { value, origin };
        }
        Setting { value: default.and_then(parse_default), origin: Origin::Default }
    }

    fn wrong_type(&mut self, path: &str, origin: &Origin, wanted: &str) {
        self.faults.push(Fault {
            path: path.to_owned(),
            origin: origin.clone(),
            detail: "The value has the wrong type.".to_owned(),
            hint: format!("Write {wanted}."),
        });
    }
}

/// A default of the table; a test proves that all of them parse.
fn parse_default<T: FieldType>(toml: &str) -> Option<T> {
    let text = format!("data = {toml}");
    let mut file = File::parse(std::path::Path::new("default"), &text, &mut Vec::new());
    file.take("data").and_then(|(value, _)| T::from_toml(&value))
}
