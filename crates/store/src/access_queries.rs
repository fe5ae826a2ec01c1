//! The statements about access: compartments, principals, policies.

use crate::{Error, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::access::{
    Compartment, DynamicGroup, Group, PlacedKind, Placement, Policy, PrincipalReference, User,
};
use certwright_domain::id::{CompartmentId, DynamicGroupId, GroupId, PolicyId, UserId};
use certwright_domain::name::Reference;
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, Error>;

/// Everything that decisions rest on, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSnapshot {
    /// The configuration epoch.
    pub epoch: i64,
    /// How often anything in here was changed.
    pub access: i64,
    /// The tree, by name.
    pub compartments: Vec<Compartment>,
    /// Users, by name.
    pub users: Vec<User>,
    /// Groups, by name.
    pub groups: Vec<Group>,
    /// Who is in which group.
    pub members: Vec<(GroupId, UserId)>,
    /// Dynamic groups, by name.
    pub dynamic_groups: Vec<DynamicGroup>,
    /// Policies, by name.
    pub policies: Vec<Policy>,
}

/// What concerns access as a whole.
#[async_trait]
pub trait AccessQueries: Send {
    /// How often anything was changed that a decision of access rests on.
    async fn access_epoch(&mut self) -> Result<i64>;
    /// Raises that number and the configuration epoch, and returns the latter.
    async fn bump_access(&mut self) -> Result<i64>;
    /// Everything in one go; more rows than there may be are [`Error::Driver`], never left out silently.
    async fn access_snapshot(&mut self) -> Result<AccessSnapshot>;
}

/// The tree and what lies in it.
#[async_trait]
pub trait CompartmentQueries: Send {
    /// Stores a compartment.
    async fn insert_compartment(&mut self, compartment: &Compartment) -> Result<()>;
    /// By id or name.
    async fn compartment(&mut self, reference: &Reference) -> Result<Option<Compartment>>;
    /// Compartments by name.
    async fn compartments(&mut self, page: &PageRequest) -> Result<Page<Compartment>>;
    /// All of them, by name.
    async fn all_compartments(&mut self) -> Result<Vec<Compartment>>;
    /// Writes parent, name and description of the row that still has `compartment.revision`, and raises the revision.
    async fn update_compartment(&mut self, compartment: &Compartment) -> Result<()>;
    /// Deletes the row that still has `revision`. Nothing may lie in it any more.
    async fn delete_compartment(&mut self, id: &CompartmentId, revision: i64) -> Result<()>;
    /// Puts a resource into a compartment, wherever it lay; into the tenancy: its row goes.
    async fn place(&mut self, placement: &Placement) -> Result<()>;
    /// Forgets where a resource lay: it is gone.
    async fn unplace(&mut self, resource_id: &str) -> Result<()>;
    /// Where a resource lies.
    async fn compartment_of(&mut self, resource_id: &str) -> Result<CompartmentId>;
    /// Where resources lie, at most 500; those that lie in the tenancy are left out.
    async fn compartments_of(&mut self, resource_ids: &[&str]) -> Result<BTreeMap<String, CompartmentId>>;
    /// What was placed in a compartment (not below it), by kind and id.
    async fn placed_in(
        &mut self,
        compartment: &CompartmentId,
        kind: Option<PlacedKind>,
        page: &PageRequest,
    ) -> Result<Page<Placement>>;
    /// How much was placed in a compartment.
    async fn count_placed(&mut self, compartment: &CompartmentId) -> Result<u64>;
}

/// Users, groups, dynamic groups.
#[async_trait]
pub trait PrincipalQueries: Send {
    /// Stores a user.
    async fn insert_user(&mut self, user: &User) -> Result<()>;
    /// By id or name.
    async fn user(&mut self, reference: &PrincipalReference) -> Result<Option<User>>;
    /// Users by name.
    async fn users(&mut self, page: &PageRequest) -> Result<Page<User>>;
    /// How many there are.
    async fn count_users(&mut self) -> Result<u64>;
    /// Writes description and state of the row that still has `user.revision`, and raises the revision. (A name stays:
    /// tokens carry it.)
    async fn update_user(&mut self, user: &User) -> Result<()>;
    /// Deletes the row that still has `revision`, and its memberships.
    async fn delete_user(&mut self, id: &UserId, revision: i64) -> Result<()>;
    /// Stores a group.
    async fn insert_group(&mut self, group: &Group) -> Result<()>;
    /// By id or name.
    async fn group(&mut self, reference: &PrincipalReference) -> Result<Option<Group>>;
    /// Groups by name.
    async fn groups(&mut self, page: &PageRequest) -> Result<Page<Group>>;
    /// How many there are.
    async fn count_groups(&mut self) -> Result<u64>;
    /// Writes name and description of the row that still has `group.revision`, and raises the revision.
    async fn update_group(&mut self, group: &Group) -> Result<()>;
    /// Deletes the row that still has `revision`, and its memberships.
    async fn delete_group(&mut self, id: &GroupId, revision: i64) -> Result<()>;
    /// Puts a user into a group; false: is there already.
    async fn add_member(&mut self, group: &GroupId, user: &UserId) -> Result<bool>;
    /// Takes a user out of a group; false: was not there.
    async fn remove_member(&mut self, group: &GroupId, user: &UserId) -> Result<bool>;
    /// Members of a group, by name.
    async fn members(&mut self, group: &GroupId, page: &PageRequest) -> Result<Page<User>>;
    /// How many members of a group are enabled.
    async fn enabled_members(&mut self, group: &GroupId) -> Result<u64>;
    /// How many memberships there are.
    async fn count_memberships(&mut self) -> Result<u64>;
    /// The groups that a user is in, by name.
    async fn groups_of(&mut self, user: &UserId) -> Result<Vec<Group>>;
    /// Stores a dynamic group.
    async fn insert_dynamic_group(&mut self, group: &DynamicGroup) -> Result<()>;
    /// By id or name.
    async fn dynamic_group(&mut self, reference: &PrincipalReference) -> Result<Option<DynamicGroup>>;
    /// Dynamic groups by name.
    async fn dynamic_groups(&mut self, page: &PageRequest) -> Result<Page<DynamicGroup>>;
    /// How many there are.
    async fn count_dynamic_groups(&mut self) -> Result<u64>;
    /// Writes name, description and rule of the row that still has `group.revision`, and raises the revision.
    async fn update_dynamic_group(&mut self, group: &DynamicGroup) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_dynamic_group(&mut self, id: &DynamicGroupId, revision: i64) -> Result<()>;
}

/// Policies.
#[async_trait]
pub trait PolicyQueries: Send {
    /// Stores a policy.
    async fn insert_policy(&mut self, policy: &Policy) -> Result<()>;
    /// By id or name.
    async fn policy(&mut self, reference: &Reference) -> Result<Option<Policy>>;
    /// Policies by name; only those attached to this compartment, where one is given.
    async fn policies(&mut self, compartment: Option<&CompartmentId>, page: &PageRequest) -> Result<Page<Policy>>;
    /// How many there are.
    async fn count_policies(&mut self) -> Result<u64>;
    /// How many bytes their statements take, as they are stored, all together.
    async fn policy_bytes(&mut self) -> Result<u64>;
    /// Writes name, description and statements of the row that still has `policy.revision`, and raises the revision.
    async fn update_policy(&mut self, policy: &Policy) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_policy(&mut self, id: &PolicyId, revision: i64) -> Result<()>;
}
