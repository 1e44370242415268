//! The way to another process.

use henge_types::ErrorClass;
use tonic::transport::Endpoint;

use super::options::RpcOptions;

/// Why another process cannot be called at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// Not an address.
    #[error("'{0}' is not the address of a process: write host:port")]
    Address(String),
    /// Not a name of a cluster.
    #[error("'{0}' cannot be the name of a cluster: use letters and digits")]
    Cluster(String),
    /// Not a token.
    #[error("cluster.token cannot be sent: use letters and digits")]
    Token,
}

impl RpcError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Address(_) | Self::Cluster(_) | Self::Token => ErrorClass::InvalidInput,
        }
    }
}

/// The process at `address` (host:port), to be connected to. A channel connects when it is first
/// used and again whenever the connection was lost.
///
/// # Errors
/// When the address is none.
pub fn endpoint(address: &str, options: &RpcOptions) -> Result<Endpoint, RpcError> {
    let wrong = || RpcError::Address(address.chars().take(200).collect());
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| wrong())?;
    let authority = endpoint.uri().authority();
    if authority.is_none_or(|found| found.as_str() != address || found.port_u16().is_none()) {
        return Err(wrong());
    }
    Ok(endpoint
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true)
        .initial_stream_window_size(options.stream_window_bytes)
        .initial_connection_window_size(options.connection_window_bytes())
        .max_frame_size(options.frame_bytes)
        .http2_keep_alive_interval(options.probe_interval)
        .keep_alive_timeout(options.probe_timeout)
        .keep_alive_while_idle(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        let options = RpcOptions::default();
        for address in ["127.0.0.1:8889", "node-1.example:80", "[::1]:8889"] {
            assert!(endpoint(address, &options).is_ok(), "{address}");
        }
        for address in ["", "127.0.0.1", "http://127.0.0.1:1", "a b:1", "host:port", "h:1/x"] {
            let error = endpoint(address, &options).unwrap_err();
            assert_eq!(error, RpcError::Address(address.to_owned()));
        }
    }
}
