//! Stages as OCI has them.

use super::*;
use Stage::{Current, Deprecated, Failed, Latest, Pending, Previous};

fn pointers(current: Option<u32>, previous: Option<u32>, latest: u32) -> VersionPointers {
    VersionPointers { current, previous, latest }
}

#[test]
fn stages() {
    let table: &[(VersionPointers, u32, &[Stage])] = &[
        (pointers(Some(1), None, 1), 1, &[Current, Latest]),
        (pointers(Some(3), Some(2), 3), 3, &[Current, Latest]),
        (pointers(Some(3), Some(2), 3), 2, &[Previous]),
        (pointers(Some(3), Some(2), 3), 1, &[Deprecated]),
        (pointers(Some(2), Some(1), 4), 4, &[Pending, Latest]),
        (pointers(Some(2), Some(1), 4), 3, &[Pending]),
        (pointers(None, None, 1), 1, &[Pending, Latest]),
        // After going back from 3 to 2, version 3 is the newest and the one before, not waiting.
        (pointers(Some(2), Some(3), 3), 3, &[Latest, Previous]),
    ];
    for (pointers, number, expected) in table {
        assert_eq!(pointers.stages(*number, false), *expected, "{pointers:?} {number}");
        assert_eq!(pointers.stages(*number, true), [Failed]);
    }
}

#[test]
fn taking_into_use() {
    for (before, number, after) in [
        (pointers(Some(2), Some(1), 3), 3, Some(pointers(Some(3), Some(2), 3))),
        (pointers(Some(2), Some(1), 3), 1, Some(pointers(Some(1), Some(2), 3))),
        (pointers(None, None, 1), 1, Some(pointers(Some(1), None, 1))),
        (pointers(Some(2), Some(1), 3), 2, None),
        (pointers(Some(3), Some(2), 3), 1, None),
        (pointers(Some(2), Some(1), 3), 0, None),
        (pointers(Some(2), Some(1), 3), 4, None),
    ] {
        assert_eq!(before.make_current(number), after, "{before:?} {number}");
    }
}
