//! Test helpers: a clock moved by hand, seeded randomness, throw-away PostgreSQL databases.
