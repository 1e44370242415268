//! Bounds of connections, the same on both of their sides, and of what clients of services may ask.

use std::time::Duration;

use tokio::sync::watch;

use crate::http::ReadPace;
use crate::runtime::MemoryAccount;

/// Bounds of calls that come from outside of the cluster: those of HTTP.
#[derive(Debug, Clone)]
pub struct RpcLimits {
    /// Most bytes of a request.
    pub max_request_bytes: usize,
    /// What requests are charged to, until nothing of them is left.
    pub requests: MemoryAccount,
    /// What answers are charged to, until they are sent.
    pub answers: MemoryAccount,
    /// How long a client may take nothing of its answer.
    pub patience: Duration,
    /// True once the server stops: calls that last end then.
    pub stopping: watch::Receiver<bool>,
}

/// Bounds of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RpcOptions {
    /// Connections above this are closed at once.
    pub max_connections: usize,
    /// Calls at work on one connection; more wait at their client.
    pub max_streams: u32,
    /// Bytes of one stream that its reader has not taken yet.
    pub stream_window_bytes: u32,
    /// Most bytes of a frame, of which a message takes one or several: each is written and read by itself.
    pub frame_bytes: u32,
    /// Silence after which whoever connected is asked whether it is there.
    pub keep_alive_interval: Duration,
    /// Time for it to say so; then the connection is given up.
    pub keep_alive_timeout: Duration,
    /// The same of who was connected to: another process of the cluster, whose replicas can answer instead.
    pub probe_interval: Duration,
    /// Time for it to say so; then calls that wait for it fail, and are made elsewhere.
    pub probe_timeout: Duration,
    /// Time for a connection to come about.
    pub connect_timeout: Duration,
    /// How long a shutdown waits for calls at work.
    pub shutdown_grace: Duration,
    /// How fast clients have to read.
    pub read_pace: ReadPace,
}

impl RpcOptions {
    /// Bytes of all streams of a connection that nobody has taken yet: twice what the streams may
    /// have, so that some that nobody reads never hold up the others.
    #[must_use]
    pub fn connection_window_bytes(&self) -> u32 {
        /// What HTTP/2 allows.
        const MOST: u32 = (1 << 31) - 1;
        self.stream_window_bytes.saturating_mul(self.max_streams).saturating_mul(2).min(MOST)
    }
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            max_connections: 1_000,
            max_streams: 128,
            stream_window_bytes: 512 << 10,
            frame_bytes: 256 << 10,
            keep_alive_interval: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(10),
            probe_interval: Duration::from_millis(500),
            probe_timeout: Duration::from_millis(2_500),
            connect_timeout: Duration::from_secs(2),
            shutdown_grace: Duration::from_secs(10),
            read_pace: ReadPace { grace: Duration::from_secs(30), min_bytes_per_second: 16 << 10 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_a_connection_has_room_for_all_its_streams() {
        let options = RpcOptions::default();
        assert_eq!(options.connection_window_bytes(), 128 << 20);
        let many = RpcOptions { max_streams: u32::MAX, ..options };
        assert_eq!(many.connection_window_bytes(), (1 << 31) - 1);
    }
}
