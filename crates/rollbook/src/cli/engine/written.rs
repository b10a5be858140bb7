//! Secrets and options as the command line gives them.

use crate::engines::{AddedEngine, AddedSecret, SealKeys, SecretIn};
use anyhow::{Context as _, ensure};
use clap::Args;
use std::io::Read as _;
use std::path::PathBuf;

/// A secret is shorter than this, a key in PEM too.
const LONGEST: u64 = 64 << 10;

/// Where secrets are. Several count side by side.
#[derive(Args)]
pub(super) struct SecretArgs {
    /// The variable of the servers that holds a secret, after the id by which deliveries name it (such as an API key), if they do
    #[arg(long, value_name = "[ID=]VARIABLE")]
    secret_env: Vec<String>,
    /// The file on the servers' machines that holds a secret, after its id. Where it has none and the path has a '=', begin with '='
    #[arg(long, value_name = "[ID=]FILE")]
    secret_file: Vec<String>,
    /// Read a secret from standard input, and keep it sealed with the servers' key
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    secret_stdin: Option<String>,
}

impl SecretArgs {
    /// The secrets, that of standard input sealed for its place.
    pub(super) fn given(self, engine: &AddedEngine, keys: Option<&SealKeys>) -> anyhow::Result<Vec<AddedSecret>> {
        let mut secrets = Vec::new();
        for written in &self.secret_env {
            let (id, variable) = named(written);
            secrets.push(AddedSecret { id, place: SecretIn::Env(variable.to_owned()) });
        }
        for written in &self.secret_file {
            let (id, path) = named(written);
            // Servers may be started in another folder.
            let path = std::path::absolute(PathBuf::from(path)).with_context(|| format!("{path:?} is no path"))?;
            secrets.push(AddedSecret { id, place: SecretIn::File(path) });
        }
        if let Some(id) = self.secret_stdin {
            let keys = keys.context(
                "a secret is never kept in the clear. Set ROLLBOOK_ENGINES_KEY or engines_key_file, here and for the servers, to seal it with \
                 (`openssl rand -base64 32` makes a key); or name a place where servers find it: --secret-env, --secret-file",
            )?;
            let mut secret = String::new();
            std::io::stdin().lock().take(LONGEST).read_to_string(&mut secret).context("the secret on standard input is no text")?;
            let secret = secret.trim_end_matches(['\n', '\r']);
            ensure!(!secret.is_empty(), "there is no secret on standard input");
            let sealed = keys.seal(secret, &engine.place_of(&id))?;
            secrets.push(AddedSecret { id, place: SecretIn::Sealed(sealed) });
        }
        Ok(secrets)
    }
}

fn named(written: &str) -> (String, &str) {
    written.split_once('=').map_or((String::new(), written), |(id, place)| (id.to_owned(), place))
}

/// `NAME=VALUE`, the value in TOML; what is none is a text.
pub(super) fn option(written: &str) -> Result<(String, toml::Value), String> {
    let (name, value) = written.split_once('=').ok_or("write it as NAME=VALUE")?;
    let read = toml::from_str::<toml::Table>(&format!("value = {value}")).ok().filter(|table| table.len() == 1);
    let value = read.and_then(|mut table| table.remove("value")).unwrap_or_else(|| toml::Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_toml_or_a_text() {
        let read = |written: &str| option(written).unwrap().1;
        assert_eq!(read("identity=[\"id\", \"email\"]"), toml::Value::from(vec!["id", "email"]));
        assert_eq!((read("n=62"), read("b=true")), (62.into(), true.into()));
        for text in ["https://hooks.example.org/bbb?a=1", "", "1\nx = 2", "# x"] {
            let written = format!("url={text}");
            assert_eq!(read(&written), text.into());
        }
        assert!(option("loud").is_err());
    }

    #[test]
    fn an_id_stands_before_the_place() {
        assert_eq!(named("VARIABLE"), (String::new(), "VARIABLE"));
        assert_eq!(named("APIxyz=/a/b=c"), ("APIxyz".to_owned(), "/a/b=c"));
        assert_eq!(named("=/a/b=c"), (String::new(), "/a/b=c"));
    }
}
