//! What deciding and signing need, kept in memory and stamped with the configuration epoch.
//!
//! The store counts an *epoch* up whenever a CA, key, vault, profile or token changes. An entry made under epoch `E` is
//! used only while `E` is the newest epoch this node knows, and the group commit refuses ([`certwright_store::Error::Stale`])
//! a certificate that was decided under another epoch than the stored one. So the issuing path reads nothing from the
//! database, and yet no certificate leaves that a change on any node had ruled out before it was recorded.

use crate::access::{Leave, Permission};
use crate::issuance::CaChain;
use crate::signing_keys::standing;
use crate::tokens::TokenCache;
use crate::urls::IssuerUrls;
use crate::{App, Error};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::ca::{Ca, CaState, CaType, CaVersion, IssuerFacts, IssuerStanding};
use certwright_domain::id::CompartmentId;
use certwright_domain::name::Reference;
use certwright_domain::profile::{DEFAULT_PROFILE, ExtendedKeyUsage, Profile};
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::KeyStanding;
use certwright_domain::serial::{Serial, Sha256};
use certwright_keystore::Signer;
use certwright_pki::{Certificate, read_certificate};
use moka::sync::Cache;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Caches of the issuing path.
pub(crate) struct Context {
    epoch: AtomicI64,
    pub(crate) tokens: TokenCache,
    issuers: Cache<String, Arc<IssuerContext>>,
    profiles: Cache<String, Arc<(i64, Profile)>>,
    known_keys: RwLock<Option<Arc<KnownKeys>>>,
    samples: RwLock<HashMap<KeyAlgorithm, PublicKey>>,
}

/// Public keys that no certificate of a requester may carry, and the epoch they were read under.
struct KnownKeys {
    epoch: i64,
    of_cas: HashSet<Sha256>,
    compromised: Arc<HashSet<Sha256>>,
}

impl KnownKeys {
    fn standing(&self, spki: &Sha256) -> KeyStanding {
        if self.of_cas.contains(spki) {
            KeyStanding::OfCa
        } else if self.compromised.contains(spki) {
            KeyStanding::Compromised
        } else {
            KeyStanding::Free
        }
    }
}

/// How often a serial is drawn. Two that collide are one in 2^159 for each that is known: a second draw is a fault.
const MAX_DRAWS: u32 = 16;

/// A CA that may sign now, with everything that signing needs.
pub(crate) struct IssuerContext {
    pub(crate) epoch: i64,
    pub(crate) ca: Ca,
    /// Where it lies.
    pub(crate) compartment: CompartmentId,
    pub(crate) version: CaVersion,
    pub(crate) certificate: Certificate,
    pub(crate) facts: IssuerFacts,
    /// What it gave away before it came here; empty for nearly all.
    pub(crate) known_serials: HashSet<Serial>,
    signer: Arc<dyn Signer>,
    pub(crate) signature_algorithm: SignatureAlgorithm,
    pub(crate) urls: IssuerUrls,
    /// The CA first, with the root where it is known.
    pub(crate) ca_chain: Arc<CaChain>,
}

impl IssuerContext {
    /// The signer, for those who bring leave to have this CA sign.
    pub(crate) fn signer(&self, leave: &Leave) -> Result<&Arc<dyn Signer>, Error> {
        leave.require(Permission::CaIssue, self.ca.id.as_str())?;
        Ok(&self.signer)
    }
}

impl Context {
    pub(crate) fn new() -> Self {
        Self {
            epoch: AtomicI64::new(0),
            tokens: TokenCache::new(),
            issuers: Cache::new(1_000),
            profiles: Cache::new(1_000),
            known_keys: RwLock::new(None),
            samples: RwLock::new(HashMap::new()),
        }
    }

    /// The newest epoch this node knows; 0: none yet.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Learns of an epoch; older ones are ignored.
    pub(crate) fn note_epoch(&self, epoch: i64) {
        self.epoch.fetch_max(epoch, Ordering::AcqRel);
    }

    /// A public key of this algorithm that requests can be judged with before a key is made for them.
    pub(crate) fn sample_key(&self, algorithm: KeyAlgorithm) -> Option<PublicKey> {
        self.samples.read().unwrap_or_else(PoisonError::into_inner).get(&algorithm).cloned()
    }

    /// Keeps a public key to judge with.
    pub(crate) fn keep_sample_key(&self, algorithm: KeyAlgorithm, public_key: PublicKey) {
        self.samples.write().unwrap_or_else(PoisonError::into_inner).insert(algorithm, public_key);
    }
}

impl App {
    /// Reads the epoch from the store and learns it.
    pub(crate) async fn refresh_epoch(&self) -> Result<i64, Error> {
        let epoch = self.inner.store.glance().await?.epoch().await?;
        self.inner.context.note_epoch(epoch);
        Ok(epoch)
    }

    /// The epoch to work under: the newest known, read from the store when none is.
    pub(crate) async fn working_epoch(&self) -> Result<i64, Error> {
        match self.inner.context.epoch() {
            // Boxed, as all that is seldom taken on a busy way: a future is as large as the largest of its ways.
            0 => Box::pin(self.refresh_epoch()).await,
            known => Ok(known),
        }
    }

    /// A CA that is ready to sign, from memory where the epoch allows.
    pub(crate) async fn issuer(&self, ca: &Reference) -> Result<Arc<IssuerContext>, Error> {
        let epoch = self.working_epoch().await?;
        if let Some(known) = self.inner.context.issuers.get(ca.as_str()).filter(|known| known.epoch == epoch) {
            return Ok(known);
        }
        let loaded = Arc::new(Box::pin(self.load_issuer(ca)).await?);
        self.inner.context.issuers.insert(ca.as_str().to_owned(), Arc::clone(&loaded));
        Ok(loaded)
    }

    /// A profile by reference (default: the default one), from memory where the epoch allows.
    pub(crate) async fn issuing_profile(&self, reference: Option<&Reference>) -> Result<Arc<(i64, Profile)>, Error> {
        let name = reference.map_or(DEFAULT_PROFILE, Reference::as_str);
        let epoch = self.working_epoch().await?;
        if let Some(known) = self.inner.context.profiles.get(name).filter(|known| known.0 == epoch) {
            return Ok(known);
        }
        let loaded = Arc::new(match Profile::built_in(name) {
            Some(profile) => (epoch, profile),
            None => Box::pin(self.load_profile(name)).await?,
        });
        self.inner.context.profiles.insert(name.to_owned(), Arc::clone(&loaded));
        Ok(loaded)
    }

    async fn load_profile(&self, name: &str) -> Result<(i64, Profile), Error> {
        let mut read = self.inner.store.read().await?;
        let epoch = read.epoch().await?;
        let reference = Reference::parse(name).map_err(|invalid| Error::invalid("/profile", invalid))?;
        let stored = read.profile(&reference).await?.ok_or_else(|| Error::not_found("profile", name))?;
        self.inner.context.note_epoch(epoch);
        Ok((epoch, stored.profile))
    }

    /// What is known of a public key.
    pub(crate) async fn key_standing(&self, spki: &Sha256) -> Result<KeyStanding, Error> {
        let epoch = self.working_epoch().await?;
        let known = self.inner.context.known_keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.as_ref().filter(|known| known.epoch == epoch) {
            return Ok(known.standing(spki));
        }
        Box::pin(self.load_key_standing(spki, known)).await
    }

    async fn load_key_standing(&self, spki: &Sha256, known: Option<Arc<KnownKeys>>) -> Result<KeyStanding, Error> {
        let mut read = self.inner.store.read().await?;
        let epoch = read.epoch().await?;
        let of_cas: HashSet<Sha256> = read.ca_public_keys().await?.into_iter().collect();
        // Compromised keys are only ever added, each under the epoch that its blocking raised.
        let since = known.as_ref().map_or(0, |known| known.epoch);
        let more = read.compromised_keys(since).await?;
        let compromised = match known {
            Some(known) if more.is_empty() => Arc::clone(&known.compromised),
            Some(known) => Arc::new(known.compromised.iter().copied().chain(more).collect()),
            None => Arc::new(more.into_iter().collect()),
        };
        self.inner.context.note_epoch(epoch);
        let known = Arc::new(KnownKeys { epoch, of_cas, compromised });
        let standing = known.standing(spki);
        *self.inner.context.known_keys.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(standing)
    }

    async fn load_issuer(&self, reference: &Reference) -> Result<IssuerContext, Error> {
        let mut read = self.inner.store.read().await?;
        // The epoch is read first: whatever is read after it is at least as new.
        let epoch = read.epoch().await?;
        self.inner.context.note_epoch(epoch);
        let ca = read.ca(reference).await?.ok_or_else(|| Error::not_found("CA", reference))?;
        refuse_unless_active(&ca)?;
        let number = ca.versions.current.ok_or_else(|| {
            Error::conflict(
                "ca_without_version",
                format!("CA {} has no current version.", ca.name),
                "Make one current.",
            )
        })?;
        let version = read
            .ca_version(&ca.id, number)
            .await?
            .ok_or_else(|| Error::Internal(format!("{} lacks its current version {number}", ca.id)))?;
        let (above, standing) = standing(&mut *read, &version).await?;
        let (signer, signature_algorithm) = self.ca_signer(&mut read, &ca, &version).await?;
        let compartment = read.compartment_of(ca.id.as_str()).await?;
        let known_serials = read.known_serials(&ca.id).await?.into_iter().map(|known| known.serial).collect();
        drop(read);
        let der = version.certificate.as_ref().ok_or_else(|| {
            Error::conflict(
                "ca_without_certificate",
                format!("CA {} has no certificate yet.", ca.name),
                "Install it first.",
            )
        })?;
        let certificate = read_certificate(der)?;
        let facts = issuer_facts(&ca, &certificate, &above, standing);
        let urls = self.urls(&ca, number, &certificate);
        let ca_chain: Vec<Vec<u8>> = std::iter::once(certificate.der.clone()).chain(version.chain.clone()).collect();
        let without_root =
            std::iter::once(&certificate).chain(&above).take_while(|one| one.issuer_der != one.subject_der).count();
        Ok(IssuerContext {
            epoch,
            ca,
            compartment,
            version,
            certificate,
            facts,
            signer,
            signature_algorithm,
            urls,
            ca_chain: Arc::new(CaChain::new(ca_chain, without_root)),
            known_serials,
        })
    }

    /// A serial that the CA never gave away, also not before it came here.
    pub(crate) fn draw_serial(&self, known: &HashSet<Serial>) -> Result<Serial, Error> {
        for _ in 0..MAX_DRAWS {
            let mut random = [0; 20];
            self.inner.entropy.fill(&mut random);
            let serial = Serial::from_random(random);
            if !known.contains(&serial) {
                return Ok(serial);
            }
        }
        Err(Error::Internal("the source of randomness repeats itself".into()))
    }
}

/// Refuses a CA that may not issue, with the reason.
pub(crate) fn refuse_unless_active(ca: &Ca) -> Result<(), Error> {
    let (code, hint) = match ca.state {
        CaState::Active if ca.ca_type == CaType::ExternalRoot => {
            return Err(Error::conflict(
                "ca_has_no_key",
                format!("CA {} is a trust anchor without a key of ours and cannot sign.", ca.name),
                "Choose a CA whose key lies in one of our vaults.",
            ));
        }
        CaState::Active => return Ok(()),
        CaState::Disabled => ("ca_disabled", "Enable it: PATCH the CA with {\"enabled\":true}."),
        CaState::PendingActivation => ("ca_pending_activation", "Install the certificate signed for its CSR first."),
        CaState::PendingDeletion => ("ca_pending_deletion", "Cancel its deletion, or choose another CA."),
        CaState::Deleted => ("ca_deleted", "Choose another CA."),
    };
    Err(Error::conflict(code, format!("CA {} is {} and cannot sign.", ca.name, ca.state), hint))
}

/// The smaller of two path lengths; `None`: unlimited.
pub(crate) fn tighter(one: Option<u8>, other: Option<u8>) -> Option<u8> {
    one.into_iter().chain(other).min()
}

/// What the rules need to know of a CA, from its row, its certificate and those above it.
pub(crate) fn issuer_facts(
    ca: &Ca,
    certificate: &Certificate,
    above: &[Certificate],
    standing: IssuerStanding,
) -> IssuerFacts {
    // The row's limits are in the certificate, unless somebody else made it.
    let mut path_length_left = tighter(certificate.ca.flatten(), ca.rules.path_length);
    for (distance, upper) in (1_u8..).zip(above) {
        if let Some(limit) = upper.ca.flatten() {
            let left = limit.saturating_sub(distance);
            path_length_left = Some(path_length_left.map_or(left, |so_far| so_far.min(left)));
        }
    }
    let own = ca.rules.name_constraints.clone().filter(|own| certificate.name_constraints.as_ref() != Some(own));
    let certified = std::iter::once(certificate).chain(above).filter_map(|one| one.name_constraints.clone());
    let name_constraints = certified.chain(own).collect();
    let mut usages_left: Option<Vec<ExtendedKeyUsage>> = None;
    for limit in std::iter::once(certificate).chain(above).filter_map(|one| one.usage_limit.as_ref()) {
        match &mut usages_left {
            Some(left) => left.retain(|usage| limit.contains(usage)),
            None => usages_left = Some(limit.clone()),
        }
    }
    IssuerFacts {
        name: ca.name.clone(),
        subject: certificate.subject.clone(),
        state: ca.state,
        rules: ca.rules.clone(),
        validity: certificate.validity,
        path_length_left,
        name_constraints,
        usages_left,
        standing,
        spki_sha256: certificate.public_key.spki_sha256,
    }
}
