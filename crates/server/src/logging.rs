//! Log lines: text or JSON, one line per event, to standard error, with a level that can change while we run.
//!
//! Whatever a field holds, an event stays on its line: control characters are escaped on the way out.

use crate::Error;
use crate::config::LogFormat;
use std::io::{self, Write};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Libraries that say too much: their lines below these levels hold protocol details and help nobody who runs us.
const QUIET: &str = "h2=info,hyper=info,hyper_util=info,rustls=info,tower=info,sqlx=warn,mio=info";

/// Changes the level of a running log.
#[derive(Clone)]
pub struct LogLevel {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl LogLevel {
    /// Puts another level in force.
    pub fn set(&self, level: &str) -> Result<(), Error> {
        let failed = |why: String| Error::System { doing: "change the log level", why };
        let filter = filter(level).map_err(failed)?;
        self.filter.reload(filter).map_err(|error| failed(error.to_string()))
    }

    /// One that no log belongs to.
    #[cfg(test)]
    pub(crate) fn detached(level: &str) -> Result<Self, String> {
        Ok(Self { filter: reload::Layer::new(filter(level)?).1 })
    }
}

/// Starts logging for the whole process.
pub fn init(format: LogFormat, level: &str) -> Result<LogLevel, Error> {
    let failed = |why: String| Error::System { doing: "start the log", why };
    let (layer, filter) = reload::Layer::new(filter(level).map_err(failed)?);
    let registry = tracing_subscriber::registry().with(layer);
    let writer = move || OneLine { inner: io::stderr(), format };
    match format {
        LogFormat::Text => registry.with(fmt::layer().with_ansi(false).with_writer(writer)).try_init(),
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(writer)).try_init(),
    }
    .map_err(|error| failed(error.to_string()))?;
    Ok(LogLevel { filter })
}

/// Reads a level, or a list of `module=level`. What it says beats what is quiet by default.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    let known = |word: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&word);
    // Without this a misspelt level would be taken for the name of a module.
    let parts: Vec<&str> = level.split(',').map(str::trim).collect();
    if let Some(wrong) = parts.iter().find(|part| !part.contains('=') && !known(part)) {
        return Err(format!("`{}` is not one of error, warn, info, debug, trace", wrong.escape_debug()));
    }
    EnvFilter::builder().parse(format!("{QUIET},{}", parts.join(","))).map_err(|error| error.to_string())
}

/// Escapes control characters, but for the newline that ends an event, as its format does: what JSON strings leave as it is (DEL
/// and the controls above it) must stay JSON. Each event arrives as one write.
struct OneLine<W> {
    inner: W,
    format: LogFormat,
}

impl<W> OneLine<W> {
    fn escape(&self, symbol: char, out: &mut Vec<u8>) {
        match self.format {
            LogFormat::Text => out.extend(symbol.escape_default().flat_map(|c| u8::try_from(c).ok())),
            // Control characters are all below U+00A0.
            LogFormat::Json => out.extend(format!("\\u{:04x}", u32::from(symbol)).into_bytes()),
        }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (line, end) = match event.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (event, &b""[..]),
        };
        let mut out = Vec::with_capacity(event.len());
        match std::str::from_utf8(line) {
            Ok(text) => {
                for symbol in text.chars() {
                    match symbol.is_control() {
                        true => self.escape(symbol, &mut out),
                        false => out.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes()),
                    }
                }
            }
            Err(_) => out.extend(line.escape_ascii()),
        }
        out.extend_from_slice(end);
        self.inner.write_all(&out)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_on_one_line() {
        let mut out = OneLine { inner: Vec::new(), format: LogFormat::Text };
        out.write_all("name=a\nERROR forged \u{1b}[31m \u{9b} é\r\u{7f}\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out.inner).unwrap(), "name=a\\nERROR forged \\u{1b}[31m \\u{9b} é\\r\\u{7f}\n");
    }

    #[test]
    fn an_event_in_json_stays_json_whatever_it_holds() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let file = std::sync::Arc::new(path.reopen().unwrap());
        let writer = move || OneLine { inner: std::sync::Arc::clone(&file), format: LogFormat::Json };
        let layer = fmt::layer().json().flatten_event(true).with_writer(writer);
        let every: String = (0..0x300_u32).filter_map(char::from_u32).collect();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(%every, "said");
        });
        let text = std::fs::read_to_string(path.path()).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert!(!text.trim_end_matches('\n').contains(char::is_control));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line.get("every").and_then(|value| value.as_str()), Some(every.as_str()));
    }

    #[test]
    fn levels_are_words_or_lists_and_misspellings_are_refused() {
        for fine in ["info", "off", "trace", "info,certwright_app=debug", "warn, certwright_store=trace"] {
            assert!(filter(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "inof", "info,debgu", "certwright_app=loud"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
