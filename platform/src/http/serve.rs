//! The server loop. It exists because `axum::serve` has no timer for headers: a client that sends
//! one byte a minute must not hold a connection for ever.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tower::ServiceExt;

use super::paced::{Paced, ReadPace};

/// Bounds of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeOptions {
    /// Connections above this are closed at once.
    pub max_connections: usize,
    /// Time for a request's headers to arrive, also between requests of one connection.
    pub header_timeout: Duration,
    /// Most bytes of headers; the buffer may grow somewhat beyond before it is looked at.
    pub max_header_bytes: usize,
    /// Most headers.
    pub max_headers: usize,
    /// How long a shutdown waits for requests at work.
    pub shutdown_grace: Duration,
    /// How fast clients have to read their answers.
    pub read_pace: ReadPace,
}

/// Failures to accept are logged no more often.
const ACCEPT_LOG_EVERY: Duration = Duration::from_secs(1);

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(30),
            max_header_bytes: 64 << 10,
            max_headers: 128,
            shutdown_grace: Duration::from_secs(10),
            read_pace: ReadPace { grace: Duration::from_secs(30), min_bytes_per_second: 16 << 10 },
        }
    }
}

/// Serves until `shutdown` completes, then waits for requests at work. Handlers find the client's
/// address as `ConnectInfo<SocketAddr>`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) {
    let places = Arc::new(Semaphore::new(options.max_connections));
    let (stop_sender, stop) = watch::channel(false);
    let mut logged: Option<Instant> = None;
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    tracing::warn!(%address, "too many connections: closed one");
                    continue;
                };
                let router = router.clone();
                crate::runtime::spawn(serve_one(
                    stream,
                    address,
                    router,
                    options,
                    stop.clone(),
                    place,
                ));
            }
            Err(error) => {
                // Out of file handles, or the peer went away between SYN and accept. Waiting lets
                // others give handles back instead of spinning.
                if logged.is_none_or(|at| at.elapsed() >= ACCEPT_LOG_EVERY) {
                    tracing::warn!(%error, "could not accept a connection");
                    logged = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let _ = stop_sender.send(true);
    let all = u32::try_from(options.max_connections).unwrap_or(u32::MAX);
    // Every place is free again once every connection has ended.
    let _ = tokio::time::timeout(options.shutdown_grace, places.acquire_many(all)).await;
}

async fn serve_one(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    options: ServeOptions,
    mut stop: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(options.max_header_bytes.max(8_192))
        .max_headers(options.max_headers)
        .serve_connection(TokioIo::new(Paced::new(stream, options.read_pace)), service);
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%address, %error, "connection ended early");
    }
    drop(place);
}

#[cfg(test)]
mod tests;
