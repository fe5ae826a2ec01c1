//! A machine asks for the names that its identity gives it, and for no others, whatever the policies say. Nor for anything
//! else in a subject: an organization that some service takes for a role was never given to it.

use crate::{Call, Error};

use certwright_domain::dn::{Attribute, AttributeType};
use certwright_domain::identity::AllowedNames;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::San;
use certwright_domain::violation::Violation;

/// Judges every name of a request, and the subject: its names must be among those of the identity as well, and nothing else
/// may stand there.
pub(crate) fn check_names(call: &Call, request: &LeafRequest) -> Result<(), Error> {
    let Some(patterns) = call.caller.as_workload().and_then(|workload| workload.names.as_ref()) else { return Ok(()) };
    let allowed = AllowedNames::parse(patterns)
        .map_err(|fault| Error::Internal(format!("the names of {}: {fault}", call.caller.id())))?;
    let subject = request.subject.attributes().iter().map(|attribute| {
        let pointer = format!("/subject/{}", attribute.kind().as_str());
        (pointer, attribute.value().to_owned(), is_name_of(attribute, &allowed))
    });
    let names = request.names.iter().enumerate();
    let names = names.map(|(index, name)| (format!("/names/{index}"), name.to_string(), allowed.allows(name)));
    let broken: Vec<Violation> = names
        .chain(subject)
        .filter(|(_, _, fits)| !fits)
        .map(|(pointer, name, _)| violation(call, pointer, name, patterns))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(Error::Rejected(broken)) }
}

/// A commonName or an e-mail address that is one of the names, as it is written among alternative names: a prefix (`dns:`)
/// would stand in the certificate.
fn is_name_of(attribute: &Attribute, allowed: &AllowedNames) -> bool {
    let named = matches!(attribute.kind(), AttributeType::CommonName | AttributeType::EmailAddress);
    let text = attribute.value();
    let fits = |name: San| name.to_string().eq_ignore_ascii_case(text) && allowed.allows(&name);
    named && San::parse(text).is_ok_and(fits)
}

fn violation(call: &Call, pointer: String, name: String, patterns: &[String]) -> Violation {
    let limit = if patterns.is_empty() { "none".to_owned() } else { patterns.join(", ") };
    Violation {
        code: "name_not_of_identity",
        rule: "identityNames",
        owner: format!("identity {}", call.caller.name()),
        detail: format!("`{name}` ({pointer}) is not what this identity may ask for: {limit}."),
        hint: format!(
            "Ask for names among: {limit}; of the subject take at most a commonName and e-mail addresses that are among \
             them, and let the profile set the rest. Or have the rule of the identity provider, or the certificate trust, \
             changed."
        ),
        pointer,
        allowed: limit.clone(),
        limit,
        value: name,
    }
}
