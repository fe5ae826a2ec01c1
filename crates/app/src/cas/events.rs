//! Events about CAs. The server's own CA has none: nobody could have asked for them when it is made.

use crate::audit::Target;
use crate::{Call, Error, Inner};
use certwright_domain::ca::{Ca, CaVersion};
use certwright_domain::event::EventKind;
use certwright_store::Queries;

impl Inner {
    /// Inserts the event `kind` about a CA, with the facts of the version concerned and `more`.
    pub(crate) async fn tell_of_ca(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        kind: EventKind,
        ca: &Ca,
        version: Option<&CaVersion>,
        more: &[(&str, &str)],
    ) -> Result<(), Error> {
        if ca.system {
            return Ok(());
        }
        let facts = version.map(facts_of).unwrap_or_default();
        let subject = ca.subject.to_string();
        let mut details = vec![("type", ca.ca_type.as_str()), ("subject", subject.as_str())];
        details.extend(facts.iter().map(|(name, value)| (*name, value.as_str())));
        details.extend_from_slice(more);
        let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        Ok(queries.insert_event(&self.event(call, kind, target, &details)).await?)
    }
}

fn facts_of(version: &CaVersion) -> Vec<(&'static str, String)> {
    let mut facts = vec![("version", version.number.to_string())];
    facts.extend(version.serial.as_ref().map(|serial| ("serial", serial.to_string())));
    facts.extend(version.fingerprint.map(|fingerprint| ("fingerprint", fingerprint.to_string())));
    if let Some(validity) = version.validity {
        facts.push(("notBefore", validity.not_before().to_string()));
        facts.push(("notAfter", validity.not_after().to_string()));
    }
    facts
}
