//! Making, listing and revoking tokens: what the `token` commands do.

use super::file::{self, TokensError};
use super::{Digest, Grant, TokenRecord, secret};
use rollbook_core::time::Timestamp;
use std::path::Path;

/// A token that was just made: the only time that it is known.
pub struct Issued {
    /// Its public id.
    pub id: String,
    /// The token itself.
    pub token: String,
}

/// Makes a token and stores its digest; creates the data folder where there is none yet.
///
/// # Errors
/// Where the ids can't be those of an account and an app, or the tokens file can't be read or replaced; then no token was made.
pub fn create(dir: &Path, grant: Grant, now: Timestamp) -> Result<Issued, TokensError> {
    file::check_ids(&grant.account, grant.app.as_deref())?;
    let token = secret::new_token()?;
    let digest = Digest::of(&token);
    let id = file::edit(dir, |tokens| {
        let id = unused_id(tokens)?;
        tokens.push(TokenRecord { id: id.clone(), digest, grant, created_at: now });
        Ok(id)
    })?;
    Ok(Issued { id, token })
}

/// What is known of every token, oldest first.
///
/// # Errors
/// Where the tokens file can't be read.
pub fn list(dir: &Path) -> Result<Vec<TokenRecord>, TokensError> {
    file::read(dir).tokens
}

/// Takes a token back. Running servers refuse it within a second.
///
/// # Errors
/// Where no token has this id, or the tokens file can't be read or replaced.
pub fn revoke(dir: &Path, id: &str) -> Result<(), TokensError> {
    // Looked up before the edit, so that a slip in the id or the folder creates nothing.
    let known = |tokens: &[TokenRecord]| tokens.iter().any(|token| token.id == id);
    let unknown = || TokensError::UnknownId(id.to_owned());
    if !known(&list(dir)?) {
        return Err(unknown());
    }
    file::edit(dir, |tokens| {
        if !known(tokens) {
            return Err(unknown());
        }
        tokens.retain(|token| token.id != id);
        Ok(())
    })
}

fn unused_id(tokens: &[TokenRecord]) -> Result<String, TokensError> {
    loop {
        let id = secret::new_id()?;
        if tokens.iter().all(|token| token.id != id) {
            return Ok(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Permission, TOKENS_FILE};
    use super::*;
    use std::collections::BTreeSet;

    const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn grant(account: &str, app: Option<&str>) -> Grant {
        Grant { account: account.into(), app: app.map(Into::into), permission: Permission::Realtime }
    }

    #[test]
    fn made_listed_revoked() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("not/yet/there");
        let first = create(&dir, grant("acme", Some("school")), NOON).unwrap();
        let second = create(&dir, grant("acme", None), NOON).unwrap();
        let known = list(&dir).unwrap();
        assert_eq!(known.iter().map(|t| &t.id).collect::<Vec<_>>(), [&first.id, &second.id]);
        assert_eq!((&known[0].grant, known[0].created_at), (&grant("acme", Some("school")), NOON));

        revoke(&dir, &first.id).unwrap();
        assert_eq!(list(&dir).unwrap(), known[1..]);
        assert!(matches!(revoke(&dir, &first.id), Err(TokensError::UnknownId(id)) if id == first.id));
    }

    #[test]
    fn the_file_holds_no_token_and_is_its_owners_alone() {
        let temp = tempfile::tempdir().unwrap();
        let made = create(temp.path(), grant("acme", None), NOON).unwrap();
        let path = temp.path().join(TOKENS_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&made.id) && !text.contains(&made.token) && !text.contains(&made.token[3..]), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn bad_ids_and_unknown_folders_leave_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        for bad in [grant("", None), grant("a/b", None), grant("acme", Some("")), grant(&"a".repeat(33), None)] {
            assert!(matches!(create(&dir, bad, NOON), Err(TokensError::BadIds(_))));
        }
        assert!(revoke(&dir, "tok_0").is_err() && list(&dir).unwrap().is_empty() && !dir.exists());
    }

    #[test]
    fn a_damaged_file_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join(TOKENS_FILE);
        let bad_token = r#"{"version":1,"tokens":[{"id":"a","sha256":"00","account":"a","permission":"realtime","created_at":"2026-01-01T00:00:00Z"}]}"#;
        for damaged in ["", "{", "[]", r#"{"version":2,"tokens":[]}"#, bad_token] {
            std::fs::write(&path, damaged).unwrap();
            assert!(matches!(create(temp.path(), grant("acme", None), NOON), Err(TokensError::Damaged { .. })), "{damaged}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn of_many_made_at_once_all_survive() {
        let temp = tempfile::tempdir().unwrap();
        let makers: Vec<_> = (0..8)
            .map(|_| {
                let dir = temp.path().to_owned();
                std::thread::spawn(move || (0..5).map(|_| create(&dir, grant("acme", None), NOON).unwrap().id).collect::<Vec<_>>())
            })
            .collect();
        let made: BTreeSet<_> = makers.into_iter().flat_map(|maker| maker.join().unwrap()).collect();
        let known: BTreeSet<_> = list(temp.path()).unwrap().into_iter().map(|token| token.id).collect();
        assert_eq!((made.len(), known == made), (40, true));
    }
}
