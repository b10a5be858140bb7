//! What addresses name.

use rollbook_ingest::engine;
use utoipa::IntoParams;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The app.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct AppPath {
    /// The account.
    #[param(min_length = 1, max_length = 32, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    app_id: String,
}

/// A session of the app.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct SessionPath {
    /// The account.
    #[param(min_length = 1, max_length = 32, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    app_id: String,
    /// The session, a UUID.
    #[param(min_length = 1)]
    session_id: String,
}

/// A participant of a session.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct ParticipantPath {
    /// The account.
    #[param(min_length = 1, max_length = 32, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    app_id: String,
    /// The session, a UUID.
    #[param(min_length = 1)]
    session_id: String,
    /// The participant, a UUID.
    #[param(min_length = 1)]
    participant_id: String,
}

/// A peer of the app.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct PeerPath {
    /// The account.
    #[param(min_length = 1, max_length = 32, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    app_id: String,
    /// The peer, a UUID.
    #[param(min_length = 1)]
    peer_id: String,
}

/// An engine of the app.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct EnginePath {
    /// The account.
    #[param(min_length = 1, max_length = 32, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$")]
    app_id: String,
    /// The engine: one that rollbook knows, or one that the settings name. Some engines deliver to addresses below this one.
    #[param(schema_with = engines)]
    engine: String,
}

fn engines() -> Object {
    ObjectBuilder::new().schema_type(Type::String).examples(engine::names()).build()
}
