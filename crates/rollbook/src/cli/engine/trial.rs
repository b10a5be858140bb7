//! `rollbook engine test`.

use super::super::client::{Answer, Client, sessions_path, with_token};
use super::{AppArgs, KeyArgs, PlaceArgs, address, find, in_settings, named, output};
use crate::config::Settings;
use crate::engines::{self, SealKeys};
use crate::{clock, serve};
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use rollbook_core::id::App;
use rollbook_core::time::{SECOND, Timestamp};
use rollbook_ingest::engine::{self, Delivery, Engine};
use rollbook_ingest::sample::{Sample, Samples, Visit};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// So often a refusal may come from a server that has not heard of the engine yet: in all two seconds.
const TRIES: u32 = 10;
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What `test` needs.
#[derive(Args)]
pub(in crate::cli) struct TestArgs {
    /// The engine's name
    engine: String,
    #[command(flatten)]
    app: AppArgs,
    /// A running server on this ledger [default: where the settings say that it listens]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) async fn run(TestArgs { engine, app, server, key, place }: TestArgs) -> anyhow::Result<()> {
    let (app, settings) = (app.app()?, place.settings()?);
    let keys = key.keys(&settings)?;
    let opened = opened(&settings, &app, &engine, keys.as_ref()).await?;
    let client = Client::new(&server.unwrap_or_else(|| format!("http://{}", settings.listen)))?;
    let mark = mark()?;
    let path = address(&app, &engine);
    let visit =
        Visit { left_at: Timestamp::from_micros(clock::now().micros() / SECOND * SECOND), mark: &mark, address: &client.address(&path) };
    let samples = opened.samples(&visit).with_context(|| format!("no sample of {engine} can be made"))?;
    let session = session(&app, &*opened, &samples)?;
    let tokens = serve::open_tokens(&settings).await?;
    with_token(&*tokens, &app, async |token| {
        let recorded = send(&client, &path, &samples, token)?;
        let how = if samples.proved { "signed as it signs" } else { "not signed: a token let them in" };
        output::line(&format!("sent {} deliveries of {engine}, {how}; {recorded} events were recorded", samples.deliveries.len()))?;
        ensure!(recorded > 0, "none of the events was recorded: `rollbook quarantine list` may say why");
        show(&client, &app, &session, token)
    })
    .await
}

/// The engine as servers have it: that of the settings file, or one that was added, or what such an engine is without any settings.
async fn opened(settings: &Settings, app: &App, name: &str, keys: Option<&SealKeys>) -> anyhow::Result<Arc<dyn Engine>> {
    if let Some(entry) = in_settings(settings, app, name) {
        return engines::opened(entry).with_context(|| format!("the settings of {name} of {}", named(app)));
    }
    match find(&*serve::open_existing_engines(settings).await?, app, name).await? {
        Some(added) => added.open(keys).with_context(|| format!("{name} of {}, as it was added", named(app))),
        None => {
            output::note(&format!(
                "{name} was not added to {}, nor is it in a settings file given by --config: no secret of it is known here",
                named(app)
            ));
            Ok(engine::open(name, &engine::Settings::default())?)
        }
    }
}

/// What tells this run from all others.
fn mark() -> anyhow::Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)?;
    let time = String::from_utf8_lossy(&clock::now().to_millis_text()).replace([':', '.'], "-");
    Ok(format!("{time}-{:08x}", u32::from_le_bytes(random)))
}

/// The id under which the session, or its meeting, is found: translated here as the server will.
fn session(app: &App, engine: &dyn Engine, samples: &Samples) -> anyhow::Result<String> {
    let first = samples.deliveries.first().context("there is no sample")?;
    let delivery = Delivery { body: first.body.as_bytes(), received_at: clock::now(), ..Delivery::default() };
    let translation = engine.translate(&delivery).map_err(|refusal| anyhow::anyhow!("the sample is not translated: {refusal}"))?;
    let event = translation.events.first().with_context(|| match translation.reasons.first() {
        Some(reason) => format!("the sample is not translated: {reason}"),
        None => "the sample is not translated: there is nothing in it that these settings know".to_owned(),
    })?;
    Ok(app.stream_of(event).id.to_string())
}

/// Sends the samples in order, and returns how many events were new.
fn send(client: &Client, path: &str, samples: &Samples, token: &str) -> anyhow::Result<u64> {
    let (mut recorded, mut tries) = (0, 0);
    for Sample { below, headers, body } in &samples.deliveries {
        let mut headers = headers.clone();
        if !samples.proved {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let answer = loop {
            let answer = client.post(&format!("{path}{below}"), &headers, body.as_bytes())?;
            tries += 1;
            if !matches!(answer.status, 401 | 503) || tries > TRIES {
                break answer;
            }
            std::thread::sleep(AGAIN_AFTER);
        };
        recorded += accepted(answer)?;
    }
    Ok(recorded)
}

fn accepted(answer: Answer) -> anyhow::Result<u64> {
    let refused = matches!(answer.status, 401 | 503);
    let data = answer.data();
    let data = if refused { data.context("refused: the server's log says why") } else { data };
    Ok(data?["accepted"].as_u64().unwrap_or(0))
}

/// Writes the session and the row that the samples became.
fn show(client: &Client, app: &App, id: &str, token: &str) -> anyhow::Result<()> {
    let base = sessions_path(app);
    let list = client.get(&format!("{base}?search={id}&per_page=1"), token)?.data()?;
    let session = &list["sessions"][0];
    let Some(session_id) = session["id"].as_str() else { bail!("the session is not to be found: is it another ledger's server?") };
    let participants = client.get(&format!("{base}/{session_id}/participants?include_stays=true"), token)?.data()?;
    let told = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    output::line(&format!("session {session_id} {:?}", told(&session["meeting_display_name"])))?;
    let ended = session["ended_at"].as_str().unwrap_or("within a minute of the last leave");
    output::line(&format!("  started {}, ends {ended}", told(&session["started_at"])))?;
    let rows = participants["participants"].as_array().map(Vec::as_slice).unwrap_or_default();
    for row in rows {
        let closed_by = row["stays"][0]["closed_by"].as_str().unwrap_or("leave");
        output::line(&format!(
            "participant {} {:?} ({})",
            told(&row["id"]),
            told(&row["display_name"]),
            told(&row["custom_participant_id"])
        ))?;
        output::line(&format!("  joined {}, left {} by {closed_by}", told(&row["joined_at"]), told(&row["left_at"])))?;
    }
    ensure!(rows.len() == 1, "there should be one participant, and there are {}", rows.len());
    Ok(())
}
