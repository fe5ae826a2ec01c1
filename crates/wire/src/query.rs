//! Query parameters.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

macro_rules! query {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($(#[$fdoc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }
    };
}

query! {
    /// Which page of a list.
    PageQuery {
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
    }
}

query! {
    /// Which policies.
    PolicyQuery {
        /// Only those attached to this compartment, name or id.
        compartment: String,
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
    }
}

query! {
    /// Which resources of a compartment.
    PlacedQuery {
        /// Only this kind: `vault`, `key`, `certificate-authority`, `certificate`, `profile` or `ca-bundle`.
        kind: String,
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
    }
}

query! {
    /// Options of a call that changes something.
    WriteQuery {
        /// `true`: judge everything, change nothing, and answer what would be.
        dry_run: bool,
    }
}

query! {
    /// In which format to answer.
    FormatQuery {
        /// Short name of a format, instead of `Accept`.
        #[param(example = "pem")]
        format: String,
    }
}

query! {
    /// Options of `issue`.
    IssueQuery {
        /// `true`: judge everything, make no key, sign nothing, and answer what would be.
        dry_run: bool,
        /// `json`, `pem` (private key, then chain) or `tar`, instead of `Accept`.
        #[param(example = "pem")]
        format: String,
    }
}

query! {
    /// Options of `sign`.
    SignQuery {
        /// `true`: judge everything, sign nothing, and answer what would be.
        dry_run: bool,
        /// `json`, `pem`, `der`, `p7` or `tar`, instead of `Accept`.
        #[param(example = "pem")]
        format: String,
        /// Profile, with an `application/pkcs10` body; in a JSON body it is a field.
        #[param(example = "tls-server")]
        profile: String,
        /// First second of validity, with an `application/pkcs10` body.
        not_before: String,
        /// Last second of validity, with an `application/pkcs10` body.
        not_after: String,
        /// Length of validity, with an `application/pkcs10` body.
        #[param(example = "PT24H")]
        duration: String,
    }
}

query! {
    /// Which version's chain, and in which format.
    ChainQuery {
        /// Version number; default: the current one.
        version: u32,
        /// `json`, `pem` or `p7`, instead of `Accept`.
        #[param(example = "pem")]
        format: String,
    }
}

query! {
    /// Filter of the list of managed certificates.
    CertificateQuery {
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
        /// `INTERNAL`, `CSR` or `IMPORTED`.
        kind: String,
        /// `ACTIVE`, `DISABLED`, `PENDING_DELETION` or `DELETED`.
        state: String,
        /// Only those of this CA (name or id).
        ca: String,
    }
}

query! {
    /// Which version of a certificate, in which format, with the private key or without.
    BundleQuery {
        /// Version number; default: the current one.
        version: u32,
        /// Name of the version.
        version_name: String,
        /// Stage, instead of a number: `CURRENT`, `PREVIOUS`, `PENDING` or `LATEST`.
        #[param(example = "CURRENT")]
        stage: String,
        /// `json`, `pem`, `der`, `p7` or `tar`, instead of `Accept`.
        #[param(example = "pem")]
        format: String,
        /// `true`: with the private key (`json`, `pem`, `tar`). A right of its own, and every read is audited.
        include_key: bool,
    }
}

query! {
    /// Which version's public key, and in which format.
    PublicKeyQuery {
        /// Version number; default: the newest.
        version: u32,
        /// `json`, `pem` or `der`, instead of `Accept`.
        #[param(example = "pem")]
        format: String,
    }
}

query! {
    /// Filter of the list of keys.
    KeyQuery {
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
        /// Only this algorithm with its size, for example `RSA_2048`, `ECDSA_P256`, `AES_256`.
        #[param(example = "RSA_2048")]
        algorithm: String,
        /// Only this state: `ENABLED`, `DISABLED`, `PENDING_DELETION`, `DELETED`; default: everything but `DELETED`.
        state: String,
    }
}

query! {
    /// Filter of the list of CAs.
    CaQuery {
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
        /// Only this type: `ROOT`, `SUBORDINATE`, `SUBORDINATE_EXTERNAL`, `EXTERNAL_ROOT`, `IMPORTED`.
        #[serde(rename = "type")]
        #[param(rename = "type")]
        ca_type: String,
        /// Only this state: `PENDING_ACTIVATION`, `ACTIVE`, `DISABLED`, `PENDING_DELETION`, `DELETED`; default:
        /// everything but `DELETED`.
        state: String,
        /// Only those issued by this CA (name or id).
        issuer: String,
        /// Also the server's own CAs.
        include_system: bool,
    }
}

query! {
    /// Filter of the inventory; all given parts must match.
    IssuedQuery {
        /// Items per page, 1 to 500; default 50. Not with CSV, which has every row.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
        /// What one would type into a search box: the beginning of a name (common or alternative), a serial or a fingerprint.
        #[param(example = "service-a")]
        q: String,
        /// Exactly this serial, in any spelling of hex.
        serial: String,
        /// Exactly this common name.
        name: String,
        /// Exactly this subject alternative name.
        #[param(example = "service-a.example.com")]
        san: String,
        /// Only this CA (name or id).
        ca: String,
        /// Only this profile.
        profile: String,
        /// Only this requester: its id (`token:…`) or its name.
        requester: String,
        /// `VALID`, `EXPIRED` or `REVOKED`.
        status: String,
        /// notAfter before this time.
        expires_before: String,
        /// notAfter at or after this time.
        expires_after: String,
        /// renewAt before this time.
        renew_before: String,
        /// Exactly this SHA-256 fingerprint, in any spelling of hex.
        fingerprint: String,
        /// `LEAF` or `CA`.
        kind: String,
        /// `-issuedAt` (default: newest first), `issuedAt`, `notAfter` or `renewAt`.
        sort: String,
        /// Also certificates of the server's own CA.
        include_system: bool,
        /// `json` or `csv`, instead of `Accept`.
        format: String,
    }
}

query! {
    /// Filter of the audit trail; all given parts must match.
    AuditQuery {
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
        /// Only this action.
        #[param(example = "certificate.issue")]
        action: String,
        /// Only this actor, for example `token:token_01JD8XK4M2W7Z3T5V9YQ6B1C0D`.
        actor: String,
        /// Only events about the target with this id.
        target: String,
        /// Only events of this request.
        request_id: String,
    }
}

query! {
    /// Where a verification of the audit trail begins.
    AuditVerifyQuery {
        /// The chain to begin with, as an earlier answer names it.
        #[param(example = "01")]
        chain: String,
        /// Sequence of the event to begin with; the one before it is taken to be right.
        #[param(minimum = 1, example = 100001)]
        from: i64,
    }
}

query! {
    /// Where an export of the audit trail begins.
    AuditExportQuery {
        /// Only what comes after this event, `<chain>:<sequence>`; without it, everything.
        #[param(example = "01:1234")]
        after: String,
    }
}

query! {
    /// Filter of the list of events; all given parts must match.
    EventQuery {
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
        /// Only this kind.
        #[param(example = "ca.renewed")]
        kind: String,
        /// Only events about the resource with this id.
        subject: String,
    }
}

query! {
    /// Filter of the list of deliveries.
    DeliveryQuery {
        /// Items per page, 1 to 500; default 50.
        #[param(minimum = 1, maximum = 500, example = 50)]
        limit: u32,
        /// `nextCursor` of the page before.
        cursor: String,
        /// Only this state: `PENDING`, `DELIVERED`, `FAILED`.
        state: String,
    }
}
