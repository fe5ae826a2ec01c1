//! JSON types of /v1, shared by the server and the client. No logic.
//!
//! Field names are camelCase. Requests refuse fields they do not know, answers may grow. Times are RFC 3339 text,
//! durations ISO 8601 text, serials and fingerprints lower-case hex; they stay text here, the server parses them into
//! the types of its domain and reports every fault with its JSON pointer.

mod access;
mod acme;
mod audit;
mod ca;
mod ca_bundle;
mod certificate;
mod certificate_trust;
mod common;
mod crl;
mod early_renewal;
mod enrollment;
mod event;
mod identity;
mod issue;
mod issued;
mod key;
mod problem;
mod profile;
mod publication;
mod query;
mod subject;
mod system;
mod token;
mod vault;

pub use access::{
    Compartment, DynamicGroup, Group, Membership, MoveResource, NewCompartment, NewDynamicGroup, NewGroup, NewPolicy,
    NewUser, PlacedResource, Policy, PolicyAnswer, PolicyGround, PolicyNotice, PolicyQuestion, PolicyTarget,
    PolicyVerdict, UpdateCompartment, UpdateDynamicGroup, UpdateGroup, UpdatePolicy, UpdateUser, User,
};
pub use acme::{
    AcmeAccount, AcmeChallenge, AcmeDirectory, AcmeOrder, AcmeOrderQuery, AcmeProof, AcmeQuery, EabKey,
    EabKeyWithSecret, NewAcmeDirectory, NewEabKey, ReplaceAcmeDirectory,
};
pub use audit::{AuditEvent, AuditFault, AuditHead, AuditKey, AuditPlace, AuditTarget, AuditVerification};
pub use ca::{
    Ca, CaChain, CaCsr, CaRenewal, CaRules, CaVersion, CaVersions, Crl, Delta, ExportCa, InstallCa, NameConstraints,
    NewCa, NewCaRules, Ocsp, RefusedRenewal, RenewCa, Revocation, Subtrees, UpdateCa, UpdateCaRules, UpdateCrl,
    UpdateDelta, UpdateOcsp, UpdateRevocation,
};
pub use ca_bundle::{BundledCertificate, CaBundle, NewCaBundle, TrustStoreRequest};
pub use certificate::{
    Bundle, BundleRequest, Certificate, CertificateSpec, CertificateVersion, Ensured, ImportCertificate,
    RenewCertificate, Renewal, RenewalAttempt, RenewalStatus, UpdateCertificate,
};
pub use certificate_trust::{CertificateTrust, NewCertificateTrust, ReplaceCertificateTrust};
pub use common::{DryRun, Empty, List, Name, Revoke, RuleVerdict, ScheduleDeletion, SecretText, Validity};
pub use crl::{
    PublishedList, RevocationList, RevokeCertificate, RevokeNamed, RevokedCertificate, RevokedNamed, RevokedSerial,
    UploadedList,
};
pub use early_renewal::{EarlyRenewal, NewEarlyRenewal};
pub use enrollment::{Enroll, EnrollmentToken, NewEnrollmentToken, NewEnrollmentTokenAnswer};
pub use event::{
    Delivery, Event, EventSubject, EventWithDeliveries, NewWebhook, UpdateWebhook, Webhook, WebhookWithSecret,
};
pub use identity::{
    ExchangeToken, ExchangedToken, IdentityProvider, NewIdentityProvider, ReplaceIdentityProvider, RuleOutcome,
    TestToken, TokenTrial, TrustRule,
};
pub use issue::{Issue, IssuedAnswer, Sign, Trial};
pub use issued::IssuedCertificate;
pub use key::{Key, KeyVersion, KeyVersions, NewKey, PublicKey, UpdateKey};
pub use problem::{Problem, ProblemError};
pub use profile::{NameLimits, NewProfile, Profile, ReplaceProfile};
pub use publication::{Publication, PublishedObject, UpdatePublication};
pub use query::{
    AuditExportQuery, AuditQuery, AuditVerifyQuery, BundleQuery, CaQuery, CertificateQuery, ChainQuery, DeliveryQuery,
    EventQuery, FormatQuery, IssueQuery, IssuedQuery, KeyQuery, PageQuery, PlacedQuery, PolicyQuery, PublicKeyQuery,
    SignQuery, WriteQuery,
};
pub use subject::{Subject, SubjectAttribute, Values};
pub use system::{Health, HealthWarning, RootKey, RootKeys, Trust, TrustedRoot};
pub use token::{NewToken, NewTokenAnswer, Token, Whoami};
pub use vault::{NewVault, UpdateVault, Vault};
