//! OCSP responders: successors in time, and the end of what has ended.

use super::{BATCH, JobReport};
use crate::audit::Target;
use crate::change::by_id;
use crate::{App, Call, Error};
use certwright_domain::ca::CaState;
use certwright_domain::id::CaId;
use certwright_domain::key::KeyState;
use certwright_domain::ocsp::OcspResponder;

impl App {
    /// Gives responders that are due their successors. The first of each is made when someone asks.
    pub(super) async fn renew_ocsp_responders(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        let mut after: Option<(CaId, u32)> = None;
        loop {
            let from = after.as_ref().map(|(ca, version)| (ca, *version));
            let due = self.inner.store.read().await?.ocsp_responders_due(self.now(), from, BATCH).await?;
            for (ca, version) in &due {
                let latest = self.inner.store.read().await?.latest_ocsp_responder(ca, *version).await?;
                match self.make_ocsp_responder(call, ca, *version, latest).await {
                    Ok(()) => report.ocsp_responders_renewed = report.ocsp_responders_renewed.saturating_add(1),
                    Err(error @ Error::Unavailable { .. }) => return Err(error),
                    // A key that is disabled, or another node that was faster: the next round sees.
                    Err(error @ Error::Conflict { .. }) => {
                        tracing::debug!(ca.id = %ca, version, %error, "an OCSP responder was not renewed");
                    }
                    Err(error) => {
                        tracing::warn!(ca.id = %ca, version, %error, "an OCSP responder could not be renewed");
                    }
                }
                if !self.keep_lease().await? {
                    return Ok(());
                }
            }
            match due.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// Destroys the keys of responders whose certificates have ended or whose CA is gone.
    pub(super) async fn retire_ocsp_responders(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        let ended = self.inner.store.read().await?.ocsp_responders_to_retire(self.now(), BATCH).await?;
        for responder in ended {
            match self.retire_ocsp_responder(call, &responder).await {
                Ok(()) => report.ocsp_responders_retired = report.ocsp_responders_retired.saturating_add(1),
                Err(error) if crate::change::is_stale(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn retire_ocsp_responder(&self, call: &Call, responder: &OcspResponder) -> Result<(), Error> {
        let mut change = self.inner.begin_change(call, "ocsp.retire").await?;
        change.delete_ocsp_responder(responder).await?;
        change.destroy_key_version(&responder.key_id, responder.key_version).await?;
        let ca = change.ca(&by_id(responder.ca_id.as_str())?).await?;
        let name = ca.as_ref().map(|ca| ca.name.to_string()).unwrap_or_default();
        if ca.is_none_or(|ca| ca.state == CaState::Deleted)
            && let Some(mut key) = change.key_by_id(&responder.key_id).await?
            && key.state != KeyState::Deleted
        {
            key.state = KeyState::Deleted;
            change.update_key(&key).await?;
            change.destroy_key_material(&key.id).await?;
        }
        let (version, number) = (responder.ca_version.to_string(), responder.number.to_string());
        let target = Target { kind: "ca", id: responder.ca_id.as_str(), name: &name };
        let details = [("version", version.as_str()), ("responder", number.as_str())];
        change.insert_audit(&self.inner.audit(call, "ocsp.responder-retire", target, &details)).await?;
        change.commit().await
    }
}
