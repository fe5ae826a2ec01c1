//! The two things the pure parts take as parameters, as the seams that services hold.

use crate::time::Timestamp;

/// Tells the time. The one implementation that looks at the system clock lives in `server`.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Gives random bytes for ids, serials, tokens and spreads. (Private keys take theirs from the crypto library.)
pub trait Entropy: Send + Sync {
    /// Fills the buffer with bytes that nobody can predict.
    fn fill(&self, buffer: &mut [u8]);
}

/// Ten random bytes for an id.
pub fn id_entropy(entropy: &dyn Entropy) -> crate::id::IdEntropy {
    let mut bytes = [0; 10];
    entropy.fill(&mut bytes);
    bytes
}
