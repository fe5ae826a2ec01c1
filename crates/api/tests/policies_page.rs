//! The tables of docs/policies.md are what the code says.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is its failure")]

use certwright_app::{Background, Needs, OPERATIONS, Permission};
use certwright_domain::policy::{FAMILIES, ResourceType, VARIABLES, Verb};
use std::fmt::Write as _;
use std::path::Path;

/// Set it to `1` to write the tables anew.
const UPDATE: &str = "UPDATE_GENERATED";

fn listed(permissions: &[Permission]) -> String {
    permissions.iter().map(|permission| format!("`{}`", permission.as_str())).collect::<Vec<_>>().join(", ")
}

fn variables() -> String {
    let mut table = "| Variable | |\n|---|---|\n".to_owned();
    for variable in VARIABLES {
        writeln!(table, "| `{}` | {} |", variable.name, variable.meaning).unwrap();
    }
    table
}

fn operations() -> String {
    let mut table = "| Operation | Needs |\n|---|---|\n".to_owned();
    for operation in OPERATIONS {
        let needs = match operation.needs {
            Needs::Nothing => continue,
            Needs::Caller => "any caller".to_owned(),
            Needs::Enrollment => "an enrolment token".to_owned(),
            Needs::Certificate => "a client certificate of ours".to_owned(),
            Needs::Permissions(permissions) => listed(permissions),
        };
        writeln!(table, "| `{}` | {needs} |", operation.id).unwrap();
    }
    table
}

fn background() -> String {
    let mut table = "| Action | Needs |\n|---|---|\n".to_owned();
    for action in Background::ALL {
        let needs = match action {
            Background::Local => "everything: whoever starts the server has its data folder in hand".to_owned(),
            _ => listed(action.permissions()),
        };
        writeln!(table, "| `{}` | {needs} |", action.as_str()).unwrap();
    }
    table
}

/// Puts a table between its marks.
fn put(page: &str, name: &str, table: &str) -> String {
    let (before, rest) = page.split_once(&format!("<!-- generated: {name} -->\n")).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}<!-- generated: {name} -->\n{table}<!-- end -->{after}")
}

#[test]
fn the_page_about_policies_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies.md");
    let stored = std::fs::read_to_string(&path).unwrap();
    let page = put(&stored, "variables", &variables());
    let page = put(&page, "operations", &operations());
    let page = put(&page, "background", &background());
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(
        stored == page,
        "docs/policies.md is stale; run `{UPDATE}=1 cargo test -p certwright-api --test policies_page`"
    );
    let words = ResourceType::ALL.iter().map(|kind| kind.as_str());
    let words = words.chain(FAMILIES.iter().map(|(name, _)| *name)).chain(Verb::ALL.map(Verb::as_str));
    for word in words {
        assert!(page.contains(&format!("| `{word}` |")), "{word} is missing");
    }
}
