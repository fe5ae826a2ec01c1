//! Pages of the lists that are ordered by name. Keyset paging: the cursor is the last row's key, never an offset.

use super::{Error, Result};
use crate::{Page, PageRequest, cursor};
use certwright_domain::id::looks_like_id;
use certwright_domain::name::ResourceName;
use certwright_domain::principal::PrincipalName;

/// Items of a page: 1 to 500.
pub(super) fn clamp(page: &PageRequest) -> usize {
    usize::try_from(page.limit.clamp(1, 500)).unwrap_or(500)
}

/// One more than the page holds, to see whether another page follows.
pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX)
}

/// Name and id that the page begins after; the first page begins after two empty texts.
pub(super) fn names_after(list: &'static str, page: &PageRequest) -> Result<(String, String)> {
    let Some(after) = &page.after else { return Ok((String::new(), String::new())) };
    let [name, id] = cursor::decode(list, after)?;
    if ResourceName::parse(&name).is_err() || !looks_like_id(&id) {
        return Err(Error::BadCursor);
    }
    Ok((name, id))
}

/// The cursor of a row of such a list.
pub(super) fn name_cursor(list: &'static str, name: &str, id: &str) -> String {
    cursor::encode(list, &[name, id])
}

/// The page from up to one row too many.
pub(super) fn name_page<T>(mut items: Vec<T>, page: &PageRequest, cursor_of: impl Fn(&T) -> String) -> Page<T> {
    let limit = clamp(page);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor_of);
    Page { items, next }
}

/// The name that a page of a list with unique names begins after.
pub(super) fn name_after(list: &'static str, page: &PageRequest) -> Result<String> {
    let Some(after) = &page.after else { return Ok(String::new()) };
    let [name] = cursor::decode(list, after)?;
    if PrincipalName::parse(&name).is_err() { Err(Error::BadCursor) } else { Ok(name) }
}

/// The page from up to one row too many of such a list.
pub(super) fn by_name<T>(list: &'static str, items: Vec<T>, page: &PageRequest, name: impl Fn(&T) -> &str) -> Page<T> {
    name_page(items, page, |item| cursor::encode(list, &[name(item)]))
}

/// The id that a page ordered by id begins after, if it is not the first.
pub(super) fn id_after(list: &'static str, page: &PageRequest) -> Result<Option<String>> {
    let Some(after) = &page.after else { return Ok(None) };
    let [id] = cursor::decode(list, after)?;
    if looks_like_id(&id) { Ok(Some(id)) } else { Err(Error::BadCursor) }
}
