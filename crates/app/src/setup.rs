//! First start, the server's own TLS certificate, and `quickstart`.

use crate::cas::{CaView, NewCa, NewCaKind, NewRules, OwnKey, RenewCa};
use crate::change::by_id;
use crate::principals::ensure_admin;
use crate::{App, Call, Error, IssueRequest, NewAcmeDirectory, NewKey, Subject};
use certwright_domain::access::ADMIN;
use certwright_domain::acme::RawDirectory;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::{Ca, RevocationSettings};
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::key::Protection;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::principal::PrincipalName;
use certwright_domain::profile::{RawNameLimits, RawProfile};
use certwright_domain::san::San;
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::token::Token;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_pki::{check_issued_by, read_certificate, to_pem};
use certwright_store::{CaFilter, PageRequest};

/// The server's own certificate: chain (DER, leaf first), PKCS#8 key, the root to trust, and when to ask for another.
pub struct ServerCertificate {
    /// DER, leaf first, without the root.
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8 DER.
    pub key: SecretBytes,
    /// PEM of the root.
    pub root_pem: String,
    /// Ask for the next one then.
    pub renew_at: Timestamp,
}

/// An administrator token that is drawn, but not in force: its text can be written down first, so that no token is in force
/// which nobody has.
pub struct AdminToken {
    token: Token,
    text: SecretText,
}

impl AdminToken {
    /// What its bearer will show.
    pub fn text(&self) -> &SecretText {
        &self.text
    }

    /// The same, for whoever is to have it.
    pub fn into_text(self) -> SecretText {
        self.text
    }
}

/// What `quickstart` shall make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quickstart {
    /// Organization in the subjects; `None` leaves it out.
    pub organization: Option<String>,
    /// DNS name of the first certificate.
    pub dns_name: String,
}

/// What `quickstart` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickstartReport {
    /// Lines of name and meaning, for the terminal.
    pub made: Vec<(String, String)>,
    /// PEM chain of the first certificate.
    pub first_certificate: String,
    /// PEM of the root.
    pub root: String,
    /// Name of the issuing CA.
    pub issuing_ca: String,
}

/// Marks a database in which the first administrator token was made.
const INITIALISED: &str = "initialised";
/// Name of the vault and the CA that the server's own certificates come from.
const SERVICE: &str = "certwright-service";
/// Name of the ACME directory of a first set-up,
const ACME_DIRECTORY: &str = "default";
/// the profile that it offers first,
const ACME_PROFILE: &str = "acme";
/// and where the names that it certifies may lie: private networks (RFC 1918, RFC 4193). Loopback and link-local addresses,
/// among which clouds have their metadata, are not among them.
const PRIVATE_RANGES: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
/// Lifetime of the service CA's certificate; it is renewed when a third is left.
const SERVICE_CA_VALIDITY: Span = Span::from_days(3650);
/// Lifetime of the server's certificate.
const SERVER_VALIDITY: Span = Span::from_days(30);

impl App {
    /// Was the first administrator token of this database made?
    pub async fn is_initialised(&self) -> Result<bool, Error> {
        Ok(self.inner.store.read().await?.meta(INITIALISED).await?.is_some())
    }

    /// Is there neither a vault nor a CA, apart from the server's own? [`App::quickstart`] is for such databases.
    pub async fn is_blank(&self) -> Result<bool, Error> {
        let mut read = self.inner.store.read().await?;
        let first = PageRequest { limit: 1, after: None };
        let vaults = read.vaults(&first, false).await?;
        let cas = read.cas(&CaFilter::default(), &first).await?;
        Ok(vaults.items.is_empty() && cas.items.is_empty())
    }

    /// An administrator token that is not in force yet.
    pub fn draw_admin_token(&self) -> Result<AdminToken, Error> {
        let (token, text) = self.inner.mint_token(name(ADMIN)?, &admin()?, None);
        Ok(AdminToken { token, text })
    }

    /// Makes the first administrator token if there has never been one; `None` when there was. Safe on several nodes:
    /// one wins.
    pub async fn first_admin_token(&self) -> Result<Option<SecretText>, Error> {
        if self.is_initialised().await? {
            return Ok(None);
        }
        let drawn = self.draw_admin_token()?;
        Ok(self.put_first_admin_token(&drawn).await?.then_some(drawn.text))
    }

    /// Puts this token in force if there has never been one. Was it the first?
    pub async fn put_first_admin_token(&self, drawn: &AdminToken) -> Result<bool, Error> {
        if self.is_initialised().await? {
            return Ok(false);
        }
        let call = Call::system("first-start");
        let token = &drawn.token;
        let mut tx = self.inner.begin_access_change(&call, "setup.first-token").await?;
        ensure_admin(&mut **tx, self.now()).await?;
        tx.put_meta(INITIALISED, self.inner.clock.now().to_string().as_bytes()).await?;
        match tx.insert_token(token).await {
            // Another node was first: its token has the name.
            Err(certwright_store::Error::Conflict { .. }) => return Ok(false),
            other => other?,
        }
        tx.insert_audit(&self.inner.token_event(&call, "token.create", token)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Revokes the administrator token made by [`App::first_admin_token`] or by this call before, and makes a new one. Its
    /// user is there, enabled and an administrator afterwards, whatever became of it: this door opens when no other does.
    pub async fn rotate_admin_token(&self) -> Result<SecretText, Error> {
        let drawn = self.draw_admin_token()?;
        self.put_admin_token(&drawn).await?;
        Ok(drawn.text)
    }

    /// [`App::rotate_admin_token`] to this one.
    pub async fn put_admin_token(&self, drawn: &AdminToken) -> Result<(), Error> {
        let call = Call::system("admin-token");
        let now = self.inner.clock.now();
        let token = &drawn.token;
        let mut tx = self.inner.begin_access_change(&call, "setup.rotate-token").await?;
        ensure_admin(&mut **tx, now).await?;
        if let Some(old) = tx.find_token(&Reference::from(&token.name)).await? {
            tx.revoke_token(&old.id, now).await?;
            tx.insert_audit(&self.inner.token_event(&call, "token.revoke", &old)).await?;
        }
        tx.put_meta(INITIALISED, now.to_string().as_bytes()).await?;
        tx.insert_token(token).await?;
        tx.insert_audit(&self.inner.token_event(&call, "token.create", token)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A certificate for the server's own TLS from the built-in service CA (made when missing, renewed when a third of
    /// its life is left), valid for these names (DNS or IP). Goes through [`crate::issuance`] like any other.
    pub async fn server_certificate(&self, names: &[String]) -> Result<ServerCertificate, Error> {
        let call = Call::system("service-tls");
        let ca = self.service_ca(&call).await?;
        let names = names
            .iter()
            .map(|one| San::parse(one).map_err(|invalid| Error::invalid("/tls/names", invalid)))
            .collect::<Result<Vec<San>, Error>>()?;
        let request = IssueRequest {
            subject: Subject { subject: Some(common_name("Certwright server", None)?), names: Some(names) },
            profile: Some(Reference::from(&name("tls-server")?)),
            key_algorithm: Some(KeyAlgorithm::EcdsaP256),
            validity: lasting(SERVER_VALIDITY),
        };
        let issued = self.issue(&call, &ca, request).await?;
        let root =
            issued.above.der().last().ok_or_else(|| Error::Internal("the service CA has no certificate".into()))?;
        let chain = issued.chain().into_iter().map(<[u8]>::to_vec).collect();
        let key = issued.private_key.ok_or_else(|| Error::Internal("no key was made".into()))?;
        Ok(ServerCertificate { root_pem: to_pem("CERTIFICATE", root), chain, key, renew_at: issued.row.renew_at })
    }

    async fn service_ca(&self, call: &Call) -> Result<Reference, Error> {
        let reference = Reference::from(&name(SERVICE)?);
        let known = self.inner.store.read().await?.ca(&reference).await?;
        match known {
            Some(ca) => self.renew_service_ca(call, &ca, &reference).await?,
            None => match self.make_service_ca(call).await {
                Ok(_) => {}
                Err(conflict @ Error::Conflict { .. }) => {
                    // Another node that starts at the same time took the name or the key; its CA is as good.
                    if self.inner.store.read().await?.ca(&reference).await?.is_none() {
                        return Err(conflict);
                    }
                }
                Err(other) => return Err(other),
            },
        }
        Ok(reference)
    }

    async fn make_service_ca(&self, call: &Call) -> Result<CaView, Error> {
        let vault = name(SERVICE)?;
        match self.make_vault(call, vault.clone(), true).await {
            Ok(_) | Err(Error::Conflict { code: "name_taken", .. }) => {}
            Err(other) => return Err(other),
        }
        let vault = Reference::from(&vault);
        self.key_named(call, &vault, SERVICE, KeyAlgorithm::EcdsaP256).await?;
        let own = OwnKey {
            vault: vault.clone(),
            key: vault,
            subject: common_name("Certwright service CA", None)?,
            signature_algorithm: None,
        };
        let new = NewCa {
            name: name(SERVICE)?,
            kind: NewCaKind::Root(own, lasting(SERVICE_CA_VALIDITY)),
            rules: NewRules { path_length: Some(0), ..NewRules::default() },
            revocation: RevocationSettings { crl_enabled: false, ocsp_enabled: false, ..RevocationSettings::default() },
            publication: None,
            exportable: false,
        };
        self.make_ca(call, new, true).await
    }

    /// The same key keeps old copies of `tls/ca.pem` working.
    async fn renew_service_ca(&self, call: &Call, ca: &Ca, reference: &Reference) -> Result<(), Error> {
        let current = ca.versions.current.unwrap_or(ca.versions.latest);
        let version = self.inner.store.read().await?.ca_version(&ca.id, current).await?;
        let third = Span::from_ms(SERVICE_CA_VALIDITY.ms() / 3);
        let due = version.and_then(|v| v.validity).is_none_or(|v| v.not_after().minus(third) <= self.inner.clock.now());
        if due {
            let renew = RenewCa { validity: lasting(SERVICE_CA_VALIDITY), rotate_key: false, make_current: true };
            self.renew_ca(call, reference, renew).await?;
        }
        Ok(())
    }

    /// Vault, keys, root (ten years) and issuing CA (five), a first certificate that is issued and verified. What an
    /// interrupted run has left is taken up.
    pub async fn quickstart(&self, wish: &Quickstart) -> Result<QuickstartReport, Error> {
        let call = Call::system("quickstart");
        let organization = wish.organization.as_deref();
        let vault = name("default")?;
        match self.make_vault(&call, vault.clone(), false).await {
            Ok(_) | Err(Error::Conflict { code: "name_taken", .. }) => {}
            Err(other) => return Err(other),
        }
        let vault = Reference::from(&vault);
        let root_key = self.key_named(&call, &vault, "root-key", KeyAlgorithm::EcdsaP384).await?;
        let issuing_key = self.key_named(&call, &vault, "issuing-key", KeyAlgorithm::EcdsaP256).await?;
        let root_name = name("root")?;
        let own = |key: Reference, subject: &str| -> Result<OwnKey, Error> {
            let subject = common_name(subject, organization)?;
            Ok(OwnKey { vault: vault.clone(), key, subject, signature_algorithm: None })
        };
        let root = self
            .ca_named(
                &call,
                NewCa {
                    name: root_name.clone(),
                    kind: NewCaKind::Root(own(root_key, "Certwright Root")?, lasting(Span::from_days(3652))),
                    rules: NewRules {
                        path_length: Some(1),
                        subordinate_max_validity: Some(Span::from_days(1826)),
                        ..NewRules::default()
                    },
                    revocation: RevocationSettings::default(),
                    publication: None,
                    exportable: false,
                },
            )
            .await?;
        let issuing = self
            .ca_named(
                &call,
                NewCa {
                    name: name("issuing-1")?,
                    kind: NewCaKind::Subordinate(
                        own(issuing_key, "Certwright Issuing 1")?,
                        lasting(Span::from_days(1826)),
                        Reference::from(&root_name),
                    ),
                    rules: NewRules { path_length: Some(0), ..NewRules::default() },
                    revocation: RevocationSettings::default(),
                    publication: None,
                    exportable: false,
                },
            )
            .await?;
        let acme = self.directory_named(&call, &issuing.ca.name).await?;
        let first = San::parse(&wish.dns_name).map_err(|invalid| Error::invalid("/name", invalid))?;
        let request = IssueRequest {
            subject: Subject { subject: Some(common_name(&wish.dns_name, None)?), names: Some(vec![first]) },
            profile: None,
            key_algorithm: None,
            validity: RequestedValidity::DEFAULT,
        };
        let issued = self.issue(&call, &Reference::from(&issuing.ca.name), request).await?;
        let root_der = verify_chain(&issued.chain(), issued.above.der())?;
        let until = |view: &CaView| {
            view.version
                .as_ref()
                .and_then(|v| v.version.validity)
                .map(|v| v.not_after().to_string())
                .unwrap_or_default()
        };
        Ok(QuickstartReport {
            made: vec![
                ("vault".into(), "default".into()),
                ("keys".into(), "root-key (ECDSA P-384), issuing-key (ECDSA P-256), software protection".into()),
                ("root CA".into(), format!("root, until {}", until(&root))),
                ("issuing CA".into(), format!("issuing-1, until {}, leaf certificates up to 90 days", until(&issuing))),
                ("ACME".into(), format!("{acme}, signed by {}", issuing.ca.name)),
                ("certificate".into(), format!("{}, serial {}, issued and verified", wish.dns_name, issued.row.serial)),
            ],
            first_certificate: issued.chain().into_iter().map(|der| to_pem("CERTIFICATE", der)).collect(),
            root: to_pem("CERTIFICATE", &root_der),
            issuing_ca: issuing.ca.name.to_string(),
        })
    }

    /// A key of this name, made when missing.
    async fn key_named(
        &self,
        call: &Call,
        vault: &Reference,
        key: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<Reference, Error> {
        let key = name(key)?;
        let new = NewKey { name: key.clone(), algorithm, protection: Protection::Software };
        match self.create_key(call, vault, new).await {
            Ok(_) | Err(Error::Conflict { code: "name_taken", .. }) => Ok(Reference::from(&key)),
            Err(other) => Err(other),
        }
    }

    /// The ACME directory of a first set-up, made when missing; its URL. Machines on private addresses are what it is for.
    async fn directory_named(&self, call: &Call, ca: &ResourceName) -> Result<String, Error> {
        let profile = RawProfile {
            name: ACME_PROFILE.to_owned(),
            description: "Servers that prove by ACME which names are theirs.".to_owned(),
            usages: vec!["serverAuth".to_owned()],
            key_holders: vec!["REQUESTER".to_owned()],
            names: RawNameLimits {
                dns: Some(vec!["*".to_owned()]),
                wildcards: true,
                ip: Some(vec!["*".to_owned()]),
                required: true,
                common_name_in_names: true,
                subject: Some(vec!["commonName".to_owned()]),
                ..RawNameLimits::default()
            },
            ..RawProfile::default()
        };
        match self.create_profile(call, profile).await {
            Ok(_) | Err(Error::Conflict { code: "name_taken", .. }) => {}
            Err(other) => return Err(other),
        }
        let settings = RawDirectory {
            name: ACME_DIRECTORY.to_owned(),
            profiles: vec![ACME_PROFILE.to_owned(), "tls-server".to_owned(), "tls-server-or-client".to_owned()],
            description: "For every ACME client that can reach this server.".to_owned(),
            allowed_private_ranges: PRIVATE_RANGES.map(str::to_owned).to_vec(),
            reuse_authorizations: true,
            enabled: true,
            ..RawDirectory::default()
        };
        let directory =
            match self.create_acme_directory(call, NewAcmeDirectory { ca: Reference::from(ca), settings }).await {
                Err(Error::Conflict { code: "name_taken", .. }) => {
                    self.acme_directory(call, &by_id(ACME_DIRECTORY)?).await?
                }
                other => other?,
            };
        Ok(self.acme_directory_url(&directory))
    }

    /// A CA of this name, made when missing.
    async fn ca_named(&self, call: &Call, new: NewCa) -> Result<CaView, Error> {
        let reference = Reference::from(&new.name);
        match self.make_ca(call, new, false).await {
            Err(Error::Conflict { code: "name_taken", .. }) => self.ca(call, &reference).await,
            other => other,
        }
    }
}

/// Checks every link from the leaf to the self-signed end; returns the root.
fn verify_chain(chain: &[&[u8]], ca_chain: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let leaf = chain.first().ok_or_else(|| Error::Internal("an issued certificate without bytes".into()))?;
    let mut below = read_certificate(leaf)?;
    for der in ca_chain {
        let upper = read_certificate(der)?;
        check_issued_by(&below, &upper).map_err(|invalid| Error::Internal(invalid.detail))?;
        below = upper;
    }
    check_issued_by(&below, &below).map_err(|invalid| Error::Internal(invalid.detail))?;
    Ok(below.der)
}

fn lasting(span: Span) -> RequestedValidity {
    RequestedValidity { not_before: None, end: RequestedEnd::Duration(span) }
}

/// The user of the administrator token; the token has the same name.
fn admin() -> Result<PrincipalName, Error> {
    PrincipalName::parse(ADMIN).map_err(|invalid| Error::Internal(invalid.detail))
}

fn name(text: &str) -> Result<ResourceName, Error> {
    ResourceName::parse(text).map_err(|invalid| Error::invalid("/name", invalid))
}

fn common_name(common_name: &str, organization: Option<&str>) -> Result<DistinguishedName, Error> {
    let mut attributes = Vec::new();
    if let Some(organization) = organization {
        let attribute = Attribute::parse(AttributeType::Organization, organization);
        attributes.push(attribute.map_err(|invalid| Error::invalid("/organization", invalid))?);
    }
    let attribute = Attribute::parse(AttributeType::CommonName, common_name);
    attributes.push(attribute.map_err(|invalid| Error::invalid("/name", invalid))?);
    DistinguishedName::new(attributes).map_err(|invalid| Error::invalid("/subject", invalid))
}
