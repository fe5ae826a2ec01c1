//! Who calls.

use super::{Background, Operation};
use certwright_domain::enrollment::EnrollmentToken;
use certwright_domain::id::{AcmeAccountId, CaId, IssuedId, TokenId};
use certwright_domain::issued::{ENROLLED, IssuedCertificate, RENEWED};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::policy::{Ground, Narrowing};
pub use certwright_domain::token::Workload;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// By which door somebody came; policies see it as `request.door`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The server itself.
    System,
    /// An API token.
    Token,
    /// A JWT of an identity provider.
    Jwt,
    /// A client certificate of one of our own CAs.
    Certificate,
    /// An enrolment token.
    Enrollment,
    /// ACME.
    Acme,
}

impl Door {
    /// As audit and policies say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Token => "token",
            Self::Jwt => "jwt",
            Self::Certificate => "certificate",
            Self::Enrollment => "enrollment",
            Self::Acme => "acme",
        }
    }
}

/// What a caller is, to policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The server's own work.
    System(Background),
    /// A user, by its canonical name.
    User(String),
    /// A machine that an identity provider, a certificate or an enrolment vouches for.
    Workload(Workload),
    /// An ACME account: what its directory gives it, and nothing by policies.
    AcmeAccount(AcmeGrant),
    /// The holder of an enrolment token: what the token gives it, and nothing by policies.
    Enrollment(EnrollmentGrant),
    /// The holder of a certificate's key: it may have that certificate renewed, and nothing by policies.
    Certificate(CertificateGrant),
}

/// What the holder of a certificate's key may do: have the same signed again for another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateGrant(pub(crate) Arc<IssuedCertificate>);

/// What the holder of an enrolment token may do: whoever made the token was allowed to do that, and gave it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentGrant(pub(crate) Arc<EnrollmentToken>);

/// What an ACME account may do: whoever made its directory was allowed to do that, and gave it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeGrant {
    /// Name of the directory.
    pub(crate) directory: String,
    /// The CA that may sign for it.
    pub(crate) ca: CaId,
    /// Names of the profiles that it may be signed with.
    pub(crate) profiles: Vec<ResourceName>,
    /// The certificate that it has proven to be its to revoke.
    pub(crate) revocable: Option<IssuedId>,
}

impl Principal {
    /// As policies say it (`request.principal.type`).
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::System(_) => "system",
            Self::User(_) => "user",
            Self::Workload(_) => "workload",
            Self::AcmeAccount(_) => "acmeaccount",
            Self::Enrollment(_) => "enrollment",
            Self::Certificate(_) => "certificate",
        }
    }
}

/// Who calls. Every way in ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) door: Door,
    pub(super) principal: Arc<Principal>,
    pub(super) token: Option<TokenId>,
    pub(super) scopes: Arc<[Narrowing]>,
    /// The configuration epoch it was authenticated under.
    pub(super) epoch: i64,
}

/// One call: who, from where, for which request, for real or as a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who.
    pub caller: Caller,
    /// Id of the request; in logs, audit and problems.
    pub request_id: String,
    /// Trial: judge everything, change nothing.
    pub dry_run: bool,
    /// The address that the request came from; `None`: from inside.
    pub address: Option<IpAddr>,
    /// The compartment that is to hold what the call makes; `None`: the one that its kind goes into by default.
    pub compartment: Option<Reference>,
    /// What was asked for, where it was asked from outside.
    pub operation: Option<&'static Operation>,
    /// What gave leave.
    pub decided: Decided,
}

/// The statement that gave leave last in a call; the authorizer notes it, audit events of the call name it. Copies of a call
/// share it. It is no part of what a call is: two calls are the same whatever was decided in them.
#[derive(Debug, Clone, Default)]
pub struct Decided(Arc<Mutex<Option<Ground>>>);

impl PartialEq for Decided {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Decided {}

impl Decided {
    pub(super) fn note(&self, ground: Ground) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ground);
    }

    /// As the audit trail says it: `policy/number`; empty: nothing was decided by a statement.
    pub(crate) fn by(&self) -> String {
        let ground = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ground.as_ref().map_or_else(String::new, |ground| format!("{}/{}", ground.policy, ground.number))
    }
}

impl Caller {
    /// Whoever has the server's data folder and database in hand.
    pub fn system() -> Self {
        Self::background(Background::Local)
    }

    /// The server, doing this of its own accord.
    pub fn background(action: Background) -> Self {
        Self {
            id: "system".to_owned(),
            name: "system".to_owned(),
            door: Door::System,
            principal: Arc::new(Principal::System(action)),
            token: None,
            scopes: Arc::new([]),
            epoch: 0,
        }
    }

    /// The bearer of an API token, who speaks for `user`.
    pub(crate) fn token(id: TokenId, name: String, user: String, scopes: Arc<[Narrowing]>, epoch: i64) -> Self {
        Self {
            id: format!("token:{id}"),
            name,
            door: Door::Token,
            principal: Arc::new(Principal::User(user)),
            token: Some(id),
            scopes,
            epoch,
        }
    }

    /// A machine that somebody vouches for: `id` is what the audit trail calls it. It came with `token`, or with proof of its
    /// own.
    pub(crate) fn workload(
        id: String,
        door: Door,
        workload: Workload,
        token: Option<TokenId>,
        scopes: Arc<[Narrowing]>,
        epoch: i64,
    ) -> Self {
        let name = workload.subject.clone();
        Self { id, name, door, principal: Arc::new(Principal::Workload(workload)), token, scopes, epoch }
    }

    /// An ACME account; `None`: whoever holds the key of a certificate, and no account.
    pub(crate) fn acme(account: Option<&AcmeAccountId>, grant: AcmeGrant) -> Self {
        let id = account.map_or_else(|| "acme:certificate-key".to_owned(), |account| format!("acme:{account}"));
        Self {
            id,
            name: format!("acme/{}", grant.directory),
            door: Door::Acme,
            principal: Arc::new(Principal::AcmeAccount(grant)),
            token: None,
            scopes: Arc::new([]),
            epoch: 0,
        }
    }

    /// The holder of an enrolment token, read under `epoch`.
    pub(crate) fn enrollment(token: EnrollmentToken, epoch: i64) -> Self {
        Self {
            id: format!("{ENROLLED}{}", token.id),
            name: format!("enrollment/{}", token.name),
            door: Door::Enrollment,
            principal: Arc::new(Principal::Enrollment(EnrollmentGrant(Arc::new(token)))),
            token: None,
            scopes: Arc::new([]),
            epoch,
        }
    }

    /// The enrolment token that it came with.
    pub(crate) fn as_enrollment(&self) -> Option<&EnrollmentToken> {
        match &*self.principal {
            Principal::Enrollment(grant) => Some(&grant.0),
            Principal::User(_)
            | Principal::System(_)
            | Principal::AcmeAccount(_)
            | Principal::Certificate(_)
            | Principal::Workload(_) => None,
        }
    }

    /// The holder of the key of this certificate, which was read under `epoch`.
    pub(crate) fn certificate(row: IssuedCertificate, epoch: i64) -> Self {
        let named = if row.common_name.is_empty() { row.serial.to_string() } else { row.common_name.clone() };
        Self {
            id: format!("{RENEWED}{}", row.id),
            name: format!("certificate/{named}"),
            door: Door::Certificate,
            principal: Arc::new(Principal::Certificate(CertificateGrant(Arc::new(row)))),
            token: None,
            scopes: Arc::new([]),
            epoch,
        }
    }

    /// The certificate whose key it holds.
    pub(crate) fn as_certificate(&self) -> Option<&IssuedCertificate> {
        match &*self.principal {
            Principal::Certificate(grant) => Some(&grant.0),
            Principal::User(_)
            | Principal::System(_)
            | Principal::AcmeAccount(_)
            | Principal::Enrollment(_)
            | Principal::Workload(_) => None,
        }
    }

    /// Is it the server itself?
    pub(crate) fn is_system(&self) -> bool {
        matches!(*self.principal, Principal::System(_))
    }

    /// The configuration epoch it was authenticated under; 0: not known.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Stable identity for audit, inventory and idempotency keys: `token:<id>` or `system`.
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// Name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The machine that it is.
    pub fn as_workload(&self) -> Option<&Workload> {
        match &*self.principal {
            Principal::Workload(workload) => Some(workload),
            Principal::User(_)
            | Principal::System(_)
            | Principal::AcmeAccount(_)
            | Principal::Enrollment(_)
            | Principal::Certificate(_) => None,
        }
    }

    /// By which door it came.
    pub fn door(&self) -> Door {
        self.door
    }

    /// The user it speaks for.
    pub fn user(&self) -> Option<&str> {
        match &*self.principal {
            Principal::User(name) => Some(name),
            Principal::System(_)
            | Principal::Workload(_)
            | Principal::AcmeAccount(_)
            | Principal::Enrollment(_)
            | Principal::Certificate(_) => None,
        }
    }

    /// The token it came with.
    pub fn token_id(&self) -> Option<&TokenId> {
        self.token.as_ref()
    }
}

impl Call {
    /// A call of somebody from outside.
    pub fn new(caller: Caller, request_id: impl Into<String>) -> Self {
        Self {
            caller,
            request_id: request_id.into(),
            dry_run: false,
            address: None,
            compartment: None,
            operation: None,
            decided: Decided::default(),
        }
    }

    /// A call of whoever has the server's data folder and database in hand.
    pub fn system(request_id: impl Into<String>) -> Self {
        Self::new(Caller::system(), request_id)
    }

    /// A call of the server of its own accord.
    pub(crate) fn background(action: Background, request_id: impl Into<String>) -> Self {
        Self::new(Caller::background(action), request_id)
    }

    /// The same call, with what it makes put into this compartment.
    #[must_use]
    pub fn within(mut self, compartment: Option<Reference>) -> Self {
        self.compartment = compartment;
        self
    }
}
