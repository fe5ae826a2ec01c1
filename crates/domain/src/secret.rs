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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::{Debug, Display};
    use std::marker::PhantomData;

    trait Otherwise {
        const YES: bool = false;
    }

    /// Asks whether a type implements a trait: an inherent constant goes before that of a trait.
    macro_rules! implements {
        ($type:ty: $bound:path) => {{
            struct Probe<T>(PhantomData<T>);
            impl<T> Otherwise for Probe<T> {}
            impl<T: $bound> Probe<T> {
                const YES: bool = true;
            }
            let _ = Probe::<$type>(PhantomData);
            assert!(<Probe<String>>::YES, "the probe finds what is there");
            <Probe<$type>>::YES
        }};
    }

    #[test]
    fn secrets_are_not_printed_compared_or_hashed() {
        assert!(!implements!(SecretBytes: Debug) && !implements!(SecretText: Debug));
        assert!(!implements!(SecretText: Display) && !implements!(SecretText: ToString));
        assert!(!implements!(SecretBytes: PartialEq) && !implements!(SecretText: PartialEq));
        assert!(!implements!(SecretText: PartialOrd) && !implements!(SecretBytes: std::hash::Hash));
    }
}
