//! The engines by name: one line each.

use super::{Engine, Settings, SettingsError};
use crate::bigbluebutton::BigBlueButton;
use crate::jaas::Jaas;
use crate::janus::Janus;
use crate::jitsi::Jitsi;
use crate::livekit::LiveKit;
use crate::mapping::Mapped;
use crate::realtimekit::RealtimeKit;
use crate::zoom::Zoom;
use std::sync::Arc;

type Open = fn(&Settings) -> Result<Arc<dyn Engine>, SettingsError>;

const ENGINES: &[(&str, Open)] = &[
    ("100ms", |settings| Ok(Arc::new(Mapped::open("100ms", include_str!("../mapping/100ms.toml"), settings)?))),
    ("bigbluebutton", |settings| Ok(Arc::new(BigBlueButton::open(settings)?))),
    ("daily", |settings| Ok(Arc::new(Mapped::open("daily", include_str!("../mapping/daily.toml"), settings)?))),
    ("jaas", |settings| Ok(Arc::new(Jaas::open(settings)?))),
    ("janus", |settings| Ok(Arc::new(Janus::open(settings)?))),
    ("jitsi", |settings| Ok(Arc::new(Jitsi::open(settings)?))),
    ("livekit", |settings| Ok(Arc::new(LiveKit::open(settings)?))),
    ("realtimekit", |settings| Ok(Arc::new(RealtimeKit::open(settings)?))),
    ("videosdk", |settings| Ok(Arc::new(Mapped::open("videosdk", include_str!("../mapping/videosdk.toml"), settings)?))),
    ("zoom", |settings| Ok(Arc::new(Zoom::open(settings)?))),
];

/// Every engine's name, as it stands in the address that takes its deliveries.
pub fn names() -> impl Iterator<Item = &'static str> {
    ENGINES.iter().map(|(name, _)| *name)
}

/// The engine of a name, with an app's settings. Without any it does what it can: it verifies nothing. A mapping in the settings describes
/// the engine itself, whether the name is one of [`names`] or not.
///
/// # Errors
/// Where the name is none of [`names`] and there is no mapping, or the settings are not the engine's.
pub fn open(name: &str, settings: &Settings) -> Result<Arc<dyn Engine>, SettingsError> {
    if let Some(mapping) = &settings.mapping {
        return Ok(Arc::new(Mapped::open(name, mapping, settings)?));
    }
    match ENGINES.iter().find(|(known, _)| *known == name) {
        Some((_, open)) => open(settings),
        None => Err(SettingsError::Unknown { name: name.to_owned(), known: names().collect() }),
    }
}
