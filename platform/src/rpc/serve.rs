//! The server loop: all services on one listener, beside them gRPC's own health and reflection, so
//! that probes and clients without our definitions find their way.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::stream::unfold;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::options::RpcOptions;
use crate::http::Paced;

const HEALTH: &str = tonic_health::pb::health_server::SERVICE_NAME;

/// What is served.
#[derive(Debug, Default)]
pub struct RpcServices {
    /// The services.
    pub routes: Routes,
    /// Their names.
    pub names: Vec<&'static str>,
    /// Their definitions, and those of others, as encoded descriptors.
    pub descriptors: &'static [u8],
}

/// Serves until `shutdown` completes, then waits for calls at work. Health says that all is well
/// until then, and at once that it is not from then on.
///
/// # Errors
/// When the definitions are none.
pub async fn serve(
    listener: TcpListener,
    services: RpcServices,
    options: RpcOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let health = HealthReporter::new();
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(services.descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let names = services.names.iter().chain(&[HEALTH]);
        names.fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let routes = services
        .routes
        .add_service(HealthServer::new(HealthService::from_health_reporter(health.clone())))
        .add_service(reflection().build_v1().map_err(io::Error::other)?)
        // The name that most clients still ask for.
        .add_service(reflection().build_v1alpha().map_err(io::Error::other)?);
    let (stopping, stopped) = oneshot::channel();
    let signal = async {
        shutdown.await;
        health.set_service_status("", ServingStatus::NotServing).await;
        let _ = stopping.send(());
    };
    let serving = server(&options)
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections(listener, options), signal);
    tokio::pin!(serving);
    let outcome = tokio::select! {
        outcome = &mut serving => outcome,
        // Calls that do not end by themselves (those that watch) end with the process.
        () = after(stopped, options.shutdown_grace) => Ok(()),
    };
    outcome.map_err(io::Error::other)
}

/// Completes so long after the signal; never without one.
async fn after(signal: oneshot::Receiver<()>, grace: Duration) {
    match signal.await {
        Ok(()) => tokio::time::sleep(grace).await,
        Err(_) => std::future::pending().await,
    }
}

fn server(options: &RpcOptions) -> Server {
    Server::builder()
        .max_concurrent_streams(options.max_streams)
        .initial_stream_window_size(options.stream_window_bytes)
        .initial_connection_window_size(options.connection_window_bytes())
        .max_frame_size(options.frame_bytes)
        .http2_keepalive_interval(Some(options.keep_alive_interval))
        .http2_keepalive_timeout(Some(options.keep_alive_timeout))
        .http2_max_header_list_size(16 << 10)
}

fn connections(
    listener: TcpListener,
    options: RpcOptions,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(options.max_connections));
    unfold((listener, places), move |(listener, places)| async move {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        tracing::warn!(%peer, "too many connections: closed one");
                        continue;
                    };
                    let _ = stream.set_nodelay(true);
                    let local = stream.local_addr().ok();
                    let stream = Paced::new(stream, options.read_pace);
                    let connection = Connection { stream, local, peer, _place: place };
                    return Some((Ok(connection), (listener, places)));
                }
                Err(error) => {
                    // Most often out of file handles; waiting lets others give some back.
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    })
}

/// A connection that holds its place among those that there may be.
struct Connection {
    stream: Paced<TcpStream>,
    local: Option<SocketAddr>,
    peer: SocketAddr,
    _place: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: self.local, remote_addr: Some(self.peer) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
