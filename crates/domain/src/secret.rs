//! Values that must never be printed.

use zeroize::{Zeroize, Zeroizing};

/// A secret value: no `Debug`, no `Display`, no serialization, wiped when dropped.
/// [`Secret::expose`] is the one way in, so that a search for the word lists every place that looks.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of the secret.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Looks at the secret.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

/// Secret bytes: a private key, a passphrase, a token.
pub type SecretBytes = Secret<Vec<u8>>;
/// Secret text, for example a PEM private key.
pub type SecretText = Secret<String>;
