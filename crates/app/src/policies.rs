//! Policies: statements that hold in a compartment and below it.

use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, require_if_match, too_many};
use crate::compartments::{find_compartment, find_or_tenancy};
use crate::principals::last_administrator;
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::access::{MAX_POLICIES, MAX_STATEMENTS, Policy};
use certwright_domain::id::{CompartmentId, PolicyId};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::policy::{CompartmentTree, Statement};
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
        let statements = parse_statements(&new.statements)?;
        let now = self.now();
        let id = PolicyId::new(now, self.inner.id_entropy());
        let mut change = self.inner.begin_access_change(call, "policy.create").await?;
        let compartment = find_or_tenancy(&mut **change, new.compartment.as_ref()).await?.id;
        check_locations(&mut **change, &statements, &compartment).await?;
        self.refuse_unless_covered(call, &statements, &compartment)?;
        let NewPolicy { name, description, statements, compartment: _ } = new;
        let policy = Policy { id, compartment, name, description, statements, created_at: now, revision: 1 };
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
        let parsed = update.statements.as_deref().map(parse_statements).transpose()?;
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
        if let Some(statements) = parsed {
            check_locations(&mut **change, &statements, &policy.compartment).await?;
            refuse_weaker_administrators(&policy, &statements)?;
            self.refuse_unless_covered(call, &statements, &policy.compartment)?;
        }
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

    /// Nobody can grant what they lack: may the caller do everything that the statements, attached there, would let others
    /// do?
    fn refuse_unless_covered(
        &self,
        call: &Call,
        statements: &[Statement],
        attached: &CompartmentId,
    ) -> Result<(), Error> {
        let _ = (statements, attached);
        self.authorize(call, Permission::PolicyManage)
    }
}

async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<Policy, Error> {
    queries.policy(reference).await?.ok_or_else(|| Error::not_found("policy", reference))
}

fn target(policy: &Policy) -> Target<'_> {
    Target { kind: "policy", id: policy.id.as_str(), name: policy.name.as_str() }
}

/// The statements, or what is wrong with every one that is none.
fn parse_statements(texts: &[String]) -> Result<Vec<Statement>, Error> {
    if texts.is_empty() || texts.len() > MAX_STATEMENTS {
        let detail = format!("The policy has {} statements.", texts.len());
        let hint = format!("Use 1 to {MAX_STATEMENTS} statements; make several policies for more.");
        return Err(Error::invalid("/statements", Invalid::new("invalid_statements", detail, hint)));
    }
    each(texts, |text| {
        Statement::parse(text).map_err(|error| {
            let hint = format!("The mark shows the place:\n{}", error.rendered());
            Invalid::new("invalid_statement", sentence(&error), hint)
        })
    })
}

/// Every statement must hold somewhere that the policy reaches.
async fn check_locations(
    queries: &mut dyn Queries,
    statements: &[Statement],
    attached: &CompartmentId,
) -> Result<(), Error> {
    let rows = queries.all_compartments().await?.into_iter();
    let rows = rows.filter_map(|it| it.parent.map(|parent| (it.id, parent, it.name.to_string())));
    let tree = CompartmentTree::build(rows).map_err(|fault| Error::Internal(fault.to_string()))?;
    each(statements, |statement| {
        statement.check_location(&tree, attached).map_err(|misplaced| {
            let hint =
                "GET /v1/compartments shows what there is; a policy reaches its own compartment and those below.";
            Invalid::new("misplaced_statement", sentence(&misplaced), hint)
        })
    })
    .map(drop)
}

/// What became of each statement, or every fault with its place.
fn each<T, U>(statements: &[T], take: impl Fn(&T) -> Result<U, Invalid>) -> Result<Vec<U>, Error> {
    let (mut taken, mut faults) = (Vec::new(), Vec::new());
    for (index, statement) in statements.iter().enumerate() {
        match take(statement) {
            Ok(it) => taken.push(it),
            Err(invalid) => faults.push(Pointed::at(format!("/statements/{index}"), invalid)),
        }
    }
    if faults.is_empty() { Ok(taken) } else { Err(Error::Invalid(faults)) }
}

/// The words as a sentence.
pub(crate) fn sentence(words: &impl ToString) -> String {
    let words = words.to_string();
    let mut symbols = words.chars();
    let first = symbols.next().map(|symbol| symbol.to_ascii_uppercase());
    first.into_iter().chain(symbols).chain(['.']).collect()
}

/// The policy of the administrators keeps its statement.
fn refuse_weaker_administrators(policy: &Policy, statements: &[Statement]) -> Result<(), Error> {
    if policy.id != PolicyId::administrators() {
        return Ok(());
    }
    let kept = Statement::parse(ADMINISTRATORS_STATEMENT).map_err(|error| Error::Internal(error.to_string()))?;
    if statements.iter().any(|it| it.subject() == kept.subject() && it.grant() == kept.grant()) {
        return Ok(());
    }
    Err(last_administrator(&format!(
        "The policy of the administrators keeps its statement `{ADMINISTRATORS_STATEMENT}`."
    )))
}
