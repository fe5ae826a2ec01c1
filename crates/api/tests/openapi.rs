//! `openapi.yaml` at the top of the repository is what the code says.

use std::path::Path;

/// Set it to `1` to write the file anew.
const UPDATE: &str = "UPDATE_GENERATED";

#[test]
fn openapi_yaml_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.yaml");
    let generated = certwright_api::openapi_yaml();
    assert!(generated.starts_with("openapi: 3.1"), "{}", generated.lines().next().unwrap_or_default());
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        std::fs::write(&path, &generated).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = stored.lines().zip(generated.lines()).position(|(a, b)| a != b);
    assert!(
        stored == generated,
        "openapi.yaml is stale (first difference in line {:?}); run `{UPDATE}=1 cargo test -p certwright-api --test openapi`",
        difference.map(|line| line + 1)
    );
}

#[test]
fn the_document_is_the_same_every_time() {
    assert_eq!(certwright_api::openapi_yaml(), certwright_api::openapi_yaml());
}
