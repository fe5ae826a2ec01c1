//! Compartments, users, groups, dynamic groups, policies.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A compartment to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "prod", "description": "What serves customers", "parent": "tenancy"}))]
pub struct NewCompartment {
    /// Name, unique in the whole tree.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Where it lies, name or id; default: the tenancy.
    pub parent: Option<String>,
}

/// Changes to a compartment; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"parent": "tenancy"}))]
pub struct UpdateCompartment {
    /// Another name; policies that name the old one find it no more.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Where it is to lie, name or id.
    pub parent: Option<String>,
}

/// A folder of resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compartment {
    /// Id.
    #[schema(example = "compartment_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "prod")]
    pub name: String,
    /// For people.
    pub description: String,
    /// Id of the compartment it lies in; `null`: it is the tenancy.
    #[schema(example = "compartment_00000000000000000000000000")]
    pub parent_id: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// A resource that is to lie in the compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"kind": "certificate-authority", "resource": "issuing-1"}))]
pub struct MoveResource {
    /// `vault`, `key`, `certificate-authority`, `certificate`, `profile` or `ca-bundle`.
    pub kind: String,
    /// Name or id.
    pub resource: String,
    /// For a key: its vault, name or id.
    pub vault: Option<String>,
}

/// A resource that was put into a compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacedResource {
    /// Its kind.
    #[schema(example = "certificate-authority")]
    pub kind: String,
    /// Its id.
    #[schema(example = "ca_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Its name.
    #[schema(example = "root")]
    pub name: String,
    /// Name of the compartment.
    #[schema(example = "prod")]
    pub compartment: String,
    /// Id of the compartment.
    #[schema(example = "compartment_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub compartment_id: String,
}

/// A user to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "deployer", "description": "Our pipeline"}))]
pub struct NewUser {
    /// Name, unique; upper and lower case are the same, and lower case is kept.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Is it let in? Default `true`.
    pub enabled: Option<bool>,
}

/// Changes to a user; what is missing stays. A name stays for good: tokens and policies carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"enabled": false}))]
pub struct UpdateUser {
    /// For people.
    pub description: Option<String>,
    /// Is it let in? Takes effect at once.
    pub enabled: Option<bool>,
}

/// A person or a program that tokens speak for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Id.
    #[schema(example = "user_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "deployer")]
    pub name: String,
    /// For people.
    pub description: String,
    /// Is it let in?
    pub enabled: bool,
    /// Names of its groups; only where one user is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// When it was made.
    pub created_at: String,
}

/// A group to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "netadmins"}))]
pub struct NewGroup {
    /// Name, unique among groups; upper and lower case are the same, and lower case is kept.
    pub name: String,
    /// For people.
    pub description: Option<String>,
}

/// Changes to a group; what is missing stays. A name stays for good: policies carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"description": "Those who run the network"}))]
pub struct UpdateGroup {
    /// For people.
    pub description: Option<String>,
}

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Id.
    #[schema(example = "group_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "netadmins")]
    pub name: String,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: String,
}

/// A user in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// Name of the group.
    #[schema(example = "netadmins")]
    pub group: String,
    /// Name of the user.
    #[schema(example = "deployer")]
    pub user: String,
}

/// A dynamic group to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "authorities", "matchingRule": "All {request.principal.type = 'certificateauthority'}"}))]
pub struct NewDynamicGroup {
    /// Name, unique among dynamic groups; upper and lower case are the same, and lower case is kept.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Which principals are in it.
    pub matching_rule: String,
}

/// Changes to a dynamic group; what is missing stays. A name stays for good: policies carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"description": "Our CAs"}))]
pub struct UpdateDynamicGroup {
    /// For people.
    pub description: Option<String>,
    /// Which principals are in it.
    pub matching_rule: Option<String>,
}

/// A group whose members are found by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DynamicGroup {
    /// Id.
    #[schema(example = "dynamicgroup_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "authorities")]
    pub name: String,
    /// For people.
    pub description: String,
    /// Which principals are in it.
    #[schema(example = "All {request.principal.type = 'certificateauthority'}")]
    pub matching_rule: String,
    /// When it was made.
    pub created_at: String,
}

/// A policy to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "net", "compartment": "prod",
    "statements": ["Allow group netadmins to manage certificate-authority-family in compartment prod"]
}))]
pub struct NewPolicy {
    /// Name, unique.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The compartment it is attached to, name or id; default: the tenancy.
    pub compartment: Option<String>,
    /// 1 to 50 statements of at most 4,096 bytes.
    pub statements: Vec<String>,
}

/// Changes to a policy; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"statements": ["Allow group netadmins to read certificate-authority-family in compartment prod"]}))]
pub struct UpdatePolicy {
    /// Name.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// All statements, in place of those that are there.
    pub statements: Option<Vec<String>>,
}

/// What whoever wrote a statement should know about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyNotice {
    /// Place of the statement, from 0.
    #[schema(example = 1)]
    pub statement: u32,
    /// A sentence.
    pub notice: String,
}

/// Statements that hold in a compartment and below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Id.
    #[schema(example = "policy_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "net")]
    pub name: String,
    /// For people.
    pub description: String,
    /// Id of the compartment it is attached to.
    #[schema(example = "compartment_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub compartment_id: String,
    /// The statements as they were written.
    pub statements: Vec<String>,
    /// What whoever wrote a statement should know about it; mostly nothing.
    pub notices: Vec<PolicyNotice>,
    /// When it was made.
    pub created_at: String,
}

/// A question to the policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"user": "deployer", "permission": "certificate-authority-delegates:use", "compartment": "prod",
    "target": {"ca": "issuing-1", "profile": "tls-server", "names": ["a.app.corp.example"]}}))]
pub struct PolicyQuestion {
    /// May this user do it? Missing: may you? About others, this needs `policies:read`.
    pub user: Option<String>,
    /// May this CA do it itself?
    pub certificate_authority: Option<String>,
    /// `<resource type>:<verb>`, for example `keys:use`.
    pub permission: String,
    /// The compartment that the object lies in, name or id; default: the tenancy.
    pub compartment: Option<String>,
    /// The object, for conditions.
    pub target: Option<PolicyTarget>,
    /// The address that the request comes from; default: yours.
    pub address: Option<String>,
}

/// The object of a question: names, as conditions compare them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyTarget {
    /// `target.resource.name`.
    pub name: Option<String>,
    /// `target.ca.name`.
    pub ca: Option<String>,
    /// `target.vault.name`.
    pub vault: Option<String>,
    /// `target.key.name`.
    pub key: Option<String>,
    /// `target.certificate.name`.
    pub certificate: Option<String>,
    /// `target.profile.name`.
    pub profile: Option<String>,
    /// `target.names`.
    pub names: Option<Vec<String>>,
}

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAnswer {
    /// Is it allowed?
    pub allowed: bool,
    /// The statement that decided; missing: none allows it.
    pub decided_by: Option<PolicyGround>,
    /// Every statement about the resource type, those that allow it first, and why the others do not.
    pub statements: Vec<PolicyVerdict>,
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyGround {
    /// The policy.
    pub policy: String,
    /// Place of the statement in it, from 0.
    pub number: u64,
    /// The statement.
    pub statement: String,
}

/// What one statement says to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVerdict {
    /// The policy.
    pub policy: String,
    /// Place of the statement in it, from 0.
    pub number: u64,
    /// The statement.
    pub statement: String,
    /// `ALLOWS`, or the part that does not fit: `SUBJECT`, `VERB`, `LOCATION`, `CONDITION`, `MISPLACED`.
    pub outcome: String,
}
