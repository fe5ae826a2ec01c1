//! Certwright, a self-hosted certificate authority: the one binary.

mod arguments;
mod commands;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = arguments::command().get_matches();
    // Before anything touches a secret.
    let outcome = certwright_server::harden().and_then(|()| commands::run(&matches));
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            commands::complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
