//! The URLs that certificates carry.

use crate::{App, Error};
use certwright_domain::ca::Ca;
use certwright_domain::crl::{CrlKind, CrlScope, Place, Shards};
use certwright_domain::serial::Serial;
use certwright_pki::{Certificate, Urls};
use certwright_store::Reader;
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
        let at = |leaf: &str| self.own_urls(ca, version, leaf);
        let shards = ca.revocation.crl_shards;
        let list = |shard| {
            let scope = CrlScope { ca_id: ca.id.clone(), ca_version: version, shards, shard, kind: CrlKind::Full };
            self.crl_urls(ca, &scope)
        };
        let elsewhere = ca.publication.as_ref().map(|one| one.issuer_urls(version)).unwrap_or_default();
        let mut urls = IssuerUrls {
            common: Urls {
                ca_issuers: match elsewhere.is_empty() {
                    true => at("ca.crt"),
                    false => elsewhere,
                },
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

    /// Where certificates and lists say that a series is to be found: where others serve it, and otherwise here.
    pub(crate) fn crl_urls(&self, ca: &Ca, scope: &CrlScope) -> Vec<String> {
        let elsewhere = ca.publication.as_ref().map(|one| one.list_urls(scope)).unwrap_or_default();
        match elsewhere.is_empty() {
            true => self.own_crl_urls(ca, scope),
            false => elsewhere,
        }
    }

    /// Everywhere that a series is served today.
    pub(crate) fn all_crl_urls(&self, ca: &Ca, scope: &CrlScope) -> Vec<String> {
        let mut urls = self.own_crl_urls(ca, scope);
        urls.extend(ca.publication.as_ref().map(|one| one.list_urls(scope)).unwrap_or_default());
        urls
    }

    /// Every name that a certificate of the CA may know a shard by: a list that does not name itself so is not taken for
    /// the one that the certificate names (RFC 5280 section 6.3.3 (b)(2)(i)).
    pub(crate) async fn own_names(
        &self,
        read: &mut Reader<'_>,
        ca: &Ca,
        scope: &CrlScope,
    ) -> Result<Vec<String>, Error> {
        let mut names = self.all_crl_urls(ca, scope);
        for past in read.past_publications(&ca.id).await? {
            for url in past.publication.list_urls(scope) {
                if !names.contains(&url) {
                    names.push(url);
                }
            }
        }
        Ok(names)
    }

    fn own_crl_urls(&self, ca: &Ca, scope: &CrlScope) -> Vec<String> {
        self.own_urls(ca, scope.ca_version, &scope.leaf())
    }

    /// An address of this server; none where nothing answers.
    fn own_urls(&self, ca: &Ca, version: u32, leaf: &str) -> Vec<String> {
        let base = &self.inner.settings.pki_url;
        match base.is_empty() {
            true => Vec::new(),
            false => vec![format!("{base}/pki/{}/{version}/{leaf}", ca.id)],
        }
    }
}
