//! Which server is followed, where more than one of an address takes writes.
//!
//! A primary that was down while its standby took over, and is started again, knows nothing of that: it takes connections as before, and tells
//! what stood before the failover. Each promotion begins a timeline of a higher number. So of the servers that take writes the one on the
//! highest timeline is followed, and none on a lower one than was followed before.

use super::tls::Connector;
use deadpool_postgres::{ClientWrapper, HookError};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Error};

/// The latest timeline that a node has followed; none yet at first. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Followed(Arc<Mutex<Option<Timeline>>>);

/// A timeline of a cluster. Those of two clusters have nothing in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Timeline {
    cluster: i64,
    number: u32,
}

impl Timeline {
    fn is_behind(self, other: Self) -> bool {
        self.cluster == other.cluster && self.number < other.number
    }

    async fn of(client: &Client) -> Result<Self, Error> {
        let sql = "SELECT system_identifier, pg_walfile_name(pg_current_wal_flush_lsn()) FROM pg_control_system()";
        let row = client.query_one(sql, &[]).await?;
        let file: String = row.try_get(1)?;
        // The first eight hexadecimal digits of a file's name.
        let number = file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
        Ok(Self { cluster: row.try_get(0)?, number })
    }
}

impl Followed {
    fn latest(&self) -> Option<Timeline> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection to a server that takes writes, if it is one to follow.
    ///
    /// # Errors
    /// Where the server is on a lower timeline than another that was followed.
    pub(super) async fn verify(&self, client: &ClientWrapper) -> Result<(), HookError> {
        let found = Timeline::of(client).await.map_err(HookError::Backend)?;
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = latest.filter(|latest| found.is_behind(*latest)) {
            return Err(HookError::message(format!(
                "the server takes writes on timeline {}, and this node has followed {}: it was the primary before a failover, and has to become \
                 a standby. If it is the one to go on with, start the node again",
                found.number, latest.number
            )));
        }
        *latest = Some(found);
        Ok(())
    }
}

/// A connection, and the task that drives it.
pub(super) type Connected = (Client, JoinHandle<()>);

/// Connects to the server to follow of an address of several; a server that can't be reached is passed over.
pub(super) async fn connect(followed: &Followed, config: &Config, tls: Connector) -> Result<Connected, Error> {
    let first = open(config, tls.clone()).await?;
    let found = Timeline::of(&first.0).await?;
    if followed.latest() == Some(found) {
        return Ok(first);
    }
    let (mut best, mut highest) = (first, found);
    for each in servers(config) {
        let Ok(other) = open(&each, tls.clone()).await else { continue };
        let Ok(found) = Timeline::of(&other.0).await else { continue };
        if highest.is_behind(found) {
            tracing::warn!(
                passed_over = highest.number,
                followed = found.number,
                "two servers take writes: that of the later timeline is followed"
            );
            (best, highest) = (other, found);
        }
    }
    Ok(best)
}

/// Connects to the first server that will do.
pub(super) async fn open(config: &Config, tls: Connector) -> Result<Connected, Error> {
    let (client, connection) = config.connect(tls).await?;
    Ok((client, tokio::spawn(super::replicated::drive(connection))))
}

/// The servers of an address, one by one.
fn servers(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let one = |ix: usize| {
        let mut one = Config::new();
        match hosts.get(ix) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            #[cfg(unix)]
            Some(Host::Unix(folder)) => drop(one.host_path(folder)),
            _ => {}
        }
        if let Some(address) = addresses.get(ix) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(ix).or(ports.first()) {
            one.port(*port);
        }
        copy_settings(config, &mut one);
        one
    };
    (0..hosts.len().max(addresses.len())).map(one).collect()
}

/// All but where the servers are.
fn copy_settings(from: &Config, to: &mut Config) {
    from.get_user().map(|user| to.user(user));
    from.get_dbname().map(|name| to.dbname(name));
    from.get_options().map(|options| to.options(options));
    from.get_application_name().map(|name| to.application_name(name));
    if let Some(password) = from.get_password() {
        to.password(password);
    }
    if let Some(timeout) = from.get_connect_timeout() {
        to.connect_timeout(*timeout);
    }
    if let Some(timeout) = from.get_tcp_user_timeout() {
        to.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = from.get_keepalives_interval() {
        to.keepalives_interval(interval);
    }
    if let Some(retries) = from.get_keepalives_retries() {
        to.keepalives_retries(retries);
    }
    to.keepalives(from.get_keepalives()).keepalives_idle(from.get_keepalives_idle());
    to.ssl_mode(from.get_ssl_mode()).ssl_negotiation(from.get_ssl_negotiation());
    to.target_session_attrs(from.get_target_session_attrs()).channel_binding(from.get_channel_binding());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_server_of_an_address_keeps_its_settings() {
        let of = |hosts: &str| {
            let url = format!(
                "postgres://ann:secret@{hosts}/x?connect_timeout=3&sslmode=require&target_session_attrs=read-write&options=-csearch_path%3Da"
            );
            let mut config: Config = url.parse().unwrap();
            config.application_name("rollbook").tcp_user_timeout(Duration::from_secs(4)).keepalives_idle(Duration::from_secs(5));
            config
        };
        assert_eq!(servers(&of("a:1,b:2")), [of("a:1"), of("b:2")]);
        assert_eq!(servers(&of("%2Frun")), [of("%2Frun")]);
    }

    #[test]
    fn only_timelines_of_one_cluster_are_compared() {
        let of = |cluster, number| Timeline { cluster, number };
        assert!(of(1, 1).is_behind(of(1, 2)));
        assert!(!of(1, 2).is_behind(of(1, 2)) && !of(1, 3).is_behind(of(1, 2)) && !of(2, 1).is_behind(of(1, 2)));
    }
}
