//! Hostile bytes to the real server: request lines that two readers could read differently (A5), and texts that would like to be
//! lines of a log (A38).

use super::server::{Server, raw};
use std::collections::BTreeSet;

/// Prefixes under which something stands: of every path of the document its first two parts.
fn prefixes() -> BTreeSet<String> {
    let document = include_str!("../../../../openapi.yaml");
    let paths = document.lines().filter_map(|line| line.strip_prefix("  /")).map(|path| path.trim_end_matches(':'));
    paths
        .map(|path| {
            let parts: Vec<&str> = path.split('/').take(2).filter(|part| !part.starts_with('{')).collect();
            format!("/{}", parts.join("/"))
        })
        .collect()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn request_lines_that_could_be_read_in_two_ways_are_refused() {
    let mut server = Server::new(None);
    server.start(&["--insecure-http"]);
    let (port, token) = (server.api_port(), server.token());
    let ask = |line: &str, more: &str| {
        let head =
            format!("{line}\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{more}Connection: close\r\n\r\n");
        raw(port, head.as_bytes())
    };
    assert_eq!(status(&ask("GET /v1/whoami HTTP/1.1", "")), 200, "the plain path is answered");
    let prefixes = prefixes();
    assert!(prefixes.len() >= 25, "{prefixes:?}");
    let mut asked = 0_u32;
    for prefix in &prefixes {
        let rest = prefix.trim_start_matches('/');
        for path in [
            format!("/{prefix}"),
            format!("///{prefix}"),
            format!("/.{prefix}"),
            format!("/..{prefix}"),
            format!("/healthz/..{prefix}"),
            format!("/pki/../..{prefix}"),
            format!("/%2e%2e{prefix}"),
            format!("/%2E{prefix}"),
            format!("/%2f{rest}"),
            format!("/%5c{rest}"),
            format!("/\\{rest}"),
            format!("{prefix}/."),
            format!("{prefix}/.."),
            format!("{prefix}//"),
            format!("{prefix}/..%2f"),
            format!("{prefix}%00"),
            format!("{prefix}/%00.crt"),
            format!("{prefix}\\..\\x"),
            format!("{prefix}\u{0}"),
            format!("{prefix}\t"),
            format!("{prefix} x"),
            format!("{prefix}\u{7f}"),
            format!("{prefix}\u{1b}[31m"),
        ] {
            // What is below `/pki` may be base64; the rest of it is judged as anything else.
            let answer = ask(&format!("GET {path} HTTP/1.1"), "");
            assert_eq!(status(&answer), 400, "{path:?}: {answer}");
            asked = asked.saturating_add(1);
        }
        for path in [rest.to_owned(), rest.to_uppercase(), format!("/{}", rest.to_uppercase()), format!("{prefix};x")] {
            let answer = ask(&format!("GET {path} HTTP/1.1"), "");
            assert!([400, 401, 404, 405].contains(&status(&answer)), "{path:?}: {answer}");
        }
    }
    assert!(asked > 500, "{asked}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn requests_whose_end_is_in_doubt_get_one_answer_and_the_connection_ends() {
    let mut server = Server::new(None);
    server.start(&["--insecure-http"]);
    let port = server.api_port();
    let second = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for heads in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: a\r\n b\r\n",
        "X\u{0}: a\r\n",
        "X: a\u{0}b\r\n",
    ] {
        let request = format!("POST /v1/vaults HTTP/1.1\r\nHost: localhost\r\n{heads}\r\n0\r\n\r\n{second}");
        let answer = raw(port, request.as_bytes());
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{heads:?}: {answer}");
        assert!(!answer.contains("HTTP/1.1 200"), "{heads:?}: {answer}");
    }
    assert_eq!(server.terminate(), Some(0));
}

/// What somebody writes who would like to be a line of a log, or to colour a terminal.
const INJECTIONS: [&str; 6] = [
    "x\nERROR forged line",
    "x\r\nWARN forged line",
    "x\u{1b}[31mred\u{1b}[0m",
    "x\u{85}next",
    "x\u{2028}line\u{2029}paragraph",
    "\",\"level\":\"ERROR\",\"forged\":\"line",
];

#[test]
fn no_text_of_a_request_becomes_a_line_of_the_log() {
    for format in ["json", "text"] {
        let mut server = Server::new(None);
        server.config(&format!("log.format = \"{format}\"\nlog.level = \"trace\"\n"));
        server.start(&["--insecure-http"]);
        let (port, token) = (server.api_port(), server.token());
        for injection in INJECTIONS {
            let quoted = serde_json::to_string(injection).unwrap();
            let escaped: String = injection.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let body = format!(
                "{{\"name\":{quoted},\"subject\":{{\"commonName\":{quoted}}},\"names\":[{quoted}],{quoted}:1}}"
            );
            let host = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
            for path in
                ["/v1/vaults", "/v1/users", "/v1/certificate-authorities/none/issue", "/v1/webhooks", "/v1/auth/oidc"]
            {
                let head = format!("POST {path} HTTP/1.1\r\n{host}Content-Type: application/json\r\n");
                let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                assert!(status(&raw(port, request.as_bytes())) >= 400, "{path}");
            }
            for path in [format!("/v1/vaults/{escaped}"), format!("/v1/vaults?limit={escaped}"), format!("/{escaped}")]
            {
                raw(port, format!("GET {path} HTTP/1.1\r\n{host}\r\n").as_bytes());
            }
            // As bytes of headers, where a line's end would end the header.
            let plain = injection.replace(['\r', '\n'], "\u{b}");
            for name in ["X-Request-Id", "User-Agent", "Traceparent", "Idempotency-Key", "Accept"] {
                raw(port, format!("GET /v1/vaults HTTP/1.1\r\n{host}{name}: {plain}\r\n\r\n").as_bytes());
            }
            raw(
                port,
                format!(
                    "GET /v1/vaults HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {plain}\r\n\r\n"
                )
                .as_bytes(),
            );
        }
        assert_eq!(server.terminate(), Some(0));
        let log = server.log();
        assert!(log.lines().count() > 50, "{log}");
        for line in log.split('\n').filter(|line| !line.is_empty()) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            if format == "json" {
                let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
                assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
                assert!(event.get("forged").is_none(), "{line}");
            } else {
                // A time, a level, a target: what `tracing` begins each event with.
                let (time, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
                assert!(time.ends_with('Z') && time.starts_with("20"), "{line:?}");
                let level = rest.trim_start().split(' ').next().unwrap_or_default();
                assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line:?}");
            }
        }
    }
}
