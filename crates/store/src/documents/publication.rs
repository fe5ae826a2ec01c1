//! What a CA publishes elsewhere, as text.

use super::json;
use certwright_domain::name::ResourceName;
use certwright_domain::publication::{ObjectNameFormat, Placed, Publication, UrlFormat};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicationDocument {
    target: String,
    list: PlacedDocument,
    delta: Option<PlacedDocument>,
    issuer: Option<PlacedDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlacedDocument {
    name: String,
    urls: Vec<String>,
}

impl PlacedDocument {
    fn of(placed: &Placed) -> Self {
        Self { name: placed.name().to_string(), urls: placed.urls().iter().map(ToString::to_string).collect() }
    }

    fn read(self) -> Option<Placed> {
        let urls = self.urls.iter().map(|url| UrlFormat::parse(url).ok()).collect::<Option<Vec<_>>>()?;
        Placed::new(ObjectNameFormat::parse(&self.name).ok()?, urls).ok()
    }
}

/// A publication as text.
pub(crate) fn write_publication(publication: &Publication) -> String {
    json(&PublicationDocument {
        target: publication.target().to_string(),
        list: PlacedDocument::of(publication.list()),
        delta: publication.delta().map(PlacedDocument::of),
        issuer: publication.issuer().map(PlacedDocument::of),
    })
}

/// A publication from text.
pub(crate) fn read_publication(text: &str) -> Option<Publication> {
    let PublicationDocument { target, list, delta, issuer } = serde_json::from_str(text).ok()?;
    let optional = |document: Option<PlacedDocument>| match document {
        None => Some(None),
        Some(document) => document.read().map(Some),
    };
    let target = ResourceName::parse(&target).ok()?;
    Publication::new(target, list.read()?, optional(delta)?, optional(issuer)?).ok()
}
