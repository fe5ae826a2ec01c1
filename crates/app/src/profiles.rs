//! Profiles: the built-in ones and operators' own.
use crate::{App, Call, Error};
use certwright_domain::name::Reference;
use certwright_domain::profile::{RawProfile, StoredProfile};
use certwright_store::{Page, PageRequest};

impl App {
    /// Makes a profile; a built-in name is taken.
    pub async fn create_profile(&self, call: &Call, raw: RawProfile) -> Result<StoredProfile, Error> {
        let _ = (call, raw);
        todo!()
    }
    /// Profiles: on the first page the built-in ones come first.
    pub async fn profiles(&self, call: &Call, page: &PageRequest) -> Result<Page<StoredProfile>, Error> {
        let _ = (call, page);
        todo!()
    }
    /// One profile.
    pub async fn profile(&self, call: &Call, profile: &Reference) -> Result<StoredProfile, Error> {
        let _ = (call, profile);
        todo!()
    }
    /// Replaces a profile; `if_match` is required ([`Error::PreconditionRequired`]).
    pub async fn replace_profile(
        &self,
        call: &Call,
        profile: &Reference,
        raw: RawProfile,
        if_match: Option<i64>,
    ) -> Result<StoredProfile, Error> {
        let _ = (call, profile, raw, if_match);
        todo!()
    }
    /// Deletes a profile; `if_match` is checked when given.
    pub async fn delete_profile(&self, call: &Call, profile: &Reference, if_match: Option<i64>) -> Result<(), Error> {
        let _ = (call, profile, if_match);
        todo!()
    }
}
