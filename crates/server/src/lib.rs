//! Configuration → wiring → listeners → background work → shutdown.
//!
//! Everything the program is made of is put together in here; the binary only reads its command line. The order of a
//! start: settings are judged, signals are listened to, sockets are opened, the data folder is made, the database is
//! migrated, the root key is opened, the first administrator token is written, our own certificate is asked for, and
//! only then does anybody answer.

mod admin;
mod ambient;
mod background;
pub mod config;
mod crls;
mod deliveries;
mod doors;
mod error;
mod folder;
mod hardening;
mod health;
mod logging;
mod net;
mod outbound;
mod proofs;
mod publications;
mod quickstart;
mod serve;
mod shipping;
mod signals;
mod sinks;
mod start;
mod targets;
mod telemetry;
mod tls;
mod wiring;
mod workers;

pub use admin::{Migrations, Rotated, admin_token, migrate, rotate_admin_token, verify_audit};
pub use ambient::{SystemClock, SystemEntropy};
pub use certwright_app::ExportVerdict;
pub use error::{Error, Explanation};
pub use hardening::harden;
pub use health::{Check, healthcheck};
pub use logging::{LogLevel, init as init_log};
pub use quickstart::{Wishes, quickstart};
pub use serve::{Ended, serve};
