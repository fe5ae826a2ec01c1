//! Root keys: status and rotation.
use crate::{App, Call, Error};

/// What each root key still seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootKeyStatus {
    /// Id of the key that seals.
    pub current: String,
    /// Every loaded or still needed key with the number of vault-key versions sealed under it, newest first.
    pub keys: Vec<(String, u64)>,
}

impl App {
    /// Root keys and what they seal.
    pub async fn root_keys(&self, call: &Call) -> Result<RootKeyStatus, Error> {
        let _ = call;
        todo!()
    }
    /// Makes a new root key (`file` only); the background job re-wraps the vaults' keys.
    pub async fn rotate_root_key(&self, call: &Call) -> Result<RootKeyStatus, Error> {
        let _ = call;
        todo!()
    }
}
