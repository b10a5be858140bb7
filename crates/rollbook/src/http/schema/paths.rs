//! What addresses name.

use utoipa::IntoParams;

/// The app.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct AppPath {
    /// The account.
    #[param(min_length = 1, max_length = 32, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    app_id: String,
}

/// A session of the app.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct SessionPath {
    /// The account.
    #[param(min_length = 1, max_length = 32, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
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
    #[param(min_length = 1, max_length = 32, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
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
    #[param(min_length = 1, max_length = 32, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
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
    #[param(min_length = 1, max_length = 32, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    account_id: String,
    /// The app.
    #[param(min_length = 1, max_length = 64, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$")]
    app_id: String,
    /// The engine, such as `janus`.
    #[param(min_length = 1)]
    engine: String,
}
