//! What can go wrong with a call.

use certwright_wire::Problem;
use std::time::Duration;

/// A call that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client was set up wrongly: URL, token, CA certificates or a header.
    #[error("{0}")]
    Config(String),
    /// Nobody answers there.
    #[error("{0}")]
    Connect(String),
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("{0}")]
    Tls(String),
    /// The call took longer than allowed.
    #[error("No answer within {0:?}.")]
    Timeout(Duration),
    /// The connection was closed before the request was on it. Safe to send again.
    #[error("The server closed the connection.")]
    NotSent,
    /// The connection broke before the answer was complete. The server may or may not have done what was asked.
    #[error("The connection broke: {0}.")]
    Broken(String),
    /// The answer is longer than allowed (bytes).
    #[error("The answer has more than {0} bytes.")]
    TooLong(usize),
    /// The answer is not what this program expects.
    #[error("The answer is not understood: {0}.")]
    Answer(String),
    /// The server refused, and said why.
    #[error("{}", describe(.0))]
    Problem(Box<Problem>),
    /// The server (or something between) refused without a problem document.
    #[error("HTTP status {status}: {text}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Beginning of the body.
        text: String,
    },
}

impl Error {
    /// The HTTP status, where the server answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The problem's code, for example `lifetime_too_long`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) if !problem.hint.is_empty() => Some(&problem.hint),
            _ => None,
        }
    }
}

/// Detail, each fault and each hint on a line of its own, said once.
fn describe(problem: &Problem) -> String {
    let mut lines = vec![problem.detail.as_str()];
    for fault in &problem.errors {
        lines.extend([fault.detail.as_str(), fault.hint.as_str()]);
    }
    lines.push(&problem.hint);
    let mut text = String::new();
    for line in lines {
        if !line.is_empty() && !text.contains(line) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
        }
    }
    format!("{text}\n({}, HTTP status {}, request {})", problem.code, problem.status, problem.request_id)
}
