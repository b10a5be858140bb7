//! A running server, asked by a command on behalf of whoever may write to its data folder or its database.

use crate::clock;
use crate::import::{MAX_ANSWER, configured, path_segment};
use crate::tokens::{self, Grant, Permission, TokenStore};
use anyhow::{Context as _, bail};
use rollbook_core::id::App;
use serde_json::Value;
use ureq::Agent;

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    /// The answer's data, of a success.
    pub(super) fn data(mut self) -> anyhow::Result<Value> {
        match (self.status, self.body.get_mut("data")) {
            (200, Some(data)) => Ok(data.take()),
            _ => bail!("the server answered {}", self.told()),
        }
    }

    /// The status, with the message where there is one.
    pub(super) fn told(&self) -> String {
        let message = self.body["error"]["message"].as_str().unwrap_or_default();
        format!("{} {message}", self.status).trim_end().to_owned()
    }
}

/// A server, without any credentials.
pub(super) struct Client {
    agent: Agent,
    base: String,
}

impl Client {
    /// The server at `base`, as in `http://127.0.0.1:8080`.
    pub(super) fn new(base: &str) -> anyhow::Result<Self> {
        let base = base.trim_end_matches('/');
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("{base:?} is no server's address: write it as http://127.0.0.1:8080 or https://rollbook.example.com");
        }
        Ok(Self { agent: configured().build().into(), base: base.into() })
    }

    /// The address of what a path leads to.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(super) fn get(&self, path: &str, token: &str) -> anyhow::Result<Answer> {
        let address = self.address(path);
        let request = self.agent.get(&address).header("authorization", format!("Bearer {token}"));
        read(&address, request.call())
    }

    pub(super) fn post(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> anyhow::Result<Answer> {
        let address = self.address(path);
        let request = self.agent.post(&address);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        read(&address, request.send(body))
    }
}

fn read(address: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Answer> {
    let mut answer = answer.with_context(|| format!("can't reach {address}"))?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
    let text = text.with_context(|| format!("the answer of {address} broke off"))?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default() })
}

/// Where an app's API for writing is.
pub(super) fn app_path(app: &App) -> String {
    format!("/v1/accounts/{}/apps/{}", path_segment(app.account()), path_segment(app.app()))
}

/// Where an app's sessions are.
pub(super) fn sessions_path(app: &App) -> String {
    format!("/client/v4/accounts/{}/realtime/kit/{}/sessions", path_segment(app.account()), path_segment(app.app()))
}

/// Makes a token for the app that allows everything, does `work` with it, and takes it back however that went.
pub(super) async fn with_token<T>(
    store: &dyn TokenStore,
    app: &App,
    work: impl AsyncFnOnce(&str) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let grant = Grant { account: app.account().into(), app: Some(app.app().into()), permission: Permission::RealtimeAdmin };
    let issued = tokens::create(store, grant, clock::now()).await?;
    let outcome = work(&issued.token).await;
    tokens::revoke(store, &issued.id).await.with_context(|| format!("the token {} was made for this command: revoke it", issued.id))?;
    outcome
}
