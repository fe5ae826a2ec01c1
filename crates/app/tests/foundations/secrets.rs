//! Whoever steals the database has no secret that opens anything (A34), and secrets are compared in one place (A35).

use crate::cas::root;
use crate::common::{TestApp, call, name, to};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certwright_app::{Error, NewEabKey, NewEnrollmentToken, NewToken, NewWebhook, sha256};
use certwright_domain::acme::RawDirectory;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::san::San;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Characters of the secret part of a token.
const SECRET: usize = 43;

/// Prefix, ULID and secret part of a token's text.
fn parts(text: &str) -> (&str, &str, &str) {
    (&text[..4], &text[4..30], &text[31..31 + SECRET])
}

/// A token's text with this secret part; the checksum is made as anybody could make it.
fn token_with(prefix: &str, ulid: &str, secret: &str) -> String {
    let body = format!("{prefix}{ulid}_{secret}");
    format!("{body}{}", &URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes()))[..6])
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_stolen_database_opens_nothing() {
    let app = TestApp::sqlite().await;
    app.app.create_vault(&call(), name("v")).await.unwrap();
    root(&app, "root").await;
    let new = NewToken { name: name("ci"), user: None, expires_at: None, scopes: Vec::new() };
    let api = app.app.create_token(&call(), new).await.unwrap().1.expose().clone();
    app.app.authenticate(&api).await.unwrap();
    let new = NewEnrollmentToken {
        name: name("web"),
        ca: to("root"),
        profile: None,
        names: vec![San::parse("web.example.com").unwrap()],
        uses: None,
        expires_at: None,
        lifetime: None,
    };
    let enrollment = app.app.create_enrollment_token(&call(), new).await.unwrap().1.expose().clone();
    app.app.authenticate_enrollment(&enrollment).await.unwrap();
    let url = HttpUrl::parse("https://hooks.example.com/").unwrap();
    let hook = NewWebhook { name: name("hook"), url, kinds: Vec::new(), enabled: true };
    let hook = app.app.create_webhook(&call(), hook).await.unwrap().1.expose().clone();
    let settings = RawDirectory {
        name: "default".to_owned(),
        profiles: vec!["tls-server".to_owned()],
        enabled: true,
        ..RawDirectory::default()
    };
    let directory = certwright_app::NewAcmeDirectory { ca: to("root"), settings };
    app.app.create_acme_directory(&call(), directory).await.unwrap();
    let new = NewEabKey { name: name("eab"), directory: to("default"), names: None, uses: None, expires_at: None };
    let binding = app.app.create_eab_key(&call(), new).await.unwrap().2.expose().clone();
    let nonce = app.app.new_acme_nonce().await.unwrap();
    app.app.settle().await;
    let dump = app.bytes_on_disk();

    // None of them stands there, as it was given or as bytes.
    let hook = hook.strip_prefix("whsec_").unwrap().to_owned();
    let bytes = [STANDARD.decode(&hook).unwrap(), URL_SAFE_NO_PAD.decode(&binding).unwrap()];
    let texts = [parts(&api).2, parts(&enrollment).2, &hook, &binding, &nonce];
    for secret in texts.iter().map(|text| text.as_bytes()).chain(bytes.iter().map(Vec::as_slice)) {
        assert!(!holds(&dump, secret), "a secret stands in the database");
    }
    assert!(holds(&dump, parts(&api).1.as_bytes()), "the search finds the id");

    // Nothing that stands there, cut anywhere, is what a stored hash was made of.
    let hashes = BTreeSet::from([&api, &enrollment].map(|text| sha256(&[parts(text).2.as_bytes()]).0));
    assert!(hashes.iter().all(|hash| holds(&dump, hash)), "the hashes are what is stored");
    let is_text = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut windows = 0_u64;
    for run in dump.split(|byte| !is_text(byte)).filter(|run| run.len() >= SECRET) {
        for window in run.windows(SECRET) {
            windows += 1;
            assert!(!hashes.contains(&sha256(&[window]).0));
        }
    }
    assert!(windows > 100, "{windows}");

    // And a hash is not what it is the hash of.
    for text in [&api, &enrollment] {
        let (prefix, ulid, secret) = parts(text);
        assert_eq!(token_with(prefix, ulid, secret), **text, "this is how tokens are put together");
        let hash = sha256(&[secret.as_bytes()]).0;
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        for stolen in
            [URL_SAFE_NO_PAD.encode(hash), STANDARD.encode(hash)[..SECRET].to_owned(), hex[..SECRET].to_owned()]
        {
            let forged = token_with(prefix, ulid, &stolen);
            let refused = (app.app.authenticate(&forged).await, app.app.authenticate_enrollment(&forged).await);
            assert!(matches!(refused, (Err(Error::Unauthenticated { .. }), Err(Error::Unauthenticated { .. }))));
        }
    }
}

/// Source files of a crate, without their tests.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                if !path.ends_with("tests.rs") {
                    found.push((path, code));
                }
            }
        }
    }
    found
}

#[test]
fn secrets_are_compared_in_one_place_and_in_constant_time() {
    let (mut lines, mut comparing) = (0_u32, BTreeSet::new());
    for name in ["acme", "api", "app", "keystore", "server", "store", "validation"] {
        for (path, text) in sources(name) {
            if text.contains("verify_slices_are_equal(") {
                comparing.insert(format!("{name}/{}", path.file_name().unwrap().to_str().unwrap()));
            }
            for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
                let secret = ["secret_sha256", ".expose()", "secret_hash", "hmac_key", "mac_key"];
                if secret.iter().any(|word| line.contains(word)) {
                    lines += 1;
                    let compared = [" == ", " != ", ".eq(", "assert"].iter().any(|word| line.contains(word));
                    assert!(!compared, "{}: {line}", path.display());
                }
            }
        }
    }
    assert!(lines > 50, "{lines}");
    // Authenticators of nonces; tokens; what an ACME client shows as its proof. Bindings are verified by `hmac::verify`.
    let expected = ["app/nonces.rs", "app/text.rs", "validation/dns01.rs", "validation/http01.rs"];
    assert_eq!(comparing.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let callers = sources("app").into_iter().filter(|(_, text)| text.contains("text::fits(")).count();
    assert_eq!(callers, 2, "API tokens and enrolment tokens");
}

/// What comes and goes as a secret has the type of one: it is wiped, and not printed with the rest of a body.
#[test]
fn fields_with_secrets_have_the_type_of_secrets() {
    let mut fields = 0_u32;
    for (path, text) in sources("wire") {
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("pub ")) {
            let Some((field, kind)) = line.trim_start_matches("pub ").split_once(": ") else { continue };
            let secret = ["password", "passphrase", "private_key", "secret", "token", "hmac_key", "pkcs12"];
            // `whoami` tells the name of the token.
            if secret.contains(&field) && !(path.ends_with("token.rs") && kind == "Option<String>,") {
                fields += 1;
                assert!(kind.contains("SecretText"), "{}: {line}", path.display());
            }
        }
    }
    assert!(fields >= 15, "{fields}");
}
