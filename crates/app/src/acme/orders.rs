//! Orders (RFC 8555 section 7.4), and authorizations ahead of them (section 7.4.1).

use super::limits::Spent;
use super::nonces::{Begun, GivenNonce, TAKE, begun};
use super::problem::{AcmeError, Problem, ProblemKind, Subproblem, about, absent, of_names, refuse};
use super::view::{AcmeCall, NewOrder, OrderView};
use crate::change::by_id;
use crate::{App, Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::acme::{
    Authorization, AuthorizationState, Challenge, ChallengeState, Identifier, IdentifierFault, MAX_IDENTIFIERS, Method,
    Order,
};
use certwright_domain::dn::DistinguishedName;
use certwright_domain::id::{AcmeAuthorizationId, AcmeOrderId, IssuedId};
use certwright_domain::name::ResourceName;
use certwright_domain::profile::KeyHolder;
use certwright_domain::rules::LeafRequest;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_domain::violation::Violation;
use certwright_store::{KnownProofs, Page, PageRequest, ProofSearch, Queries};

/// How long an order, and a proof that is pending, may take.
pub(super) const ORDER_LIFETIME: Span = Span::from_days(7);
/// Longest text of an identifier that is looked at.
const MAX_TEXT: usize = 300;

/// An order that nothing speaks against, with its authorizations. Dropped, it is as if nobody had asked.
pub struct PreparedOrder {
    order: Order,
    /// True: it is new.
    authorizations: Vec<(Authorization, bool)>,
    spent: Option<Spent>,
}

/// An order against which neither names nor rules speak; what its account has proven is not looked at yet.
struct Draft {
    identifiers: Vec<Identifier>,
    profile: ResourceName,
    validity: (Option<Timestamp>, Option<Timestamp>),
    replaces: Option<(IssuedId, String)>,
    spent: Option<Spent>,
}

impl App {
    /// Begins with an order that can be placed; nothing of it is stored yet. What would be refused when it is finalized is refused now,
    /// with one subproblem for each name.
    pub async fn prepare_acme_order(
        &self,
        call: &AcmeCall,
        nonce: GivenNonce,
        new: NewOrder,
    ) -> Result<Begun<PreparedOrder>, AcmeError> {
        let draft = match self.draft_order(call, new).await {
            Ok(draft) => draft,
            Err(refusal) => return self.begin_refused(nonce, refusal).await,
        };
        let names = reusable(call, &draft.identifiers);
        let search = self.proof_search(call, &names);
        let begun = begun(self.inner.store.begin_with_acme_search(TAKE, &nonce.0, &search).await)?;
        Ok(begun.and_then(|known| self.prepare_draft(call, draft, known)))
    }

    async fn draft_order(&self, call: &AcmeCall, new: NewOrder) -> Result<Draft, AcmeError> {
        let identifiers = identifiers(&new.identifiers)?;
        let profile = self.order_profile(call, new.profile.as_deref())?;
        self.judge_names(call, &identifiers)?;
        let validity = RequestedValidity {
            not_before: new.not_before,
            end: new.not_after.map_or(RequestedEnd::Longest, RequestedEnd::NotAfter),
        };
        self.judge_order(call, &identifiers, &profile, validity).await?;
        let (replaces, renews) = match &new.replaces {
            Some(text) => {
                let (id, in_window) = self.replaceable(call, text, &identifiers).await?;
                (Some((id, text.clone())), in_window)
            }
            None => (None, false),
        };
        // A renewal that we asked for ourselves is not counted (RFC 9773 section 5).
        let spent = if renews { None } else { Some(self.spend_order(call.account.id.as_str())?) };
        Ok(Draft { identifiers, profile, validity: (new.not_before, new.not_after), replaces, spent })
    }

    fn prepare_draft(&self, call: &AcmeCall, draft: Draft, known: KnownProofs) -> Result<PreparedOrder, AcmeError> {
        let Draft { identifiers, profile, validity: (not_before, not_after), replaces, spent } = draft;
        let now = self.now();
        let proven = known.valid.into_iter().chain(std::iter::repeat(None));
        let authorizations: Vec<_> = identifiers
            .iter()
            .zip(proven)
            .map(|(identifier, proven)| self.authorization_for(call, identifier, proven))
            .collect::<Result<_, _>>()?;
        let made: Vec<&Authorization> = authorizations.iter().filter(|(_, new)| *new).map(|(it, _)| it).collect();
        self.check_pending(known.pending, &made)?;
        let order = Order {
            id: AcmeOrderId::new(now, self.inner.id_entropy()),
            account: call.account.id.clone(),
            directory: call.door.directory.id.clone(),
            identifiers,
            authorizations: authorizations.iter().map(|(it, _)| it.id.clone()).collect(),
            profile,
            not_before,
            not_after,
            replaces,
            expires_at: now.plus(ORDER_LIFETIME),
            end: None,
            created_at: now,
            revision: 1,
        };
        Ok(PreparedOrder { order, authorizations, spent })
    }

    /// Makes an order.
    pub async fn place_acme_order(&self, prepared: PreparedOrder) -> Result<OrderView, AcmeError> {
        let PreparedOrder { order, authorizations, spent } = prepared;
        let made: Vec<&Authorization> = authorizations.iter().filter(|(_, new)| *new).map(|(it, _)| it).collect();
        self.inner.store.place_acme_order("acme.new-order", &order, &made).await?;
        spent.into_iter().for_each(Spent::keep);
        let authorizations = authorizations.into_iter().map(|(authorization, _)| authorization).collect();
        Ok(self.order_view(order, authorizations))
    }

    /// Makes an authorization without an order, or gives the one that is there; true: it was made. A name that is not certified
    /// here is 403 (RFC 8555 section 7.4.1), not 400 as in an order.
    pub async fn new_acme_authorization(
        &self,
        call: &AcmeCall,
        identifier: (String, String),
    ) -> Result<(Authorization, bool), AcmeError> {
        self.authorize_ahead(call, identifier).await.map_err(|error| match error {
            AcmeError::Problem(problem)
                if matches!(problem.kind, ProblemKind::RejectedIdentifier | ProblemKind::UnsupportedIdentifier) =>
            {
                problem.with_status(403).into()
            }
            other => other,
        })
    }

    async fn authorize_ahead(
        &self,
        call: &AcmeCall,
        (kind, value): (String, String),
    ) -> Result<(Authorization, bool), AcmeError> {
        let found = identifiers(std::slice::from_ref(&(kind, value)))?;
        let Some(identifier) = found.into_iter().next() else { return Err(absent("identifier")) };
        if identifier.is_wildcard() {
            let text = "Wildcards are authorized by their orders alone (RFC 8555 section 7.4.1).";
            return Err(of_names(vec![about(ProblemKind::RejectedIdentifier, &identifier, text)]));
        }
        self.judge_names(call, std::slice::from_ref(&identifier))?;
        let names = reusable(call, std::slice::from_ref(&identifier));
        let search = self.proof_search(call, &names);
        let known = self.inner.store.glance().await?.search_acme_authorizations(&search).await?;
        let proven = known.valid.into_iter().flatten().next();
        let (authorization, new) = self.authorization_for(call, &identifier, proven)?;
        if new {
            self.check_pending(known.pending, &[&authorization])?;
            let mut tx = self.inner.store.begin("acme.new-authz").await?;
            tx.insert_acme_authorization(&authorization).await?;
            tx.commit().await?;
        }
        Ok((authorization, new))
    }

    /// An order of the account.
    pub(super) async fn acme_order(&self, call: &AcmeCall, id: &AcmeOrderId) -> Result<OrderView, AcmeError> {
        let found = self.inner.store.glance().await?.acme_order_with_proofs(id).await?;
        self.own_order(call, found)
    }

    /// Begins with an order of the account.
    pub async fn begin_with_acme_order(
        &self,
        call: &AcmeCall,
        nonce: GivenNonce,
        id: &str,
    ) -> Result<Begun<OrderView>, AcmeError> {
        let Ok(id) = AcmeOrderId::parse(id) else { return self.begin_refused(nonce, absent("order")).await };
        let begun = begun(self.inner.store.begin_with_acme_order(TAKE, &nonce.0, &id).await)?;
        Ok(begun.and_then(|found| self.own_order(call, found)))
    }

    fn own_order(&self, call: &AcmeCall, found: Option<(Order, Vec<Authorization>)>) -> Result<OrderView, AcmeError> {
        let found = found.filter(|(order, _)| order.account == call.account.id);
        let (order, authorizations) = found.ok_or_else(|| absent("order"))?;
        Ok(self.order_view(order, authorizations))
    }

    /// Orders of the account, newest first; what has come to nothing is not among them (RFC 8555 section 7.1.2.1).
    pub async fn acme_orders_of(&self, call: &AcmeCall, page: &PageRequest) -> Result<Page<Order>, AcmeError> {
        let found = self.inner.store.read().await?.acme_orders_of_use(&call.account.id, self.now(), page).await;
        found.map_err(|error| match error {
            certwright_store::Error::BadCursor => {
                Problem::new(ProblemKind::Malformed, "The cursor does not belong to this list.").into()
            }
            other => other.into(),
        })
    }

    /// An order with its authorizations, as it is now.
    pub(super) async fn view_order(&self, queries: &mut dyn Queries, order: Order) -> Result<OrderView, AcmeError> {
        let mut authorizations = Vec::with_capacity(order.authorizations.len());
        for id in &order.authorizations {
            authorizations.extend(queries.acme_authorization(id).await?);
        }
        Ok(self.order_view(order, authorizations))
    }

    fn order_view(&self, order: Order, authorizations: Vec<Authorization>) -> OrderView {
        let now = self.now();
        let (state, error) = order.state(&authorizations, now);
        let ask_again_s = authorizations.iter().filter_map(|authorization| authorization.ask_again_s(now)).min();
        OrderView { order, state, error, ask_again_s, authorizations }
    }

    /// The profile that is asked for, or the directory's first one.
    fn order_profile(&self, call: &AcmeCall, asked: Option<&str>) -> Result<ResourceName, AcmeError> {
        let offered = call.door.directory.settings.profiles();
        let found = match asked {
            Some(asked) => offered.iter().find(|profile| profile.as_str() == asked),
            None => offered.first(),
        };
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = offered.iter().map(ResourceName::as_str).collect();
            let asked = asked.unwrap_or_default().escape_debug();
            let detail = format!("This directory has no profile `{asked}`; it has: {}.", names.join(", "));
            Problem::new(ProblemKind::InvalidProfile, detail).into()
        })
    }

    /// Directory and account let these names be ordered, one by one.
    pub(super) fn judge_names(&self, call: &AcmeCall, identifiers: &[Identifier]) -> Result<(), AcmeError> {
        let directory = call.door.directory.settings.names();
        let refused = |identifier: &Identifier| {
            let name = identifier.san();
            let detail = if directory.is_some_and(|names| !names.allows(name)) {
                format!("This directory does not certify {identifier}.")
            } else if !call.account.grant.allows(name) {
                format!("The account may not order {identifier}: its external account binding names other names.")
            } else {
                return None;
            };
            Some(about(ProblemKind::RejectedIdentifier, identifier, detail))
        };
        let refused: Vec<Subproblem> = identifiers.iter().filter_map(refused).collect();
        if refused.is_empty() { Ok(()) } else { Err(of_names(refused)) }
    }

    /// What CA and profile would say, to any key that the profile takes.
    async fn judge_order(
        &self,
        call: &AcmeCall,
        identifiers: &[Identifier],
        profile: &ResourceName,
        validity: RequestedValidity,
    ) -> Result<(), AcmeError> {
        let (ca, profile) = (by_id(call.door.directory.ca.as_str())?, by_id(profile.as_str())?);
        let algorithm = match self.key_algorithm_for(Some(&profile), None).await {
            Err(Error::NotFound { .. }) => return Err(gone_profile(profile.as_str())),
            other => other?,
        };
        let request = LeafRequest {
            subject: DistinguishedName::default(),
            names: identifiers.iter().map(|identifier| identifier.san().clone()).collect(),
            public_key: self.sample_key(algorithm).await?,
            key_holder: KeyHolder::Requester,
            validity,
            asks_for_ca: false,
        };
        let judged = self.judge_leaf(&call.call(), &ca, &profile, request).await.map_err(issuing_error)?;
        match judged.outcome {
            Ok(_) => Ok(()),
            Err(violations) => Err(of_violations(&violations, identifiers)),
        }
    }

    /// What is to be known of the account's proofs before it orders these.
    fn proof_search<'s>(&self, call: &'s AcmeCall, names: &'s [String]) -> ProofSearch<'s> {
        let most_pending = self.inner.settings.acme.limits.pending_authorizations;
        ProofSearch { account: &call.account.id, names, now: self.now(), most_pending }
    }

    /// An authorization for a name: the one that proves it already, one that needs no proof, or a new one; true: it is new.
    fn authorization_for(
        &self,
        call: &AcmeCall,
        identifier: &Identifier,
        proven: Option<Authorization>,
    ) -> Result<(Authorization, bool), AcmeError> {
        let settings = &call.door.directory.settings;
        let now = self.now();
        if let Some(proven) = proven.filter(|proven| call.still_counts(proven)) {
            return Ok((proven, false));
        }
        let trusted = call.needs_no_challenge(identifier);
        let mut authorization = Authorization {
            id: AcmeAuthorizationId::new(now, self.inner.id_entropy()),
            account: call.account.id.clone(),
            directory: call.door.directory.id.clone(),
            identifier: identifier.clone(),
            state: AuthorizationState::Pending,
            expires_at: now.plus(ORDER_LIFETIME),
            challenges: Vec::new(),
            due_at: None,
            created_at: now,
            revision: 1,
        };
        if trusted {
            authorization.state = AuthorizationState::Valid;
            authorization.expires_at = now.plus(settings.authorization_lifetime());
            return Ok((authorization, true));
        }
        self.may_try_again(call.account.id.as_str(), &identifier.to_string())?;
        let fitting = settings.challenges().iter().filter(|method| method.fits(identifier.san()));
        authorization.challenges = fitting.map(|method| self.challenge(*method)).collect();
        if authorization.challenges.is_empty() {
            let text = format!("No challenge of this directory can prove control of {identifier}.");
            return Err(of_names(vec![about(ProblemKind::RejectedIdentifier, identifier, text)]));
        }
        Ok((authorization, true))
    }

    fn challenge(&self, method: Method) -> Challenge {
        let mut random = [0; 32];
        self.inner.entropy.fill(&mut random);
        Challenge {
            method,
            token: URL_SAFE_NO_PAD.encode(random),
            state: ChallengeState::Pending,
            validated_at: None,
            failure: None,
            attempts: 0,
            seen_by: Vec::new(),
            due_at: None,
        }
    }

    fn check_pending(&self, pending: u32, made: &[&Authorization]) -> Result<(), AcmeError> {
        let most = self.inner.settings.acme.limits.pending_authorizations;
        let more = made.iter().filter(|it| it.state == AuthorizationState::Pending).count();
        if more == 0 {
            return Ok(());
        }
        if pending.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)) <= most {
            return Ok(());
        }
        let detail =
            format!("The account has {pending} proofs pending, {most} are allowed: finish or deactivate some.");
        Err(Problem { retry_after_s: Some(3_600), ..Problem::new(ProblemKind::RateLimited, detail) }.into())
    }

    /// The certificate that an order may replace, and whether its renewal is due (RFC 9773 section 5).
    async fn replaceable(
        &self,
        call: &AcmeCall,
        text: &str,
        identifiers: &[Identifier],
    ) -> Result<(IssuedId, bool), AcmeError> {
        let found = self.find_renewal(text).await?;
        let Some((row, _)) = found.filter(|(row, _)| row.requester == call.requester()) else {
            return refuse(ProblemKind::Unauthorized, "`replaces` names no certificate of this account.");
        };
        let shared = identifiers.iter().any(|identifier| row.names.contains(identifier.san()));
        if !shared {
            return refuse(ProblemKind::Malformed, "The order has no name of the certificate that it is to replace.");
        }
        if self.inner.store.glance().await?.acme_order_replacing(&row.id).await?.is_some() {
            return refuse(
                ProblemKind::AlreadyReplaced,
                "The certificate that the order is to replace was replaced already.",
            );
        }
        let window = self.window_of(&row).await?;
        Ok((row.id, window.start <= self.now()))
    }
}

/// Names of which a proof that is there already counts.
fn reusable(call: &AcmeCall, identifiers: &[Identifier]) -> Vec<String> {
    match call.door.directory.settings.reuse_authorizations() {
        true => identifiers.iter().map(ToString::to_string).collect(),
        false => Vec::new(),
    }
}

fn identifiers(given: &[(String, String)]) -> Result<Vec<Identifier>, AcmeError> {
    if given.is_empty() {
        return refuse(ProblemKind::Malformed, "The order has no identifiers.");
    }
    if given.len() > MAX_IDENTIFIERS {
        let detail = format!("The order has {} identifiers, {MAX_IDENTIFIERS} are allowed.", given.len());
        return refuse(ProblemKind::Malformed, detail);
    }
    let (mut read, mut faults) = (Vec::new(), Vec::new());
    for (kind, value) in given {
        if kind.len() > MAX_TEXT || value.len() > MAX_TEXT {
            return refuse(ProblemKind::Malformed, format!("An identifier has more than {MAX_TEXT} bytes."));
        }
        match Identifier::parse(kind, value) {
            Ok(identifier) if read.contains(&identifier) => {}
            Ok(identifier) => read.push(identifier),
            Err(fault) => {
                let (problem, detail) = match fault {
                    IdentifierFault::Type(detail) => (ProblemKind::UnsupportedIdentifier, detail),
                    IdentifierFault::Value(detail) => (ProblemKind::RejectedIdentifier, detail),
                };
                faults.push(Subproblem { kind: problem, detail, identifier: (kind.clone(), value.clone()) });
            }
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(of_names(faults)) }
}

/// Broken rules: those of names as subproblems; others make the request malformed.
fn of_violations(violations: &[Violation], identifiers: &[Identifier]) -> AcmeError {
    let of = |violation: &Violation| {
        let index = violation.pointer.strip_prefix("/names/")?.parse::<usize>().ok()?;
        let detail = format!("{} {}", violation.detail, violation.hint);
        Some(about(ProblemKind::RejectedIdentifier, identifiers.get(index)?, detail))
    };
    let named: Vec<Subproblem> = violations.iter().filter_map(of).collect();
    if named.len() == violations.len() {
        return of_names(named);
    }
    Problem { subproblems: named, ..Problem::new(ProblemKind::Malformed, sentences(violations)) }.into()
}

/// What the rules said, for people.
pub(super) fn sentences(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(|it| format!("{} {}", it.detail, it.hint)).collect();
    texts.join(" ")
}

pub(super) fn gone_profile(name: &str) -> AcmeError {
    let detail = format!("The profile `{name}` is not there any more; make a new order.");
    Problem::new(ProblemKind::InvalidProfile, detail).into()
}

/// What keeps a CA from signing is its operators' to mend, and not shown to clients.
pub(super) fn issuing_error(error: Error) -> AcmeError {
    match error {
        Error::Conflict { .. } | Error::NotFound { .. } | Error::Forbidden { .. } => {
            tracing::warn!(%error, "an ACME directory cannot issue: its CA or profile cannot be used");
            let detail = "The CA of this directory cannot issue now; its operator finds the reason in the log.";
            let problem = Problem::new(ProblemKind::ServerInternal, detail).with_status(503);
            Problem { retry_after_s: Some(60), ..problem }.into()
        }
        other => other.into(),
    }
}
