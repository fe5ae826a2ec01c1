//! Domain types to wire types.

mod access;
mod acme;
mod ca;
mod ca_bundle;
mod certificate;
mod crl;
mod early_renewal;
mod enrollment;
mod events;
mod identity;
mod issued;

pub(crate) use access::{
    compartment, dynamic_group, group, membership, placed, policy, policy_answer, user, user_with, whoami,
};
pub(crate) use acme::{acme_account, acme_directory, acme_order, eab_key, eab_key_with_secret};
pub(crate) use ca::{ca, ca_version, verdicts};
pub(crate) use ca_bundle::{ca_bundle, ca_bundle_in_list};
pub(crate) use certificate::{attempt, bundle, certificate, certificate_version, ensured};
pub(crate) use crl::{revocation_list, revoked, revoked_named};
pub(crate) use early_renewal::early_renewal;
pub(crate) use enrollment::{enrollment_token, new_enrollment_token};
pub(crate) use events::{delivery, event, event_with, webhook, webhook_with_secret};
pub(crate) use identity::{certificate_trust, exchanged_token, identity_provider, token_trial};
pub(crate) use issued::{answer, inventory, trial};

use certwright_app::{AuditVerification, KeyView, RootKeyStatus, TrustedRoot, to_pem};
use certwright_domain::audit::StoredAuditEvent;
use certwright_domain::audit::chain::Head;
use certwright_domain::audit::verify::Fault;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::key::{Key, KeyVersion, Vault};
use certwright_domain::profile::{RawNameLimits, StoredProfile};
use certwright_domain::time::Timestamp;
use certwright_domain::token::Token;
use certwright_wire as wire;

/// A vault.
pub(crate) fn vault(vault: &Vault) -> wire::Vault {
    wire::Vault {
        id: vault.id.to_string(),
        name: vault.name.to_string(),
        state: vault.state.to_string(),
        system: vault.system,
        created_at: vault.created_at.to_string(),
        deletion_at: text(vault.deletion_at),
    }
}

/// A key of a vault, without its public key.
pub(crate) fn key_in(vault: &Vault, key: &Key) -> wire::Key {
    wire::Key {
        id: key.id.to_string(),
        name: key.name.to_string(),
        vault: vault.name.to_string(),
        vault_id: key.vault_id.to_string(),
        algorithm: key.algorithm.family().to_string(),
        length: key.algorithm.length(),
        protection: key.protection.to_string(),
        state: key.state.to_string(),
        used_by_ca: key.used_by_ca.as_ref().map(ToString::to_string),
        latest_version: key.latest_version,
        public_key: None,
        created_at: key.created_at.to_string(),
        deletion_at: text(key.deletion_at),
    }
}

/// A key with the public key of its newest version.
pub(crate) fn key(view: &KeyView) -> wire::Key {
    let public_key = view.latest.as_ref().and_then(public_key);
    wire::Key { public_key, ..key_in(&view.vault, &view.key) }
}

/// A version of a key.
pub(crate) fn key_version(version: &KeyVersion) -> wire::KeyVersion {
    wire::KeyVersion {
        number: version.number,
        public_key: public_key(version),
        created_at: version.created_at.to_string(),
    }
}

/// A profile.
pub(crate) fn profile(stored: &StoredProfile) -> wire::Profile {
    let raw = stored.profile.to_raw();
    wire::Profile {
        id: stored.id.as_ref().map(ToString::to_string),
        name: raw.name,
        description: raw.description,
        built_in: stored.id.is_none(),
        usages: raw.usages,
        key_algorithms: raw.key_algorithms,
        max_validity: raw.max_validity,
        key_holders: raw.key_holders,
        names: name_limits(raw.names),
        created_at: text(stored.created_at),
    }
}

/// A token's record.
pub(crate) fn token(token: &Token) -> wire::Token {
    wire::Token {
        id: token.id.to_string(),
        name: token.name.to_string(),
        user: token.user.clone(),
        scopes: token.scopes.clone(),
        bound_to: token.bound_to.map(|bound| bound.to_string()),
        created_at: token.created_at.to_string(),
        expires_at: text(token.expires_at),
        revoked_at: text(token.revoked_at),
        last_used_at: text(token.last_used_at),
    }
}

/// An audit event.
pub(crate) fn audit_event(event: StoredAuditEvent) -> wire::AuditEvent {
    wire::AuditEvent {
        id: event.id.to_string(),
        at: event.at.to_string(),
        actor: event.actor,
        actor_name: event.actor_name,
        action: event.action,
        target: wire::AuditTarget { kind: event.target_kind, id: event.target_id, name: event.target_name },
        request_id: event.request_id,
        door: event.door,
        address: Some(event.address).filter(|address| !address.is_empty()),
        decided_by: Some(event.decided_by).filter(|decided| !decided.is_empty()),
        outcome: event.outcome,
        sequence: Some(event.sequence).filter(|sequence| *sequence > 0),
        chain: Some(event.chain).filter(|chain| !chain.is_empty()),
        hash: event.hash.map(|hash| hash.to_string()),
        details: serde_json::from_str(&event.details).unwrap_or(serde_json::Value::Null),
    }
}

/// What a verification of the trail found.
pub(crate) fn audit_verification(found: AuditVerification) -> wire::AuditVerification {
    let status = match (found.faults.is_empty(), &found.next) {
        (false, _) => "BROKEN",
        (true, Some(_)) => "INCOMPLETE",
        (true, None) => "VERIFIED",
    };
    let fault = |fault: Fault| wire::AuditFault {
        kind: fault.kind.as_str().to_owned(),
        chain: fault.chain,
        sequence: fault.sequence,
        event_id: fault.event,
        detail: fault.detail,
    };
    let head = |head: Head| wire::AuditHead { chain: head.chain, sequence: head.sequence, hash: head.hash.to_string() };
    let key = |(version, der): (u32, Vec<u8>)| wire::AuditKey { version, public_key: to_pem("PUBLIC KEY", &der) };
    wire::AuditVerification {
        status: status.to_owned(),
        events: found.events,
        events_before_chains: found.before_chains,
        chains: found.heads.into_iter().map(head).collect(),
        checkpoint: found.checkpoint,
        public_keys: found.public_keys.into_iter().map(key).collect(),
        faults: found.faults.into_iter().map(fault).collect(),
        next: found.next.map(|(chain, from)| wire::AuditPlace { chain, from }),
    }
}

/// Root keys.
pub(crate) fn root_keys(status: RootKeyStatus) -> wire::RootKeys {
    let keys = status.keys.into_iter().map(|(id, count)| wire::RootKey { id, sealed_vault_keys: count });
    wire::RootKeys { current: status.current, keys: keys.collect() }
}

/// A root that relying parties may trust.
pub(crate) fn trusted_root(root: &TrustedRoot) -> wire::TrustedRoot {
    let certificate = &root.certificate;
    wire::TrustedRoot {
        name: root.name.clone(),
        subject: subject(&certificate.subject),
        subject_text: certificate.subject.to_string(),
        fingerprint: certificate.fingerprint.to_string(),
        not_before: certificate.validity.not_before().to_string(),
        not_after: certificate.validity.not_after().to_string(),
        certificate: to_pem("CERTIFICATE", &certificate.der),
    }
}

/// A subject in its order.
pub(crate) fn subject(name: &DistinguishedName) -> wire::Subject {
    wire::Subject::from_attributes(name.attributes().iter().map(|a| (a.kind().as_str(), a.value())))
}

/// A time that may be missing.
pub(crate) fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn public_key(version: &KeyVersion) -> Option<String> {
    version.public_key.as_deref().map(|spki| to_pem("PUBLIC KEY", spki))
}

fn name_limits(raw: RawNameLimits) -> wire::NameLimits {
    wire::NameLimits {
        dns: raw.dns,
        wildcards: Some(raw.wildcards),
        ip: raw.ip,
        email: raw.email,
        uri: raw.uri,
        required: Some(raw.required),
        common_name_in_names: Some(raw.common_name_in_names),
        subject: raw.subject,
    }
}
