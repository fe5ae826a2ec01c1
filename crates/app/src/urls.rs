//! The URLs that certificates carry.

use crate::App;
use certwright_domain::ca::Ca;
use certwright_domain::crl::{CrlKind, CrlScope, Place, Shards};
use certwright_domain::serial::Serial;
use certwright_pki::{Certificate, Urls};
use std::borrow::Cow;

/// The URLs that a version of a CA writes into what it signs; the list's may depend on the serial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct IssuerUrls {
    common: Urls,
    /// The version's whole list, where lists are cut into shards.
    cut: Option<(Shards, Vec<Vec<String>>)>,
}

impl IssuerUrls {
    /// Where the issuer's certificate is.
    pub(crate) fn issuers(&self) -> &[String] {
        &self.common.ca_issuers
    }

    /// Those of the certificate with this serial.
    pub(crate) fn of(&self, serial: &Serial) -> Cow<'_, Urls> {
        let Some((shards, lists)) = &self.cut else { return Cow::Borrowed(&self.common) };
        let shard = usize::from(shards.shard_of(Place::of(serial)));
        let crl = lists.get(shard).cloned().unwrap_or_default();
        Cow::Owned(Urls { crl, ..self.common.clone() })
    }
}

impl App {
    /// The URLs that certificates signed by this version of the CA (with this certificate) carry; none where nothing answers. They name the
    /// version: after a renewal with a new key, older certificates still find the certificate that signed them.
    pub(crate) fn urls(&self, ca: &Ca, version: u32, certificate: &Certificate) -> IssuerUrls {
        let base = &self.inner.settings.pki_url;
        if base.is_empty() {
            return IssuerUrls::default();
        }
        let at = |leaf: &str| vec![format!("{base}/pki/{}/{version}/{leaf}", ca.id)];
        let shards = ca.revocation.crl_shards;
        let list = |shard| {
            let scope = CrlScope { ca_id: ca.id.clone(), ca_version: version, shards, shard, kind: CrlKind::Full };
            self.crl_urls(ca, &scope)
        };
        let mut urls = IssuerUrls {
            common: Urls {
                ca_issuers: at("ca.crt"),
                ocsp: if ca.revocation.ocsp_enabled { at("ocsp") } else { Vec::new() },
                crl: Vec::new(),
            },
            cut: None,
        };
        match (ca.revocation.crl_enabled && certificate.may_sign_crls, shards) {
            (false, _) => {}
            (true, Shards::ONE) => urls.common.crl = list(0),
            (true, shards) => urls.cut = Some((shards, (0..shards.number()).map(list).collect())),
        }
        urls
    }
}
