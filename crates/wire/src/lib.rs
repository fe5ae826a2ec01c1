//! JSON types of /v1, shared by the server and the client. No logic.
