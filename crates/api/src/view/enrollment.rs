//! Enrolment tokens.

use certwright_domain::enrollment::EnrollmentToken;
use certwright_domain::san::San;
use certwright_domain::secret::SecretText;
use certwright_wire as wire;

/// A token's record.
pub(crate) fn enrollment_token(token: &EnrollmentToken) -> wire::EnrollmentToken {
    wire::EnrollmentToken {
        id: token.id.to_string(),
        name: token.name.to_string(),
        ca: token.ca.to_string(),
        profile: token.profile.to_string(),
        names: token.terms.names().iter().map(San::to_string).collect(),
        uses: token.terms.uses(),
        uses_left: token.uses_left,
        expires_at: token.terms.expires_at().to_string(),
        created_at: token.created_at.to_string(),
    }
}

/// A token that was just made.
pub(crate) fn new_enrollment_token(token: &EnrollmentToken, text: &SecretText) -> wire::NewEnrollmentTokenAnswer {
    let text = wire::SecretText::new(text.expose().clone());
    wire::NewEnrollmentTokenAnswer { record: enrollment_token(token), token: text }
}
