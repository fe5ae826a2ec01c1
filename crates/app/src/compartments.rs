//! Compartments: a tree of folders of resources. The pure part says what a tree may look like.

use crate::access::Object;
use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, name_taken, too_many};
use crate::{App, Call, Error, Permission};
use certwright_domain::access::{Compartment, MAX_COMPARTMENTS, MAX_DEPTH};
use certwright_domain::id::CompartmentId;
use certwright_domain::name::{Reference, ResourceName};
use certwright_store::{Page, PageRequest, Queries};

/// A compartment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCompartment {
    /// Name.
    pub name: ResourceName,
    /// For people.
    pub description: String,
    /// Where it lies; default: the tenancy.
    pub parent: Option<Reference>,
}

/// Changes to a compartment; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateCompartment {
    /// Name.
    pub name: Option<ResourceName>,
    /// For people.
    pub description: Option<String>,
    /// Where it lies.
    pub parent: Option<Reference>,
}

impl App {
    /// Makes a compartment.
    pub async fn create_compartment(&self, call: &Call, new: NewCompartment) -> Result<Compartment, Error> {
        let now = self.now();
        let NewCompartment { name, description, parent } = new;
        let id = CompartmentId::new(now, self.inner.id_entropy());
        let mut change = self.inner.begin_access_change(call, "compartment.create").await?;
        let call_there = call.clone().within(parent);
        let tenancy = CompartmentId::tenancy();
        let permission = Permission::CompartmentManage;
        let parent = self.may_make_with(&mut **change, &call_there, permission, "compartment", tenancy).await?;
        let parent = Some(parent);
        let compartment = Compartment { id, parent, name, description, created_at: now, revision: 1 };
        let tree = change.all_compartments().await?;
        if tree.len() >= usize::try_from(MAX_COMPARTMENTS).unwrap_or(usize::MAX) {
            return Err(too_many("too_many_compartments", "compartments", MAX_COMPARTMENTS));
        }
        refuse_same_name(&tree, &compartment)?;
        refuse_bad_place(&tree, &compartment)?;
        let inserted = change.insert_compartment(&compartment).await;
        inserted.map_err(|error| name_conflict(error, "compartment", &compartment.name))?;
        let details = details(&compartment);
        change.insert_audit(&self.inner.audit(call, "compartment.create", target(&compartment), &details)).await?;
        change.commit().await?;
        Ok(compartment)
    }

    /// Compartments by name.
    pub async fn compartments(&self, call: &Call, page: &PageRequest) -> Result<Page<Compartment>, Error> {
        match call.caller.is_system() {
            true => self.may(call, Permission::CompartmentList, "compartment")?,
            false => self.may_list(call, Permission::CompartmentList)?,
        }
        let mut page = self.inner.store.read().await?.compartments(page).await?;
        page.items.retain(|found| self.is_allowed(call, Permission::CompartmentList, &Object::compartment(found)));
        Ok(page)
    }

    /// One compartment.
    pub async fn compartment(&self, call: &Call, compartment: &Reference) -> Result<Compartment, Error> {
        self.may_compartment(&mut *self.inner.store.read().await?, call, Permission::CompartmentRead, compartment).await
    }

    /// Renames, describes or moves a compartment; it cannot be moved below itself. `if_match` is checked when given.
    pub async fn update_compartment(
        &self,
        call: &Call,
        compartment: &Reference,
        update: UpdateCompartment,
        if_match: Option<i64>,
    ) -> Result<Compartment, Error> {
        let mut change = self.inner.begin_access_change(call, "compartment.update").await?;
        let before = self.may_compartment(&mut **change, call, Permission::CompartmentManage, compartment).await?;
        check_if_match(if_match, before.revision)?;
        let UpdateCompartment { name, description, parent } = update;
        if before.id.is_tenancy() && (name.is_some() || parent.is_some()) {
            return Err(tenancy_stays("renamed or moved"));
        }
        let mut after = before.clone();
        after.name = name.unwrap_or(after.name);
        after.description = description.unwrap_or(after.description);
        if let Some(parent) = parent {
            let parent = self.may_compartment(&mut **change, call, Permission::CompartmentManage, &parent).await?;
            after.parent = Some(parent.id);
        }
        // Statements reach a compartment by its name as well as by its place: under another one, other statements hold in it.
        if after.name != before.name || after.parent != before.parent {
            self.may_uproot(&mut **change, call, &before.id).await?;
        }
        if after == before {
            change.undo().await?;
            return Ok(before);
        }
        let tree = change.all_compartments().await?;
        refuse_same_name(&tree, &after)?;
        refuse_bad_place(&tree, &after)?;
        let updated = change.update_compartment(&after).await;
        updated.map_err(|error| name_conflict(error, "compartment", &after.name))?;
        let old = before.parent.as_ref().map_or("", |parent| parent.as_str());
        let [parent] = details(&after);
        let details = [parent, ("oldParent", old), ("oldName", before.name.as_str())];
        change.insert_audit(&self.inner.audit(call, "compartment.update", target(&after), &details)).await?;
        change.commit().await?;
        after.revision = after.revision.saturating_add(1);
        Ok(after)
    }

    /// Deletes an empty compartment. `if_match` is checked when given.
    pub async fn delete_compartment(
        &self,
        call: &Call,
        compartment: &Reference,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        let mut change = self.inner.begin_access_change(call, "compartment.delete").await?;
        let permission = Permission::CompartmentManage;
        let compartment = self.may_compartment(&mut **change, call, permission, compartment).await?;
        check_if_match(if_match, compartment.revision)?;
        if compartment.id.is_tenancy() {
            return Err(tenancy_stays("deleted"));
        }
        refuse_unless_empty(&mut **change, &compartment).await?;
        change.delete_compartment(&compartment.id, compartment.revision).await?;
        change.insert_audit(&self.inner.audit(call, "compartment.delete", target(&compartment), &[])).await?;
        change.commit().await
    }
}

impl App {
    /// A compartment, when the caller may do this to it.
    pub(crate) async fn may_compartment(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        permission: Permission,
        reference: &Reference,
    ) -> Result<Compartment, Error> {
        let found = find_compartment(queries, reference).await?;
        self.authorize(call, permission, &Object::compartment(&found).called(reference))?;
        Ok(found)
    }
}

pub(crate) async fn find_compartment(queries: &mut dyn Queries, reference: &Reference) -> Result<Compartment, Error> {
    queries.compartment(reference).await?.ok_or_else(|| Error::not_found("compartment", reference))
}

fn target(compartment: &Compartment) -> Target<'_> {
    Target { kind: "compartment", id: compartment.id.as_str(), name: compartment.name.as_str() }
}

fn details(compartment: &Compartment) -> [(&'static str, &str); 1] {
    [("parent", compartment.parent.as_ref().map_or("", |parent| parent.as_str()))]
}

fn tenancy_stays(done: &str) -> Error {
    Error::conflict(
        "tenancy_stays",
        format!("The tenancy is the root of all compartments; it cannot be {done}."),
        "Make a compartment below it with POST /v1/compartments.",
    )
}

/// Names what is in a compartment.
async fn refuse_unless_empty(queries: &mut dyn Queries, compartment: &Compartment) -> Result<(), Error> {
    let first = PageRequest { limit: 3, after: None };
    let children = queries.all_compartments().await?.into_iter();
    let children = children.filter(|child| child.parent.as_ref() == Some(&compartment.id));
    let mut found: Vec<String> = children.map(|child| format!("compartment {}", child.name)).collect();
    let policies = queries.policies(Some(&compartment.id), &first).await?.items;
    found.extend(policies.iter().map(|policy| format!("policy {}", policy.name)));
    let placed = queries.count_placed(&compartment.id).await?;
    if placed > 0 {
        let placed_first = queries.placed_in(&compartment.id, None, &first).await?.items;
        found.extend(placed_first.iter().map(|it| format!("{} {}", it.kind, it.resource_id)));
    }
    if found.is_empty() {
        return Ok(());
    }
    let more = if placed > 3 { format!("; {placed} resources in all") } else { String::new() };
    Err(Error::conflict(
        "compartment_not_empty",
        format!("There is something in compartment {}: {}{more}.", compartment.name, found.join(", ")),
        "Move or delete what is in it first.",
    ))
}

/// No two names differ by case alone.
fn refuse_same_name(tree: &[Compartment], compartment: &Compartment) -> Result<(), Error> {
    let name = compartment.name.as_str();
    match tree.iter().find(|it| it.id != compartment.id && it.name.as_str().eq_ignore_ascii_case(name)) {
        Some(other) => Err(name_taken("compartment", &other.name)),
        None => Ok(()),
    }
}

/// Would the compartment, where it is to lie, make a circle or a tree that is too deep?
fn refuse_bad_place(tree: &[Compartment], compartment: &Compartment) -> Result<(), Error> {
    let mut above = 0_usize;
    let mut next = compartment.parent.as_ref();
    while let Some(parent) = next {
        if *parent == compartment.id || above > tree.len() {
            return Err(Error::conflict(
                "compartment_cycle",
                format!("Compartment {} would lie below itself.", compartment.name),
                "Move it to a compartment that is not below it.",
            ));
        }
        above = above.saturating_add(1);
        next = tree.iter().find(|it| it.id == *parent).and_then(|it| it.parent.as_ref());
    }
    let depth = above.saturating_add(height(tree, &compartment.id, MAX_DEPTH));
    if depth > MAX_DEPTH {
        return Err(Error::conflict(
            "compartments_too_deep",
            format!("There would be {depth} levels of compartments below the tenancy; {MAX_DEPTH} are allowed."),
            "Choose a parent nearer to the tenancy.",
        ));
    }
    Ok(())
}

/// Levels below a compartment, looked at `most` deep and one more.
fn height(tree: &[Compartment], id: &CompartmentId, most: usize) -> usize {
    let Some(left) = most.checked_sub(1) else { return 0 };
    let children = tree.iter().filter(|it| it.parent.as_ref() == Some(id));
    children.map(|child| height(tree, &child.id, left).saturating_add(1)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_domain::time::Timestamp;

    fn compartment(number: u8, parent: Option<u8>) -> Compartment {
        Compartment {
            id: id(number),
            parent: parent.map(id),
            name: ResourceName::parse(&format!("c{number}")).unwrap(),
            description: String::new(),
            created_at: Timestamp::from_unix_s(0),
            revision: 1,
        }
    }

    /// The tenancy has number 0.
    fn id(number: u8) -> CompartmentId {
        if number == 0 { CompartmentId::tenancy() } else { CompartmentId::new(Timestamp::from_unix_s(9), [number; 10]) }
    }

    fn code(outcome: Result<(), Error>) -> &'static str {
        match outcome {
            Ok(()) => "",
            Err(Error::Conflict { code, .. }) => code,
            Err(other) => panic!("{other}"),
        }
    }

    /// 0 ← 1 ← 2 ← … ← 6, and 0 ← 10 ← 11.
    fn tree() -> Vec<Compartment> {
        let mut tree = vec![compartment(0, None), compartment(10, Some(0)), compartment(11, Some(10))];
        tree.extend((1..=6).map(|number| compartment(number, Some(number.saturating_sub(1)))));
        tree
    }

    #[test]
    fn a_compartment_never_lies_below_itself() {
        let tree = tree();
        for (number, parent) in [(1, 1), (1, 2), (1, 6), (10, 11)] {
            assert_eq!(code(refuse_bad_place(&tree, &compartment(number, Some(parent)))), "compartment_cycle");
        }
        assert_eq!(code(refuse_bad_place(&tree, &compartment(11, Some(0)))), "");
    }

    #[test]
    fn six_levels_are_enough() {
        let tree = tree();
        assert_eq!(code(refuse_bad_place(&tree, &compartment(20, Some(5)))), "");
        assert_eq!(code(refuse_bad_place(&tree, &compartment(20, Some(6)))), "compartments_too_deep");
        assert_eq!(code(refuse_bad_place(&tree, &compartment(10, Some(4)))), "", "with one below it: 6");
        assert_eq!(code(refuse_bad_place(&tree, &compartment(10, Some(5)))), "compartments_too_deep");
        assert_eq!(code(refuse_bad_place(&tree, &compartment(1, Some(10)))), "compartments_too_deep");
    }
}
