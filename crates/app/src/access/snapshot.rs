//! What decisions rest on, in memory: compartments, principals and policies as of one moment.
//!
//! A snapshot holds for the *access epoch* it was read under, which the store raises with every change of any of this. Nodes
//! learn of a change as they learn of every change of configuration: when they read, when a recording is refused, and at
//! the latest a second later when they authenticate a caller.

use crate::{App, Error};
use certwright_domain::id::UserId;
use certwright_domain::policy::{Attached, CompartmentTree, MatchingRule, Policies, Statement};
use certwright_store::{AccessSnapshot, Queries};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The newest snapshot that this node has read, and the newest configuration epoch that it is known to hold under.
#[derive(Default)]
pub(crate) struct AccessCache(RwLock<Option<(i64, Arc<Snapshot>)>>);

/// A user, as decisions need it.
pub(crate) struct KnownUser {
    pub(crate) id: UserId,
    pub(crate) enabled: bool,
    /// Numbers of its groups, in ascending order.
    pub(crate) groups: Vec<u32>,
}

/// Compartments, principals and policies, ready to decide.
pub(crate) struct Snapshot {
    access: i64,
    pub(crate) policies: Policies,
    pub(super) users: HashMap<String, KnownUser>,
    /// Number, name and id of every group, for the variables about them.
    pub(super) groups: HashMap<u32, (String, String)>,
    pub(super) rules: Vec<(u32, MatchingRule)>,
}

impl Snapshot {
    /// Brings what was read into form. A statement or rule that does not read any more lets nobody through; it was read
    /// when it was written, so that is a fault worth telling.
    fn new(read: AccessSnapshot) -> Self {
        let tree = CompartmentTree::new(&read.compartments);
        let statements = read.policies.iter().flat_map(|policy| {
            let name: Arc<str> = policy.name.as_str().into();
            let parsed =
                policy.statements.iter().enumerate().filter_map(|(number, text)| match Statement::parse(text) {
                    Ok(statement) => Some((number, statement)),
                    Err(error) => {
                        tracing::error!(policy = %policy.name, number, %error, "a stored statement does not read");
                        None
                    }
                });
            let attached = |(number, statement)| Attached {
                policy: Arc::clone(&name),
                number,
                compartment: policy.compartment.clone(),
                statement,
            };
            parsed.map(attached).collect::<Vec<_>>()
        });
        let groups = read.groups.iter().map(|group| (group.name.as_str(), group.id.as_str()));
        let dynamic = read.dynamic_groups.iter().map(|group| (group.name.as_str(), group.id.as_str()));
        let policies = Policies::compile(tree, groups, dynamic, statements);
        let mut memberships: HashMap<&UserId, Vec<u32>> = HashMap::new();
        for (group, user) in &read.members {
            memberships.entry(user).or_default().extend(policies.group(group.as_str()));
        }
        let users = read.users.iter().map(|user| {
            let mut groups = memberships.remove(&user.id).unwrap_or_default();
            groups.sort_unstable();
            let known = KnownUser { id: user.id.clone(), enabled: user.enabled, groups };
            (user.name.as_str().to_owned(), known)
        });
        let users = users.collect();
        let groups = read.groups.iter().filter_map(|group| {
            let number = policies.group(group.id.as_str())?;
            Some((number, (group.name.as_str().to_owned(), group.id.as_str().to_owned())))
        });
        let groups = groups.collect();
        let rules = read.dynamic_groups.iter().filter_map(|group| {
            let number = policies.dynamic_group(group.id.as_str())?;
            match MatchingRule::parse(&group.matching_rule) {
                Ok(rule) => Some((number, rule)),
                Err(error) => {
                    tracing::error!(group = %group.name, %error, "a stored matching rule does not read");
                    None
                }
            }
        });
        let rules = rules.collect();
        Self { access: read.access, policies, users, groups, rules }
    }
}

impl AccessCache {
    /// The newest snapshot; `None`: none was read yet, and nobody is let through.
    pub(crate) fn newest(&self) -> Option<Arc<Snapshot>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, snapshot)| Arc::clone(snapshot))
    }

    /// The newest snapshot, if it is known to hold under this epoch.
    fn under(&self, epoch: i64) -> Option<Arc<Snapshot>> {
        let newest = self.0.read().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().filter(|(known, _)| epoch != 0 && *known == epoch).map(|(_, snapshot)| Arc::clone(snapshot))
    }

    fn keep(&self, epoch: i64, snapshot: &Arc<Snapshot>) {
        let mut newest = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Of two that were read at once, the later one stays.
        if newest.as_ref().is_none_or(|(known, _)| *known <= epoch) {
            *newest = Some((epoch, Arc::clone(snapshot)));
        }
    }
}

impl App {
    /// The snapshot that holds in this transaction.
    pub(crate) async fn access_of(&self, queries: &mut dyn Queries) -> Result<Arc<Snapshot>, Error> {
        let known = self.inner.access.newest();
        if let Some(known) = known
            && known.access == queries.access_epoch().await?
        {
            return Ok(known);
        }
        Ok(Arc::new(Snapshot::new(queries.access_snapshot().await?)))
    }

    /// The snapshot that holds under the newest epoch this node knows: from memory, or read anew.
    pub(crate) async fn access(&self) -> Result<Arc<Snapshot>, Error> {
        if let Some(known) = self.inner.access.under(self.inner.context.epoch()) {
            return Ok(known);
        }
        let mut read = self.inner.store.read().await?;
        // The epoch is read first: what is read after it is at least as new.
        let epoch = read.epoch().await?;
        let snapshot = self.access_of(&mut *read).await?;
        self.inner.access.keep(epoch, &snapshot);
        self.inner.context.note_epoch(epoch);
        Ok(snapshot)
    }
}
