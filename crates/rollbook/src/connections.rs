//! Connections: accepted, bounded in number and in patience, and let go in an orderly way.

use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service;

/// How long a connection may take to send the head of a request, idle time before it included. Longer than clients keep idle
/// connections, so that it is they who close them.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(90);
/// How long to wait where the system has no more connections to give.
const OUT_OF_CONNECTIONS: Duration = Duration::from_millis(100);
/// How many connections a listener holds at once; what comes beyond waits in the system's queue.
const CONNECTIONS: usize = 16_384;

/// Lets the process have as many open files as the system allows: the usual bound is made for programs of a few.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(cause) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%cause, "the limit of open files stays as it was");
    }
}

/// Answers what connects, until `stop`; a connection that takes longer than `head_timeout` for the head of a request is closed. At `stop` it
/// takes nothing new, and ends once what is under way is answered.
pub async fn serve<S>(listener: TcpListener, service: S, head_timeout: Duration, stop: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    let under_way = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &free) => accepted,
            () = &mut stop => break,
        };
        let (stream, place) = match accepted {
            Ok(Some(accepted)) => accepted,
            Ok(None) => continue,
            Err(cause) => {
                tracing::error!(%cause, "a connection was not accepted");
                tokio::time::sleep(OUT_OF_CONNECTIONS).await;
                continue;
            }
        };
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.clone())).into_owned();
        let connection = under_way.watch(connection);
        tokio::spawn(async move {
            // What goes wrong with a connection is the client's: it sent no HTTP, or went away.
            if let Err(cause) = connection.await {
                tracing::debug!(cause, "a connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    under_way.shutdown().await;
}

/// The next connection, with its place among those that are held; none where it was gone before it was taken.
async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> io::Result<Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)>> {
    let place = Arc::clone(free).acquire_owned().await.map_err(io::Error::other)?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // An answer is written whole, so nothing is gained by waiting for more to send.
            if let Err(cause) = stream.set_nodelay(true) {
                tracing::debug!(%cause, "no TCP_NODELAY");
            }
            Ok(Some((stream, place)))
        }
        Err(gone) if matches!(gone.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => Ok(None),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn slow_connections_are_closed_and_hold_up_nobody() {
        raise_file_limit();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let serving = tokio::spawn(serve(listener, router, Duration::from_secs(2), async { drop(stopped.await) }));
        let mut slow = Vec::new();
        for _ in 0..1000 {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.write_all(b"GET / HTTP/1.1\r\nhost: a").await.unwrap();
            slow.push(connection);
        }
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("here"), "{answer}");
        for connection in &mut slow {
            let mut rest = Vec::new();
            // However the end is told: what matters is that it comes.
            let _ = connection.read_to_end(&mut rest).await;
            assert!(!rest.starts_with(b"HTTP/1.1 200"));
        }
        stop.send(()).unwrap();
        serving.await.unwrap();
    }
}
