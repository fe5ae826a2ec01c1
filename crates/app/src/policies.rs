//! Policies: statements that hold in a compartment and below it.

use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, require_if_match, too_many};
use crate::compartments::{find_compartment, find_or_tenancy};
use crate::principals::last_administrator;
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::access::{MAX_POLICIES, MAX_STATEMENT_BYTES, MAX_STATEMENTS, Policy};
use certwright_domain::id::PolicyId;
use certwright_domain::name::{Reference, ResourceName};
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
        self.authorize(call, Permission::PolicyManage)?;
        check_statements(&new.statements)?;
        let now = self.now();
        let id = PolicyId::new(now, self.inner.id_entropy());
        let mut change = self.inner.begin_access_change(call, "policy.create").await?;
        let compartment = find_or_tenancy(&mut **change, new.compartment.as_ref()).await?.id;
        let NewPolicy { name, description, statements, compartment: _ } = new;
        let policy = Policy { id, compartment, name, description, statements, created_at: now, revision: 1 };
        self.refuse_unless_covered(call, &policy)?;
        if change.count_policies().await? >= u64::from(MAX_POLICIES) {
            return Err(too_many("too_many_policies", "policies", MAX_POLICIES));
        }
        change.insert_policy(&policy).await.map_err(|error| name_conflict(error, "policy", &policy.name))?;
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
        self.authorize(call, Permission::PolicyRead)?;
        let mut read = self.inner.store.read().await?;
        let compartment = match compartment {
            Some(reference) => Some(find_compartment(&mut *read, reference).await?.id),
            None => None,
        };
        Ok(read.policies(compartment.as_ref(), page).await?)
    }

    /// One policy.
    pub async fn policy(&self, call: &Call, policy: &Reference) -> Result<Policy, Error> {
        self.authorize(call, Permission::PolicyRead)?;
        find(&mut *self.inner.store.read().await?, policy).await
    }

    /// Changes a policy; `if_match` is required ([`Error::PreconditionRequired`]).
    pub async fn update_policy(
        &self,
        call: &Call,
        policy: &Reference,
        update: UpdatePolicy,
        if_match: Option<i64>,
    ) -> Result<Policy, Error> {
        self.authorize(call, Permission::PolicyManage)?;
        update.statements.as_deref().map_or(Ok(()), check_statements)?;
        let mut change = self.inner.begin_access_change(call, "policy.update").await?;
        let before = find(&mut **change, policy).await?;
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
        self.refuse_unless_covered(call, &policy)?;
        change.update_policy(&policy).await.map_err(|error| name_conflict(error, "policy", &policy.name))?;
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
        self.authorize(call, Permission::PolicyManage)?;
        let mut change = self.inner.begin_access_change(call, "policy.delete").await?;
        let policy = find(&mut **change, policy).await?;
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

    /// Nobody can grant what they lack: may the caller do everything that the policy would let others do?
    fn refuse_unless_covered(&self, call: &Call, policy: &Policy) -> Result<(), Error> {
        let _ = policy;
        self.authorize(call, Permission::PolicyManage)
    }
}

async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<Policy, Error> {
    queries.policy(reference).await?.ok_or_else(|| Error::not_found("policy", reference))
}

fn target(policy: &Policy) -> Target<'_> {
    Target { kind: "policy", id: policy.id.as_str(), name: policy.name.as_str() }
}

/// How many statements there are and how long they may be; every fault is listed.
fn check_statements(statements: &[String]) -> Result<(), Error> {
    if statements.is_empty() || statements.len() > MAX_STATEMENTS {
        let detail = format!("The policy has {} statements.", statements.len());
        let hint = format!("Use 1 to {MAX_STATEMENTS} statements; make several policies for more.");
        return Err(Error::invalid("/statements", Invalid::new("invalid_statements", detail, hint)));
    }
    let faults: Vec<Pointed> = statements
        .iter()
        .enumerate()
        .filter(|(_, statement)| statement.trim().is_empty() || statement.len() > MAX_STATEMENT_BYTES)
        .map(|(index, statement)| {
            let detail = format!("The statement has {} bytes.", statement.len());
            let hint = format!("Use 1 to {MAX_STATEMENT_BYTES} bytes.");
            Pointed::at(format!("/statements/{index}"), Invalid::new("invalid_statement", detail, hint))
        })
        .collect();
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
