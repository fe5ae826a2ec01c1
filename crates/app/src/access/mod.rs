//! Who calls, and what they may do. One authorization path for every door and every job.
//!
//! A door ends in a [`Caller`]; a use case asks `App::authorize` for leave with the [`Object`] that it is about to touch
//! and gets a [`Leave`], which nothing else can make. Decisions rest on a [`snapshot::Snapshot`] of compartments, principals
//! and policies in memory: no decision costs a round trip to the database.

mod background;
mod caller;
mod decide;
mod explain;
mod facts;
mod grants;
mod may;
mod object;
mod operation;
mod permission;
mod receiver;
mod snapshot;

pub use background::Background;
pub use caller::{AcmeGrant, Call, Caller, CertificateGrant, Decided, Door, EnrollmentGrant, Principal, Workload};
pub use decide::Leave;
pub use explain::{PolicyQuestion, QuestionTarget};
pub(crate) use facts::CaPrincipal;
pub(crate) use grants::Giving;
pub(crate) use object::{KeyIn, Object, Placed};
pub use operation::{Needs, OPERATIONS, Operation};
pub use permission::Permission;
pub(crate) use snapshot::AccessCache;
