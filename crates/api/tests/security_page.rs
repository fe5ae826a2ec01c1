//! docs/security.md names files and tests that are there.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The rows that the page must have.
const ROWS: [&str; 23] = [
    "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A26", "A33", "A34", "A35", "A36", "A37",
    "A38", "A39", "A40", "A41", "A43", "A44",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Is there a test of this name in the text of a file? In Rust a test attribute stands above it, whatever else does, too.
fn has_test(path: &str, text: &str, name: &str) -> bool {
    if path.ends_with(".py") {
        return name.starts_with("test_") && text.contains(&format!("    def {name}(self"));
    }
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above).lines().rev().take(8).map(str::trim);
    let is_over = |line: &str| line == "}" || line.ends_with("};") || line.ends_with('{');
    let mut attributes = above.take_while(|line| !is_over(line));
    attributes.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

#[test]
fn every_file_and_every_test_of_the_page_is_there() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut texts = BTreeMap::new();
    let (mut wrong, mut tests) = (Vec::new(), 0_u32);
    // What stands between back-quotes is every second part.
    for quoted in page.split('`').skip(1).step_by(2) {
        let (path, test) = quoted.split_once("::").map_or((quoted, None), |(path, test)| (path, Some(test)));
        let is_file = path.contains('/') && [".rs", ".py"].iter().any(|end| path.ends_with(end));
        if !is_file {
            continue;
        }
        let text = texts
            .entry(path.to_owned())
            .or_insert_with(|| std::fs::read_to_string(root().join(path)).unwrap_or_default());
        if text.is_empty() {
            wrong.push(format!("{path} is not there"));
        } else if let Some(name) = test {
            tests = tests.saturating_add(1);
            if !has_test(path, text, name) {
                wrong.push(format!("{path} has no test {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tests >= 80, "{tests}");
    for row in ROWS {
        let line = page.lines().find(|line| line.starts_with(&format!("| {row} |")));
        assert!(line.is_some_and(|line| line.contains("::")), "{row} has a line with a test");
    }
}

#[test]
fn a_test_that_is_none_is_not_taken_for_one() {
    let text = "#[test]\nfn one() {\n}\n\nfn helper() {\n}\n#[tokio::test]\n#[cfg(unix)]\nasync fn two() {\n}\n";
    assert!(has_test("a.rs", text, "one") && has_test("a.rs", text, "two"));
    assert!(!has_test("a.rs", text, "helper") && !has_test("a.rs", text, "three"));
    let python = "class A:\n    def test_a(self):\n    def helper(self):\n";
    assert!(has_test("a.py", python, "test_a") && !has_test("a.py", python, "helper"));
}
