//! The log: to stderr, so that stdout holds answers only.

use crate::config::{LogFormat, LogLevel};
use std::io::{self, IsTerminal as _};
use tracing::level_filters::LevelFilter;

/// Starts the process's log.
pub(super) fn start(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Starts the log of a command whose user waits for an answer: only what may be wrong.
pub(super) fn quiet() {
    start(LogLevel::Warn, LogFormat::Text);
}
