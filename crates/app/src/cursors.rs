//! Cursors as callers see them: sealed under the root key, because where a page ended may be a row that they may not see.

use crate::{App, Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::key::SealedBlob;

/// Associated data of a sealed cursor.
const PLACE: &str = "cursor";
/// Longer texts are not ours: the longest cursor of the store holds a name (255) and an id.
const MAX_TEXT: usize = 1024;

impl App {
    /// Where a page ended, for the caller; every node with the same root keys reads it.
    pub fn seal_cursor(&self, next: &str) -> Result<String, Error> {
        Ok(URL_SAFE_NO_PAD.encode(self.inner.keys.seal(PLACE, next.as_bytes())?.0))
    }

    /// What was sealed; `None`: not ours, or its root key is gone.
    pub fn open_cursor(&self, text: &str) -> Option<String> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let sealed = SealedBlob(URL_SAFE_NO_PAD.decode(text).ok()?);
        let opened = self.inner.keys.open(PLACE, &sealed).ok()?;
        std::str::from_utf8(opened.expose()).ok().map(str::to_owned)
    }
}
