//! Places, messages, and openssl as the other program that must agree.

use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::id::{KeyId, VaultId};
use certwright_domain::secret::SecretBytes;
use certwright_keystore::KeyPlace;
use std::path::PathBuf;
use std::process::Command;

pub(crate) const MESSAGE: &[u8] = b"to be signed: not a digest, but the message itself";

pub(crate) fn vault(number: char) -> VaultId {
    VaultId::parse(&format!("vault_01JD8XK4M2W7Z3T5V9YQ6B1C0{number}")).unwrap()
}

pub(crate) fn key(number: char) -> KeyId {
    KeyId::parse(&format!("key_01JD8XK4M2W7Z3T5V9YQ6B1C0{number}")).unwrap()
}

pub(crate) fn place(algorithm: KeyAlgorithm) -> KeyPlace {
    KeyPlace { vault_id: vault('1'), key_id: key('1'), version: 1, algorithm }
}

/// A folder for one openssl run.
pub(crate) struct OpenSsl(tempfile::TempDir);

impl OpenSsl {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs `openssl` in the folder; its output, or what it complained about.
    pub(crate) fn try_run(&self, arguments: &str) -> Result<Vec<u8>, String> {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)))
        }
    }

    pub(crate) fn run(&self, arguments: &str) -> Vec<u8> {
        self.try_run(arguments).unwrap()
    }
}

/// Runs openssl once and takes its output as a private key.
pub(crate) fn made_by_openssl(arguments: &str) -> SecretBytes {
    SecretBytes::new(OpenSsl::new().run(arguments))
}

/// Does openssl accept the signature?
pub(crate) fn openssl_verifies(
    algorithm: SignatureAlgorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let openssl = OpenSsl::new();
    openssl.file("public.der", public_key);
    openssl.file("message", message);
    openssl.file("signature", signature);
    let digest = match algorithm {
        SignatureAlgorithm::Sha256WithRsa | SignatureAlgorithm::Sha256WithEcdsa => "sha256",
        SignatureAlgorithm::Sha384WithRsa | SignatureAlgorithm::Sha384WithEcdsa => "sha384",
        SignatureAlgorithm::Sha512WithRsa | SignatureAlgorithm::Sha512WithEcdsa => "sha512",
        SignatureAlgorithm::Ed25519 => {
            let verify = "pkeyutl -verify -pubin -keyform DER -inkey public.der -rawin -in message -sigfile signature";
            return openssl.try_run(verify).is_ok();
        }
    };
    let verify = format!("dgst -{digest} -keyform DER -verify public.der -signature signature message");
    openssl.try_run(&verify).is_ok()
}

/// Does aws-lc accept the signature?
pub(crate) fn aws_lc_verifies(
    algorithm: SignatureAlgorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    use aws_lc_rs::signature as s;
    let verifier: &dyn s::VerificationAlgorithm = match algorithm {
        SignatureAlgorithm::Sha256WithRsa => &s::RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::Sha384WithRsa => &s::RSA_PKCS1_2048_8192_SHA384,
        SignatureAlgorithm::Sha512WithRsa => &s::RSA_PKCS1_2048_8192_SHA512,
        SignatureAlgorithm::Sha256WithEcdsa => &s::ECDSA_P256_SHA256_ASN1,
        SignatureAlgorithm::Sha384WithEcdsa => &s::ECDSA_P384_SHA384_ASN1,
        SignatureAlgorithm::Sha512WithEcdsa => &s::ECDSA_P521_SHA512_ASN1,
        SignatureAlgorithm::Ed25519 => &s::ED25519,
    };
    s::UnparsedPublicKey::new(verifier, public_key).verify(message, signature).is_ok()
}

/// What `openssl pkey -text` says first about a public key of this kind.
pub(crate) fn described(algorithm: KeyAlgorithm) -> &'static [&'static str] {
    match algorithm {
        KeyAlgorithm::Rsa2048 => &["Public-Key: (2048 bit)", "Exponent: 65537"],
        KeyAlgorithm::Rsa3072 => &["Public-Key: (3072 bit)", "Exponent: 65537"],
        KeyAlgorithm::Rsa4096 => &["Public-Key: (4096 bit)", "Exponent: 65537"],
        KeyAlgorithm::EcdsaP256 => &["Public-Key: (256 bit)", "NIST CURVE: P-256"],
        KeyAlgorithm::EcdsaP384 => &["Public-Key: (384 bit)", "NIST CURVE: P-384"],
        KeyAlgorithm::EcdsaP521 => &["Public-Key: (521 bit)", "NIST CURVE: P-521"],
        KeyAlgorithm::Ed25519 => &["ED25519 Public-Key"],
        KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => &[],
    }
}
