use super::super::{Grant, KnownTokens, Permission, create, revoke};
use super::*;
use crate::http::TokenLookup;
use rollbook_core::time::Timestamp;
use std::fs;

const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn grant(account: &str, app: Option<&str>) -> Grant {
    Grant { account: account.into(), app: app.map(Into::into), permission: Permission::Realtime }
}

#[tokio::test]
async fn the_file_holds_no_token_and_is_its_owners_alone() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("not/yet/there");
    let made = create(&TokenFile::new(&dir), grant("acme", None), NOON).await.unwrap();
    let path = dir.join(TOKENS_FILE);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(&made.id) && !text.contains(&made.token) && !text.contains(&made.token[3..]), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn bad_ids_and_unknown_folders_leave_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let tokens = TokenFile::new(&dir);
    for bad in [grant("", None), grant("a/b", None), grant("acme", Some("")), grant(&"a".repeat(33), None)] {
        assert!(matches!(create(&tokens, bad, NOON).await, Err(TokensError::BadIds(_))));
    }
    assert!(revoke(&tokens, "tok_0").await.is_err() && tokens.list().await.unwrap().is_empty() && !dir.exists());
}

#[tokio::test]
async fn a_damaged_file_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join(TOKENS_FILE);
    let bad_token =
        r#"{"version":1,"tokens":[{"id":"a","sha256":"00","account":"a","permission":"realtime","created_at":"2026-01-01T00:00:00Z"}]}"#;
    for damaged in ["", "{", "[]", r#"{"version":2,"tokens":[]}"#, bad_token] {
        fs::write(&path, damaged).unwrap();
        let made = create(&TokenFile::new(temp.path()), grant("acme", None), NOON).await;
        assert!(matches!(made, Err(TokensError::Damaged { .. })), "{damaged}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}

#[tokio::test]
async fn a_damaged_file_changes_nothing_until_it_is_mended() {
    let temp = tempfile::tempdir().unwrap();
    let tokens = TokenFile::new(temp.path());
    let server = KnownTokens::start(&tokens);
    let made = create(&tokens, grant("acme", None), NOON).await.unwrap();
    assert!(server.look_up(&made.token).await.unwrap().is_some());
    let path = temp.path().join(TOKENS_FILE);
    let good = fs::read(&path).unwrap();
    for damaged in [&b"{"[..], b"", b"\xff\xfe"] {
        fs::write(&path, damaged).unwrap();
        assert!(server.look_up("rb_other").await.is_err(), "nobody can tell whether it is one");
        assert!(server.look_up(&made.token).await.unwrap().is_some());
    }
    fs::write(&path, good).unwrap();
    revoke(&tokens, &made.id).await.unwrap();
    assert_eq!(server.look_up("rb_other").await, Ok(None));
    assert_eq!(server.look_up(&made.token).await, Ok(None));
}

#[tokio::test]
async fn a_server_that_starts_on_a_damaged_file_lets_nobody_in() {
    let temp = tempfile::tempdir().unwrap();
    let tokens = TokenFile::new(temp.path());
    let made = create(&tokens, grant("acme", None), NOON).await.unwrap();
    let path = temp.path().join(TOKENS_FILE);
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("\"version\": 1", "\"version\": 9")).unwrap();
    let server = KnownTokens::start(&tokens);
    assert!(server.look_up(&made.token).await.is_err());
    fs::write(&path, good).unwrap();
    assert!(server.look_up(&made.token).await.unwrap().is_some());
}
