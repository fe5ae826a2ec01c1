//! Does a serial stand in a CRL twice? Readers would each pick another of the two entries.

use super::Fault;
use super::entries::Entries;
use std::collections::HashSet;

/// Refuses a list with the same serial twice, in whatever order it is. Takes eight octets of memory for an entry: only of
/// serials whose last eight octets are those of another are the rest compared.
pub(super) fn refuse<'a>(entries: impl Fn() -> Entries<'a>) -> Result<(), Fault> {
    let mut endings = Vec::new();
    let mut reader = entries();
    while let Some(entry) = reader.next()? {
        endings.push(ending(entry.serial));
    }
    endings.sort_unstable();
    let alike: HashSet<u64> = endings.array_windows().filter(|[one, next]| one == next).map(|[one, _]| *one).collect();
    drop(endings);
    if alike.is_empty() {
        return Ok(());
    }
    let mut serials = Vec::new();
    let mut reader = entries();
    while let Some(entry) = reader.next()? {
        if alike.contains(&ending(entry.serial)) {
            serials.push(entry.serial);
        }
    }
    serials.sort_unstable();
    if serials.array_windows().any(|[one, next]| one == next) {
        return Err(Fault::malformed("a serial number stands there twice"));
    }
    Ok(())
}

/// The last eight octets.
fn ending(serial: &[u8]) -> u64 {
    serial.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet))
}
