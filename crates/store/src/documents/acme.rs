//! ACME: settings of directories, challenges, lists of texts, as JSON.

use super::json;
use certwright_domain::acme::{
    Challenge, ChallengeState, Contact, DirectorySettings, Failure, FailureKind, Identifier, Method, NameGrant,
    RawDirectory,
};
use certwright_domain::id::AcmeAuthorizationId;
use certwright_domain::identity::AllowedNames;
use certwright_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryDocument {
    description: String,
    profiles: Vec<String>,
    challenges: Vec<String>,
    external_account_required: bool,
    without_challenge: bool,
    /// Younger than the table.
    #[serde(default)]
    client_certificates: bool,
    names: Option<Vec<String>>,
    allowed_private_ranges: Vec<String>,
    terms_of_service: Option<String>,
    website: Option<String>,
    caa_identities: Vec<String>,
    check_caa: bool,
    authorization_lifetime: Option<String>,
    reuse_authorizations: bool,
    vantage_points: Option<u32>,
}

/// Settings as text, without name and whether it is enabled, which have columns of their own.
pub(crate) fn write_directory(settings: &DirectorySettings) -> String {
    let RawDirectory {
        name: _,
        enabled: _,
        description,
        profiles,
        challenges,
        external_account_required,
        without_challenge,
        client_certificates,
        names,
        allowed_private_ranges,
        terms_of_service,
        website,
        caa_identities,
        check_caa,
        authorization_lifetime,
        reuse_authorizations,
        vantage_points,
    } = settings.to_raw();
    json(&DirectoryDocument {
        description,
        profiles,
        challenges,
        external_account_required,
        without_challenge,
        client_certificates,
        names,
        allowed_private_ranges,
        terms_of_service,
        website,
        caa_identities,
        check_caa,
        authorization_lifetime,
        reuse_authorizations,
        vantage_points,
    })
}

/// Settings from their columns.
pub(crate) fn read_directory(name: String, enabled: bool, text: &str) -> Option<DirectorySettings> {
    let document: DirectoryDocument = serde_json::from_str(text).ok()?;
    let DirectoryDocument {
        description,
        profiles,
        challenges,
        external_account_required,
        without_challenge,
        client_certificates,
        names,
        allowed_private_ranges,
        terms_of_service,
        website,
        caa_identities,
        check_caa,
        authorization_lifetime,
        reuse_authorizations,
        vantage_points,
    } = document;
    DirectorySettings::of_row(RawDirectory {
        name,
        enabled,
        description,
        profiles,
        challenges,
        external_account_required,
        without_challenge,
        client_certificates,
        names,
        allowed_private_ranges,
        terms_of_service,
        website,
        caa_identities,
        check_caa,
        authorization_lifetime,
        reuse_authorizations,
        vantage_points,
    })
    .ok()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChallengeDocument {
    method: String,
    token: String,
    state: String,
    validated_at: Option<i64>,
    failure: Option<(String, String)>,
    attempts: u32,
    seen_by: Vec<String>,
    /// Absent where nobody is to look, and in rows of times when an authorization had one such time for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
}

/// Challenges as text.
pub(crate) fn write_challenges(challenges: &[Challenge]) -> String {
    let document = |challenge: &Challenge| ChallengeDocument {
        method: challenge.method.as_str().to_owned(),
        token: challenge.token.clone(),
        state: challenge.state.as_str().to_owned(),
        validated_at: challenge.validated_at.map(Timestamp::unix_ms),
        failure: challenge.failure.as_ref().map(|it| (it.kind.as_str().to_owned(), it.detail.clone())),
        attempts: challenge.attempts,
        seen_by: challenge.seen_by.clone(),
        due_at: challenge.due_at.map(Timestamp::unix_ms),
    };
    json(&challenges.iter().map(document).collect::<Vec<_>>())
}

/// Challenges from text.
pub(crate) fn read_challenges(text: &str) -> Option<Vec<Challenge>> {
    let documents: Vec<ChallengeDocument> = serde_json::from_str(text).ok()?;
    let challenge = |document: ChallengeDocument| {
        let failure = match document.failure {
            Some((kind, detail)) => Some(Failure { kind: FailureKind::parse(&kind)?, detail }),
            None => None,
        };
        Some(Challenge {
            method: Method::parse(&document.method).ok()?,
            token: document.token,
            state: ChallengeState::parse(&document.state).ok()?,
            validated_at: document.validated_at.map(Timestamp::from_unix_ms),
            failure,
            attempts: document.attempts,
            seen_by: document.seen_by,
            due_at: document.due_at.map(Timestamp::from_unix_ms),
        })
    };
    documents.into_iter().map(challenge).collect()
}

/// Patterns as text.
pub(crate) fn write_grant(grant: &NameGrant) -> Option<String> {
    grant.names.as_ref().map(|names| json(&names.texts()))
}

/// Patterns from text.
pub(crate) fn read_grant(text: Option<String>) -> Option<NameGrant> {
    let Some(text) = text else { return Some(NameGrant::default()) };
    let texts: Vec<String> = serde_json::from_str(&text).ok()?;
    Some(NameGrant { names: Some(AllowedNames::parse(&texts).ok()?) })
}

/// Contacts as text.
pub(crate) fn write_contacts(contacts: &[Contact]) -> String {
    json(&contacts.iter().map(Contact::as_str).collect::<Vec<_>>())
}

/// Contacts from text.
pub(crate) fn read_contacts(text: &str) -> Option<Vec<Contact>> {
    let texts: Vec<String> = serde_json::from_str(text).ok()?;
    texts.iter().map(|text| Contact::parse(text).ok()).collect()
}

/// Identifiers as text.
pub(crate) fn write_identifiers(identifiers: &[Identifier]) -> String {
    json(&identifiers.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Identifiers from text.
pub(crate) fn read_identifiers(text: &str) -> Option<Vec<Identifier>> {
    let texts: Vec<String> = serde_json::from_str(text).ok()?;
    texts.iter().map(|text| Identifier::from_stored(text)).collect()
}

/// Ids of authorizations as text.
pub(crate) fn write_authorization_ids(ids: &[AcmeAuthorizationId]) -> String {
    json(&ids.iter().map(AcmeAuthorizationId::as_str).collect::<Vec<_>>())
}

/// Ids of authorizations from text.
pub(crate) fn read_authorization_ids(text: &str) -> Option<Vec<AcmeAuthorizationId>> {
    let texts: Vec<String> = serde_json::from_str(text).ok()?;
    texts.iter().map(|text| AcmeAuthorizationId::parse(text).ok()).collect()
}
