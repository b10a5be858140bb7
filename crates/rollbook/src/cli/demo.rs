//! `rollbook demo`.

use super::{logging, output};
use crate::clock;
use crate::config::Settings;
use crate::demo::{self, ACCOUNT, APP, Room};
use crate::import::Server;
use crate::ledger::Receipt;
use crate::serve::{self, Listeners, ServeError};
use crate::tokens::{self, Grant, Issued, Permission};
use clap::Args;
use rollbook_core::event::Event;
use rollbook_core::id::App;
use rollbook_ingest::cloudevents::to_cloudevent;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::net::TcpListener;

/// See it at work: a server, and a class that comes and goes
///
/// Starts a server on a data folder of its own, makes a token, tells the server of a class of the last 25 minutes with two breakouts,
/// and then of somebody coming or going every second, over HTTP like any meeting engine. Prints `curl` lines that answer at once.
/// Ends the class, takes the token back and stops at Ctrl-C.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DemoArgs {
    /// The data folder. ROLLBOOK_DATA is not looked at: a demo has no business in a real ledger
    #[arg(long, value_name = "DIR", default_value = "./rollbook-demo")]
    data: PathBuf,
    /// Where the server listens [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, env = "ROLLBOOK_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Stop by itself after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  rollbook demo
  rollbook demo --for 60 --listen 0.0.0.0:8080";

/// Between two things that happen in the class.
const STEP: Duration = Duration::from_secs(1);

/// Plays until the process is told to stop, or the time is up.
pub(super) fn run(args: DemoArgs) -> anyhow::Result<()> {
    logging::quiet();
    let settings = Settings { data: args.data, metrics_listen: (Ipv4Addr::LOCALHOST, 0).into(), ..Settings::default() };
    let runtime = serve::runtime()?;
    runtime.block_on(async {
        let opened = serve::open(&settings).await?;
        let http = listen(args.listen, settings.listen).await?;
        let metrics = serve::listen("metrics_listen", settings.metrics_listen).await?;
        let running = serve::start(&settings, &opened, Listeners { http, metrics })?;
        let grant = Grant { account: ACCOUNT.into(), app: Some(APP.into()), permission: Permission::RealtimeAdmin };
        let issued = tokens::create(&settings.data, grant, clock::now())?;
        let (address, id) = (reachable(running.address), issued.id.clone());
        let (stop, stopped) = mpsc::channel();
        let mut play = tokio::task::spawn_blocking(move || play(address, &issued, &stopped));
        let outcome = tokio::select! {
            outcome = &mut play => outcome,
            () = over(args.seconds) => {
                drop(stop);
                play.await
            }
        };
        let revoked = tokens::revoke(&settings.data, &id);
        running.stop().await;
        outcome??;
        Ok(revoked?)
    })
}

/// Listens where it was asked to; else at the usual address, or a free port where that is taken.
async fn listen(asked: Option<SocketAddr>, usual: SocketAddr) -> Result<TcpListener, ServeError> {
    if let Some(address) = asked {
        return serve::listen("listen", address).await;
    }
    match serve::listen("listen", usual).await {
        Err(ServeError::Listen { cause, .. }) if cause.kind() == io::ErrorKind::AddrInUse => {
            let free = serve::listen("listen", (usual.ip(), 0).into()).await?;
            output::note(&format!("{usual} is taken; the demo uses a free port"));
            Ok(free)
        }
        other => other,
    }
}

/// An address under which this machine reaches a listener.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match listening.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    (ip, listening.port()).into()
}

async fn over(seconds: Option<u64>) {
    tokio::select! {
        () = serve::told_to_stop() => {}
        () = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        } => {}
    }
}

fn play(address: SocketAddr, issued: &Issued, stopped: &Receiver<()>) -> anyhow::Result<()> {
    let app = App::new(ACCOUNT, APP)?;
    let mut server = Server::local(address, &app, &issued.token);
    let (mut class, deliveries) = demo::past(clock::now());
    let mut told = Receipt::default();
    for delivery in deliveries {
        let receipt = server.post(&body(&delivery))?;
        told.accepted += receipt.accepted;
        told.duplicates += receipt.duplicates;
    }
    let session = class.session(&app, Room::Main);
    output::line(&introduction(address, &issued.token, &session.to_string(), told))?;
    for number in 0.. {
        if stopped.recv_timeout(STEP) != Err(RecvTimeoutError::Timeout) {
            break;
        }
        let step = demo::live(&mut class, number, clock::now());
        server.post(&body(&step.events))?;
        let time = String::from_utf8_lossy(&clock::now().to_millis_text()[11..19]).into_owned();
        output::line(&format!("{time}  {}", step.words))?;
    }
    server.post(&body(&demo::end(&mut class, clock::now())))?;
    Ok(())
}

fn body(events: &[Event]) -> Vec<u8> {
    events.iter().flat_map(|event| (to_cloudevent(event) + "\n").into_bytes()).collect()
}

fn introduction(address: SocketAddr, token: &str, session: &str, told: Receipt) -> String {
    let list = format!("http://{address}/client/v4/accounts/{ACCOUNT}/realtime/kit/{APP}/sessions/{session}/participants");
    let curl = |query: &str| format!("  curl -s -H 'Authorization: Bearer {token}' '{list}{query}'");
    format!(
        "\
\"Algebra I\" is on, with two breakouts. It began 25 minutes ago: {accepted} events, {duplicates} of them delivered twice, one late.

  address  http://{address}
  token    {token}  (for as long as the demo runs)
  session  {session}

Who was there, a row a connection (a rejoin is a second row):
{raw}

Who was there, a row a person, with the time in the breakouts:
{consolidated}

From here on somebody comes or goes every second. Ctrl-C ends the class.
",
        accepted = told.accepted,
        duplicates = told.duplicates,
        raw = curl(""),
        consolidated = curl("?view=consolidated"),
    )
}
