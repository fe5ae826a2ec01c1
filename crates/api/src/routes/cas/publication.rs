//! What a CA publishes elsewhere, as bodies tell of it.

use crate::parse::Faults;
use certwright_domain::publication::{ObjectKind, ObjectNameFormat, Placed, Publication, UrlFormat};
use certwright_domain::violation::Invalid;
use certwright_wire as wire;

/// A publication; inside, `None` for one that is switched off.
pub(super) fn publication(faults: &mut Faults, wish: &wire::UpdatePublication) -> Option<Option<Publication>> {
    if wish.enabled == Some(false) {
        return Some(None);
    }
    let target = faults.required("/revocation/publication/target", wish.target.as_deref());
    let target = target.and_then(|name| faults.name("/revocation/publication/target", name));
    let list = faults.required("/revocation/publication/objectNameFormat", wish.object_name_format.as_deref());
    let list = list.and_then(|name| placed(faults, ObjectKind::List, Some(name), wish.custom_url_formats.as_deref()));
    let (delta_urls, issuer_urls) = (wish.delta_url_formats.as_deref(), wish.issuer_url_formats.as_deref());
    let delta = placed(faults, ObjectKind::Delta, wish.delta_name_format.as_deref(), delta_urls);
    let issuer = placed(faults, ObjectKind::Issuer, wish.issuer_name_format.as_deref(), issuer_urls);
    let ((target, list), (delta, issuer)) = target.zip(list.flatten()).zip(delta.zip(issuer))?;
    let made = Publication::new(target, list, delta, issuer);
    made.map_err(|(kind, invalid)| faults.note(pointers(kind).0, invalid)).ok().map(Some)
}

fn placed(
    faults: &mut Faults,
    kind: ObjectKind,
    name: Option<&str>,
    urls: Option<&[String]>,
) -> Option<Option<Placed>> {
    let (name_at, urls_at) = pointers(kind);
    let urls = urls.unwrap_or_default();
    let Some(name) = name else {
        if urls.is_empty() {
            return Some(None);
        }
        let field = name_at.rsplit('/').next().unwrap_or_default();
        let wrong = Invalid::new(
            "url_without_object",
            format!("URLs were given for objects that are not published: `{field}` is missing."),
            format!("Add `{field}`, or leave the URLs out."),
        );
        faults.note(urls_at, wrong);
        return None;
    };
    let name = faults.take(name_at, ObjectNameFormat::parse(name));
    // A list that is too long is refused before it is read.
    let bounded = urls.get(..urls.len().min(Placed::MAX_URLS.saturating_add(1))).unwrap_or_default();
    let parsed: Vec<Option<UrlFormat>> = bounded
        .iter()
        .enumerate()
        .map(|(index, url)| faults.take(format!("{urls_at}/{index}"), UrlFormat::parse(url)))
        .collect();
    let urls = parsed.into_iter().collect::<Option<Vec<_>>>()?;
    faults.take(urls_at, Placed::new(name?, urls)).map(Some)
}

/// Where a body says how objects of a kind are called, and where they are to be found.
fn pointers(kind: ObjectKind) -> (&'static str, &'static str) {
    match kind {
        ObjectKind::List => ("/revocation/publication/objectNameFormat", "/revocation/publication/customUrlFormats"),
        ObjectKind::Delta => ("/revocation/publication/deltaNameFormat", "/revocation/publication/deltaUrlFormats"),
        ObjectKind::Issuer => ("/revocation/publication/issuerNameFormat", "/revocation/publication/issuerUrlFormats"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Publication>, Vec<(String, String)>> {
        let wish = serde_json::from_str(text).unwrap();
        let mut faults = Faults::default();
        let publication = publication(&mut faults, &wish);
        faults.finish(publication).map_err(|problem| {
            problem.document().errors.iter().map(|error| (error.pointer.clone(), error.code.clone())).collect()
        })
    }

    #[test]
    fn a_publication_is_read_whole() {
        let publication = read(
            r#"{"target":"cdn","objectNameFormat":"a-{}.crl","customUrlFormats":["http://a.example.com/{}"],
                "deltaNameFormat":"d-{}.crl","issuerNameFormat":"a-{}.crt","issuerUrlFormats":["http://a.example.com/c{}"]}"#,
        );
        let publication = publication.unwrap().unwrap();
        assert_eq!(publication.target().as_str(), "cdn");
        assert_eq!(publication.list().urls().len(), 1);
        assert_eq!(publication.delta().unwrap().name().as_str(), "d-{}.crl");
        assert_eq!(publication.issuer().unwrap().urls().len(), 1);
        assert_eq!(read(r#"{"enabled":false}"#), Ok(None));
    }

    #[test]
    fn every_fault_is_pointed_at() {
        let at = |field: &str| format!("/revocation/publication/{field}");
        for (text, faults) in [
            (r"{}", vec![("target", "missing_field"), ("objectNameFormat", "missing_field")]),
            (
                r#"{"target":"no name","objectNameFormat":"../{}"}"#,
                vec![("target", "invalid_name"), ("objectNameFormat", "invalid_object_name_format")],
            ),
            (
                r#"{"target":"cdn","objectNameFormat":"a.crl","customUrlFormats":["http://a.example.com/{}","ftp://x/{}"]}"#,
                vec![("objectNameFormat", "invalid_object_name_format"), ("customUrlFormats/1", "invalid_url")],
            ),
            (
                r#"{"target":"cdn","objectNameFormat":"a-{}","deltaUrlFormats":["http://a.example.com/{}"]}"#,
                vec![("deltaUrlFormats", "url_without_object")],
            ),
            (
                r#"{"target":"cdn","objectNameFormat":"a-{}","issuerNameFormat":"a-{}"}"#,
                vec![("issuerNameFormat", "object_name_taken")],
            ),
            (
                r#"{"target":"cdn","objectNameFormat":"a-{}","customUrlFormats":["http://a/{}","http://b/{}","http://c/{}","http://d/{}","http://e/{}","x"]}"#,
                vec![("customUrlFormats", "too_many_urls")],
            ),
        ] {
            let faults: Vec<_> = faults.into_iter().map(|(field, code)| (at(field), code.to_owned())).collect();
            assert_eq!(read(text), Err(faults), "{text}");
        }
    }
}
