//! ACME, for operators.

use certwright_app::AcmeOrderDetail;
use certwright_domain::acme::{Account, Authorization, Challenge, Contact, Directory, EabKey, RawDirectory};
use certwright_domain::secret::SecretText;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// A directory; `url`: what clients are given.
pub(crate) fn acme_directory(directory: &Directory, url: String) -> wire::AcmeDirectory {
    let RawDirectory {
        name,
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
        enabled,
    } = directory.settings.to_raw();
    wire::AcmeDirectory {
        id: directory.id.to_string(),
        name,
        url,
        ca: directory.ca.to_string(),
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
        authorization_lifetime: authorization_lifetime.unwrap_or_default(),
        reuse_authorizations,
        vantage_points: vantage_points.unwrap_or(1),
        enabled,
        created_at: directory.created_at.to_string(),
    }
}

/// An account.
pub(crate) fn acme_account((account, directory): &(Account, Directory)) -> wire::AcmeAccount {
    wire::AcmeAccount {
        id: account.id.to_string(),
        directory: directory.settings.name().to_string(),
        status: account.state.to_string(),
        contacts: account.contacts.iter().map(Contact::as_str).map(str::to_owned).collect(),
        key_thumbprint: account.thumbprint.to_string(),
        terms_agreed_at: time(account.terms_agreed_at),
        eab_key: account.eab_key.as_ref().map(ToString::to_string),
        names: account.grant.names.as_ref().map(|names| names.texts().to_vec()),
        created_at: account.created_at.to_string(),
    }
}

/// A key for external account bindings.
pub(crate) fn eab_key((key, directory): &(EabKey, Directory)) -> wire::EabKey {
    wire::EabKey {
        id: key.id.to_string(),
        name: key.name.to_string(),
        directory: directory.settings.name().to_string(),
        names: key.grant.names.as_ref().map(|names| names.texts().to_vec()),
        uses_left: key.uses_left,
        expires_at: time(key.expires_at),
        revoked_at: time(key.revoked_at),
        last_used_at: time(key.last_used_at),
        created_at: key.created_at.to_string(),
    }
}

/// A key that was just made.
pub(crate) fn eab_key_with_secret(key: &(EabKey, Directory), secret: Option<&SecretText>) -> wire::EabKeyWithSecret {
    let hmac_key = secret.map(|secret| wire::SecretText::new(secret.expose().clone()));
    wire::EabKeyWithSecret { key: eab_key(key), hmac_key }
}

/// An order with its proofs.
pub(crate) fn acme_order(detail: &AcmeOrderDetail, now: Timestamp) -> wire::AcmeOrder {
    let AcmeOrderDetail { view, directory } = detail;
    let order = &view.order;
    wire::AcmeOrder {
        id: order.id.to_string(),
        directory: directory.clone(),
        account: order.account.to_string(),
        status: view.state.to_string(),
        error: view.error.as_ref().map(|error| error.detail.clone()),
        names: view.authorizations.iter().map(|authorization| proof(authorization, now)).collect(),
        profile: order.profile.to_string(),
        certificate: order.certificate().map(ToString::to_string),
        replaces: order.replaces.as_ref().map(|(id, _)| id.to_string()),
        expires_at: order.expires_at.to_string(),
        created_at: order.created_at.to_string(),
    }
}

fn proof(authorization: &Authorization, now: Timestamp) -> wire::AcmeProof {
    wire::AcmeProof {
        name: authorization.identifier.to_string(),
        status: authorization.state_at(now).to_string(),
        challenges: authorization.challenges.iter().map(challenge).collect(),
    }
}

fn challenge(challenge: &Challenge) -> wire::AcmeChallenge {
    wire::AcmeChallenge {
        kind: challenge.method.to_string(),
        status: challenge.state.to_string(),
        attempts: challenge.attempts,
        failure: challenge.failure.as_ref().map(|failure| failure.detail.clone()),
        validated_at: time(challenge.validated_at),
    }
}
