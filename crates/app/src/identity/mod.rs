//! Identity providers: who may come in with a token (JWT) of somebody else's.

mod json;
mod jwt;
mod keys;
mod source;

#[cfg(test)]
mod tests;
