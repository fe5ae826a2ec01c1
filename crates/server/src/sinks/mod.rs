//! Sinks of the audit trail: the files and syslog receivers of the configuration.

mod file;
mod syslog;

use crate::config::{SinkPlace, SinkSettings};
use crate::outbound::{Resolve, Trust};
use certwright_app::{AuditSink, ConfiguredSink, Sinks};
use certwright_domain::name::ResourceName;
use std::sync::Arc;
use syslog::{Datagrams, Format, Stream};

/// Makes the sinks. Nothing is opened yet: a sink that is away keeps nobody from starting.
pub(crate) fn open(
    settings: &[(ResourceName, SinkSettings)],
    resolver: &Arc<dyn Resolve>,
    trust: &Arc<Trust>,
) -> Sinks {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Sinks::new(settings.iter().map(|(name, settings)| {
        let format = Format::new(settings.facility, &host);
        let sink: Arc<dyn AuditSink> = match &settings.place {
            SinkPlace::File { path } => Arc::new(file::Lines::new(path.clone())),
            SinkPlace::Unix { path } => Arc::new(Datagrams::new(path.clone(), format)),
            SinkPlace::Tcp { host, port, tls } => {
                let trust = tls.then(|| Arc::clone(trust));
                Arc::new(Stream::new(host.clone(), *port, Arc::clone(resolver), trust, format))
            }
        };
        (name.clone(), ConfiguredSink { sink, from_now: settings.from_now })
    }))
}
