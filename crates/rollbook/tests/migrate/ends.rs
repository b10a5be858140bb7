//! What the tests move: ledgers in folders and in schemas of one database.

use crate::cluster::cluster;
use crate::program::{Said, Server, rollbook, run, run_with_input, said};
use rollbook::demo::{self, ACCOUNT, APP, Room};
use rollbook_core::id::App;
use rollbook_core::time::{DAY, SECOND, Timestamp};
use rollbook_ingest::cloudevents::to_cloudevent;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_750_000_000_000_000);

/// A place for a ledger, and the folder that its servers use.
pub(crate) struct End {
    pub(crate) place: String,
    pub(crate) store: String,
    pub(crate) data: PathBuf,
    _temp: TempDir,
}

impl End {
    pub(crate) fn folder() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        Self { place: data.to_str().unwrap().into(), store: "sqlite".into(), data, _temp: temp }
    }

    pub(crate) fn database() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = runtime.block_on(cluster().schema());
        let temp = tempfile::tempdir().unwrap();
        Self { place: url.clone(), store: url, data: temp.path().join("data"), _temp: temp }
    }

    pub(crate) fn serve(&self) -> Server {
        Server::start_on(&self.data, &self.store)
    }

    /// What `serve` says where it refuses to.
    pub(crate) fn refusal(&self) -> String {
        let data = self.data.to_str().unwrap();
        let args = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data", data, "--store", &self.store];
        let told = run(&args);
        assert_eq!((told.code, told.out.as_str()), (1, ""), "{told:?}");
        told.err
    }

    pub(crate) fn token(&self) -> String {
        let data = self.data.to_str().unwrap();
        let args = ["token", "create", "--account", ACCOUNT, "--data", data, "--store", &self.store, "--permission", "realtime_admin"];
        run(&args).ok().trim_end().to_owned()
    }

    /// A day of a class, and its session. Only where the ledger is in a folder.
    pub(crate) fn fill(&self) -> String {
        let (mut class, mut deliveries) = demo::past(NOW);
        deliveries.extend((0..40).map(|number| demo::live(&mut class, number, NOW.plus(number as i64 * SECOND)).events));
        deliveries.push(demo::end(&mut class, NOW.plus(40 * SECOND)));
        for part in deliveries.chunks(7) {
            let lines: Vec<_> = part.iter().flatten().map(to_cloudevent).collect();
            for app in [APP, "another"] {
                let args = ["import", "--account", ACCOUNT, "--app", app, "--data", self.data.to_str().unwrap(), "-"];
                run_with_input(&args, lines.join("\n").as_bytes()).ok();
            }
        }
        class.session(&App::new(ACCOUNT, APP).unwrap(), Room::Main).to_string()
    }

    /// What a server answers about a class, a day later.
    pub(crate) fn answers(&self, session: &str) -> Vec<String> {
        let (server, token) = (self.serve(), self.token());
        let at = format!("as_of={}&include_peer_events=true&include_stays=true", NOW.plus(DAY).to_rfc3339_micros());
        let of_app = |app| {
            let base = format!("/client/v4/accounts/{ACCOUNT}/realtime/kit/{app}/sessions");
            [base.clone(), format!("{base}/{session}/participants?{at}"), format!("{base}/{session}/participants?view=consolidated&{at}")]
        };
        [APP, "another"].into_iter().flat_map(of_app).map(|path| server.get(&path, &token).1).collect()
    }
}

pub(crate) fn migrate_command(from: &End, to: &End, more: &[&str]) -> Command {
    rollbook(&[&["migrate", "--from", &from.place, "--to", &to.place], more].concat())
}

pub(crate) fn migrate(from: &End, to: &End, more: &[&str]) -> Said {
    said(&mut migrate_command(from, to, more))
}

/// Delivers a body; returns the status.
pub(crate) fn deliver(server: &Server, path: &str, kind: &str, body: &str, token: &str) -> u16 {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent: ureq::Agent = config.timeout_global(Some(std::time::Duration::from_secs(30))).build().into();
    let request = agent.post(format!("{}{path}", server.address)).header("authorization", format!("Bearer {token}"));
    request.header("content-type", kind).send(body).unwrap().status().as_u16()
}

/// One peer's join of a session.
pub(crate) fn join(session: usize, peer: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"rollbook.peer.joined","source":"sfu","id":"{peer}","time":"2026-01-31T09:00:00Z","data":{{"session":{{"key":"{session}"}},"peer":{{"key":"{peer}"}}}}}}"#
    )
}

/// Every event of the app, in order. The ledger must not be served.
pub(crate) fn exported(folder: &Path, app: &str) -> Vec<String> {
    let out = run(&["export", "--account", ACCOUNT, "--app", app, "--data", folder.to_str().unwrap()]).ok();
    let mut lines: Vec<_> = out.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}
