//! A machine asks for the names that its identity gives it, and for no others, whatever the policies say.

use crate::{Call, Error};

use certwright_domain::identity::AllowedNames;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::San;
use certwright_domain::violation::Violation;

/// Judges every name of a request, the subject's as well: what stands there is taken for a name by somebody.
pub(crate) fn check_names(call: &Call, request: &LeafRequest) -> Result<(), Error> {
    let Some(patterns) = call.caller.as_workload().and_then(|workload| workload.names.as_ref()) else { return Ok(()) };
    let allowed = AllowedNames::parse(patterns)
        .map_err(|fault| Error::Internal(format!("the names of {}: {fault}", call.caller.id())))?;
    let subject = request.subject.names().map(|text| {
        let fits = San::parse(text).is_ok_and(|name| allowed.allows(&name));
        ("/subject".to_owned(), text.to_owned(), fits)
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

fn violation(call: &Call, pointer: String, name: String, patterns: &[String]) -> Violation {
    let limit = if patterns.is_empty() { "none".to_owned() } else { patterns.join(", ") };
    Violation {
        code: "name_not_of_identity",
        rule: "identityNames",
        owner: format!("identity {}", call.caller.name()),
        pointer,
        detail: format!("The name `{name}` is not one that this identity may ask for: {limit}."),
        hint: format!(
            "Ask for names among: {limit}; or have the rule of the identity provider, or the certificate trust, changed."
        ),
        allowed: limit.clone(),
        limit,
        value: name,
    }
}
