//! Settings of the audit trail: its checkpoints, and the sinks that it is shipped to.

use super::publication::{Reader, each};
use super::{Judge, Raw, at_least, path};
use crate::config::targets::RawTargets;
use crate::config::values::{self, Wrong};
use certwright_domain::http_url::{Host, HttpUrl};
use certwright_domain::name::ResourceName;
use certwright_domain::time::Span;
use std::path::PathBuf;

/// Most sinks.
const MAX: usize = 16;

/// Settings of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Between two checkpoints.
    pub(crate) checkpoint_interval: Span,
    /// Where it is shipped to.
    pub(crate) sinks: Vec<(ResourceName, SinkSettings)>,
}

/// A sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SinkSettings {
    /// Where it is.
    pub(crate) place: SinkPlace,
    /// Syslog: number of the facility.
    pub(crate) facility: u8,
    /// Does it get only what is written after it was set up?
    pub(crate) from_now: bool,
}

/// Where a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SinkPlace {
    /// A file.
    File {
        /// Where.
        path: PathBuf,
    },
    /// The syslog of this machine.
    Unix {
        /// Its socket.
        path: PathBuf,
    },
    /// A syslog across the network.
    Tcp {
        /// Where.
        host: Host,
        /// Its port.
        port: u16,
        /// With TLS?
        tls: bool,
    },
}

pub(super) fn audit(raw: &Raw, sinks: &RawTargets, judge: &mut Judge<'_>) -> Option<Audit> {
    let checkpoint_interval = judge.text("audit.checkpoint_interval", &raw.audit_checkpoint_interval, |text| {
        at_least(values::span(text, Span::from_days(1))?, Span::from_s(30), "30s")
    });
    let sinks = each(sinks, judge.faults, MAX, sink);
    Some(Audit { checkpoint_interval: checkpoint_interval?, sinks: sinks? })
}

fn sink(reader: &mut Reader<'_>) -> Option<SinkSettings> {
    let kind = reader.required("kind", |text| match text {
        "file" | "unix" | "tcp" | "tls" => Ok(text.to_owned()),
        _ => Err((
            format!("`{}` is no kind of sink.", text.escape_debug()),
            "Write `file`, `unix`, `tcp` or `tls`.".to_owned(),
        )),
    })?;
    let (foreign, others): (&[&str], &str) = match kind.as_str() {
        "file" => (&["address", "facility"], "syslog"),
        "unix" => (&["address"], "the network"),
        _ => (&["path"], "this machine"),
    };
    for key in reader.given().into_iter().filter(|key| foreign.contains(key)) {
        reader.fault(Some(key), (format!("It belongs to sinks of {others}."), "Leave it out.".to_owned()));
    }
    let place = match kind.as_str() {
        "file" => reader.required("path", absolute).map(|path| SinkPlace::File { path }),
        "unix" => reader
            .optional("path", absolute)
            .map(|path| SinkPlace::Unix { path: path.unwrap_or_else(|| PathBuf::from("/dev/log")) }),
        _ => reader.required("address", address).map(|(host, port)| SinkPlace::Tcp { host, port, tls: kind == "tls" }),
    };
    let facility = reader.optional("facility", facility);
    let from_now = reader.optional("start", |text| match text {
        "beginning" | "now" => Ok(text == "now"),
        _ => Err((format!("`{}` is no start.", text.escape_debug()), "Write `beginning` or `now`.".to_owned())),
    });
    Some(SinkSettings { place: place?, facility: facility?.unwrap_or(AUTHPRIV), from_now: from_now?.unwrap_or(false) })
}

/// `authpriv` (RFC 5424 section 6.2.1).
const AUTHPRIV: u8 = 10;

fn facility(text: &str) -> Result<u8, Wrong> {
    let local = text.strip_prefix("local").filter(|digit| digit.len() == 1).and_then(|digit| digit.parse::<u8>().ok());
    match (text, local) {
        ("daemon", _) => Ok(3),
        ("auth", _) => Ok(4),
        ("authpriv", _) => Ok(AUTHPRIV),
        ("audit", _) => Ok(13),
        (_, Some(number @ 0..=7)) => Ok(number.saturating_add(16)),
        _ => Err((
            format!("`{}` is no facility.", text.escape_debug()),
            "Write `auth`, `authpriv`, `daemon`, `audit`, or `local0` to `local7`.".to_owned(),
        )),
    }
}

/// A path that does not depend on where the server was started: what is written there must be found again.
fn absolute(text: &str) -> Result<PathBuf, Wrong> {
    match path(text)? {
        path if path.is_absolute() => Ok(path),
        _ => Err((format!("`{}` is not absolute.", text.escape_debug()), "Begin it with `/`.".to_owned())),
    }
}

fn address(text: &str) -> Result<(Host, u16), Wrong> {
    let wrong = || {
        (
            format!("`{}` is no host with a port.", text.escape_debug()),
            "Write for example `syslog.example.com:6514` or `[2001:db8::7]:601`.".to_owned(),
        )
    };
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(wrong)?;
    let url = HttpUrl::parse(&format!("https://{text}/")).map_err(|_| wrong())?;
    match url.target() == "/" && url.port() == port {
        true => Ok((url.host().clone(), port)),
        false => Err(wrong()),
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

    #[test]
    fn sinks_of_every_kind_are_read_beside_the_interval() {
        let text = "[audit]\ncheckpoint_interval = \"30s\"\n\
                    [audit.sink.file]\nkind = \"file\"\npath = \"/var/log/a\"\nstart = \"now\"\n\
                    [audit.sink.local]\nkind = \"unix\"\nfacility = \"local7\"\n\
                    [audit.sink.far]\nkind = \"tls\"\naddress = \"[2001:db8::7]:6514\"\n\
                    [audit.sink.near]\nkind = \"tcp\"\naddress = \"log.example.com:601\"\n";
        let loaded = load(text).map_err(|faults| format!("{faults:?}")).unwrap();
        let audit = &loaded.settings.audit;
        assert_eq!(audit.checkpoint_interval, Span::from_s(30));
        let found: Vec<_> = audit.sinks.iter().map(|(name, sink)| (name.as_str(), sink.clone())).collect();
        let sink = |place, facility, from_now| SinkSettings { place, facility, from_now };
        let far = SinkPlace::Tcp { host: Host::Ip("2001:db8::7".parse().unwrap()), port: 6514, tls: true };
        let near = SinkPlace::Tcp { host: Host::Name("log.example.com".to_owned()), port: 601, tls: false };
        assert_eq!(
            found,
            [
                ("far", sink(far, 10, false)),
                ("file", sink(SinkPlace::File { path: "/var/log/a".into() }, 10, true)),
                ("local", sink(SinkPlace::Unix { path: "/dev/log".into() }, 23, false)),
                ("near", sink(near, 10, false)),
            ]
        );
        assert!(loaded.show(false).contains("audit.sink.file.path = \"/var/log/a\""));
        let without = Sources::new().load().map_err(|faults| format!("{faults:?}")).unwrap().settings.audit;
        assert_eq!(without, Audit { checkpoint_interval: Span::from_minutes(5), sinks: Vec::new() });
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, wrong) in [
            ("[audit]\ncheckpoint_interval = \"29s\"\n", "audit.checkpoint_interval"),
            ("[audit]\ncheckpoint_interval = \"2d\"\n", "audit.checkpoint_interval"),
            ("[audit]\nsinks = 1\n", "audit.sinks"),
            ("[audit]\nsink = 1\n", "audit.sink"),
            ("[audit.sink.a]\n", "audit.sink.a.kind"),
            ("[audit.sink.\"a b\"]\nkind = \"unix\"\n", "audit.sink.a b"),
            ("[audit.sink.a]\nkind = \"udp\"\n", "audit.sink.a.kind"),
            ("[audit.sink.a]\nkind = \"file\"\n", "audit.sink.a.path"),
            ("[audit.sink.a]\nkind = \"file\"\npath = \"audit.log\"\n", "audit.sink.a.path"),
            ("[audit.sink.a]\nkind = \"file\"\npath = \"/a\"\nfacility = \"auth\"\n", "audit.sink.a.facility"),
            ("[audit.sink.a]\nkind = \"unix\"\naddress = \"a:1\"\n", "audit.sink.a.address"),
            ("[audit.sink.a]\nkind = \"tcp\"\n", "audit.sink.a.address"),
            ("[audit.sink.a]\nkind = \"tcp\"\naddress = \"a.example\"\n", "audit.sink.a.address"),
            ("[audit.sink.a]\nkind = \"tcp\"\naddress = \"a.example:0\"\n", "audit.sink.a.address"),
            ("[audit.sink.a]\nkind = \"tcp\"\naddress = \"a.example/x:1\"\n", "audit.sink.a.address"),
            ("[audit.sink.a]\nkind = \"tcp\"\naddress = \"2001:db8::7:601\"\n", "audit.sink.a.address"),
            ("[audit.sink.a]\nkind = \"unix\"\nfacility = \"local8\"\n", "audit.sink.a.facility"),
            ("[audit.sink.a]\nkind = \"unix\"\nstart = \"here\"\n", "audit.sink.a.start"),
            ("[audit.sink.a]\nkind = \"unix\"\nport = 3\n", "audit.sink.a.port"),
        ] {
            let faults = load(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
            let found: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
            assert_eq!(found, [wrong], "{text}: {faults:?}");
        }
        let many: String = (0..=MAX).map(|number| format!("[audit.sink.s{number}]\nkind = \"unix\"\n")).collect();
        assert_eq!(load(&many).err().map(|faults| faults.len()), Some(1));
    }
}
