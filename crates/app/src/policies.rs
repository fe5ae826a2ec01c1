//! Policies: statements that hold in a compartment and below it.

use crate::access::Object;
use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, require_if_match, too_many};
use crate::compartments::find_compartment;
use crate::principals::last_administrator;
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::access::{MAX_POLICIES, MAX_POLICY_BYTES, MAX_STATEMENTS, Policy};
use certwright_domain::id::{CompartmentId, PolicyId};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::policy::{CompartmentTree, Policies, Statement, SyntaxError};
use certwright_domain::violation::Invalid;
use certwright_store::{Page, PageRequest, Queries};

/// What the policy `administrators` says as long as there is one.
const ADMINISTRATORS_STATEMENT: &str = "Allow group administrators to manage all-resources in tenancy";

/// A policy to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPolicy {
    /// Name.
    pub name: ResourceName,
    /// For people.
    pub description: String,
    /// The compartment it is attached to; default: the tenancy.
    pub compartment: Option<Reference>,
    /// Statements.
    pub statements: Vec<String>,
}

/// Changes to a policy; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdatePolicy {
    /// Name.
    pub name: Option<ResourceName>,
    /// For people.
    pub description: Option<String>,
    /// Statements, all of them.
    pub statements: Option<Vec<String>>,
}

impl App {
    /// Makes a policy, which holds at once.
    pub async fn create_policy(&self, call: &Call, new: NewPolicy) -> Result<Policy, Error> {
        let parsed = read_statements(&new.statements)?;
        let now = self.now();
        let id = PolicyId::new(now, self.inner.id_entropy());
        let mut change = self.inner.begin_access_change(call, "policy.create").await?;
        let compartment = self.may_attach(&mut **change, call, new.compartment.as_ref()).await?;
        let NewPolicy { name, description, statements, compartment: _ } = new;
        let policy = Policy { id, compartment, name, description, statements, created_at: now, revision: 1 };
        check_locations(&mut **change, &policy, &parsed).await?;
        self.may_grant(&mut **change, call, &policy, &parsed).await?;
        if change.count_policies().await? >= u64::from(MAX_POLICIES) {
            return Err(too_many("too_many_policies", "policies", MAX_POLICIES));
        }
        change.insert_policy(&policy).await.map_err(|error| name_conflict(error, "policy", &policy.name))?;
        refuse_too_much(&mut **change).await?;
        let statements = policy.statements.join("\n");
        let details = [("compartment", policy.compartment.as_str()), ("statements", statements.as_str())];
        change.insert_audit(&self.inner.audit(call, "policy.create", target(&policy), &details)).await?;
        change.commit().await?;
        Ok(policy)
    }

    /// Policies by name; of one compartment, where one is named.
    pub async fn policies(
        &self,
        call: &Call,
        compartment: Option<&Reference>,
        page: &PageRequest,
    ) -> Result<Page<Policy>, Error> {
        match call.caller.is_system() {
            true => self.may(call, Permission::PolicyList, "policy")?,
            false => self.may_list(call, Permission::PolicyList)?,
        }
        let mut read = self.inner.store.read().await?;
        let compartment = match compartment {
            Some(reference) => Some(self.seen_compartment(&mut *read, call, reference).await?),
            None => None,
        };
        let mut page = read.policies(compartment.as_ref(), page).await?;
        page.items.retain(|policy| self.is_allowed(call, Permission::PolicyList, &Object::policy(policy)));
        Ok(page)
    }

    /// One policy.
    pub async fn policy(&self, call: &Call, policy: &Reference) -> Result<Policy, Error> {
        let found = find(&mut *self.inner.store.read().await?, policy).await?;
        self.authorize(call, Permission::PolicyRead, &Object::policy(&found).called(policy))?;
        Ok(found)
    }

    /// Changes a policy; `if_match` is required ([`Error::PreconditionRequired`]).
    pub async fn update_policy(
        &self,
        call: &Call,
        policy: &Reference,
        update: UpdatePolicy,
        if_match: Option<i64>,
    ) -> Result<Policy, Error> {
        let parsed = update.statements.as_deref().map(read_statements).transpose()?;
        let mut change = self.inner.begin_access_change(call, "policy.update").await?;
        let before = find(&mut **change, policy).await?;
        self.authorize(call, Permission::PolicyManage, &Object::policy(&before).called(policy))?;
        require_if_match(if_match, before.revision)?;
        let UpdatePolicy { name, description, statements } = update;
        let mut policy = before.clone();
        policy.name = name.unwrap_or(policy.name);
        policy.description = description.unwrap_or(policy.description);
        policy.statements = statements.unwrap_or(policy.statements);
        if policy == before {
            change.undo().await?;
            return Ok(before);
        }
        refuse_weaker_administrators(&policy)?;
        if let Some(parsed) = &parsed {
            check_locations(&mut **change, &policy, parsed).await?;
            self.may_grant(&mut **change, call, &policy, parsed).await?;
        }
        change.update_policy(&policy).await.map_err(|error| name_conflict(error, "policy", &policy.name))?;
        if length(&policy) > length(&before) {
            refuse_too_much(&mut **change).await?;
        }
        let (statements, old) = (policy.statements.join("\n"), before.statements.join("\n"));
        let details =
            [("oldName", before.name.as_str()), ("statements", statements.as_str()), ("oldStatements", old.as_str())];
        change.insert_audit(&self.inner.audit(call, "policy.update", target(&policy), &details)).await?;
        change.commit().await?;
        policy.revision = policy.revision.saturating_add(1);
        Ok(policy)
    }

    /// Deletes a policy; that of the administrators stays. `if_match` is checked when given.
    pub async fn delete_policy(&self, call: &Call, policy: &Reference, if_match: Option<i64>) -> Result<(), Error> {
        let mut change = self.inner.begin_access_change(call, "policy.delete").await?;
        let called = policy;
        let policy = find(&mut **change, called).await?;
        self.authorize(call, Permission::PolicyManage, &Object::policy(&policy).called(called))?;
        check_if_match(if_match, policy.revision)?;
        if policy.id == PolicyId::administrators() {
            return Err(last_administrator("The policy `administrators` cannot be deleted."));
        }
        change.delete_policy(&policy.id, policy.revision).await?;
        let statements = policy.statements.join("\n");
        let details = [("statements", statements.as_str())];
        change.insert_audit(&self.inner.audit(call, "policy.delete", target(&policy), &details)).await?;
        change.commit().await
    }

    /// A compartment that the caller may see, or may see policies of.
    async fn seen_compartment(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        reference: &Reference,
    ) -> Result<CompartmentId, Error> {
        let found = find_compartment(queries, reference).await?;
        let object = Object::compartment(&found);
        let seen = [Permission::CompartmentList, Permission::PolicyList];
        match seen.into_iter().any(|permission| self.is_allowed(call, permission, &object)) {
            true => Ok(found.id),
            false => Err(Error::not_found("compartment", reference)),
        }
    }

    /// The compartment that a new policy is to be attached to.
    async fn may_attach(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        compartment: Option<&Reference>,
    ) -> Result<CompartmentId, Error> {
        let call = call.clone().within(compartment.cloned());
        let tenancy = CompartmentId::tenancy();
        self.may_make_with(queries, &call, Permission::PolicyManage, "policy", tenancy).await
    }
}

async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<Policy, Error> {
    queries.policy(reference).await?.ok_or_else(|| Error::not_found("policy", reference))
}

fn target(policy: &Policy) -> Target<'_> {
    Target { kind: "policy", id: policy.id.as_str(), name: policy.name.as_str() }
}

fn length(policy: &Policy) -> usize {
    policy.statements.iter().map(String::len).fold(0, usize::saturating_add)
}

/// Every node keeps all statements in memory. Within a change: what is found stays so until the commit.
async fn refuse_too_much(queries: &mut dyn Queries) -> Result<(), Error> {
    let bytes = queries.policy_bytes().await?;
    if bytes <= MAX_POLICY_BYTES {
        return Ok(());
    }
    let over = bytes.saturating_sub(MAX_POLICY_BYTES);
    Err(Error::conflict(
        "policies_too_large",
        format!("The statements of all policies would take {bytes} bytes; at most {MAX_POLICY_BYTES} are allowed."),
        format!("Make it {over} bytes less: delete policies that nobody needs, or grant to groups, not to users."),
    ))
}

/// Reads statements; every fault is listed with its place.
fn read_statements(statements: &[String]) -> Result<Vec<Statement>, Error> {
    if statements.is_empty() || statements.len() > MAX_STATEMENTS {
        let detail = format!("The policy has {} statements.", statements.len());
        let hint = format!("Use 1 to {MAX_STATEMENTS} statements; make several policies for more.");
        return Err(Error::invalid("/statements", Invalid::new("invalid_statements", detail, hint)));
    }
    let (mut read, mut faults) = (Vec::new(), Vec::new());
    for (index, text) in statements.iter().enumerate() {
        match Statement::parse(text) {
            Ok(statement) => read.push(statement),
            Err(error) => {
                faults.push(Pointed::at(format!("/statements/{index}"), unreadable("invalid_statement", &error)))
            }
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(Error::Invalid(faults)) }
}

/// A text that does not follow the grammar: the place, what was expected there, and the line with a caret under it.
pub(crate) fn unreadable(code: &'static str, error: &SyntaxError) -> Invalid {
    let said = error.to_string();
    let said = match error.line {
        0 | 1 => said.replacen("column", "Column", 1),
        line => format!("Line {line}, {said}"),
    };
    let end = if said.ends_with('?') { "" } else { "." };
    let hint = format!("The grammar stands in docs/policies.md. Here:\n{}", error.shown);
    Invalid::new(code, format!("{said}{end}"), hint)
}

/// A policy speaks of its own compartment and what lies below it.
async fn check_locations(queries: &mut dyn Queries, policy: &Policy, statements: &[Statement]) -> Result<(), Error> {
    let tree = CompartmentTree::new(&queries.all_compartments().await?);
    let mut faults = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        if let Err(misplaced) = Policies::check_location(&tree, statement, &policy.compartment) {
            let hint = "Name a compartment at or below the one that the policy is attached to, or attach it higher up.";
            let invalid = Invalid::new("misplaced_statement", format!("{misplaced}."), hint);
            faults.push(Pointed::at(format!("/statements/{index}"), invalid));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

/// The policy of the administrators keeps its statement.
fn refuse_weaker_administrators(policy: &Policy) -> Result<(), Error> {
    let says_so = |statement: &String| {
        let words = statement.split_whitespace().map(str::to_ascii_lowercase);
        words.eq(ADMINISTRATORS_STATEMENT.split_whitespace().map(str::to_ascii_lowercase))
    };
    if policy.id == PolicyId::administrators() && !policy.statements.iter().any(says_so) {
        return Err(last_administrator(&format!(
            "The policy of the administrators keeps its statement `{ADMINISTRATORS_STATEMENT}`."
        )));
    }
    Ok(())
}
