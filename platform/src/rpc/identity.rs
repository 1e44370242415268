//! Who calls: every call between processes of a cluster names the cluster and the version of the
//! protocol, and shows the cluster's token where there is one; a stranger is refused before its message is
//! looked at.

use std::sync::Arc;

use henge_types::ErrorClass;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::channel::RpcError;
use super::error::status;
use crate::config::Secret;
use crate::http::is_bearer_of;

/// The version of the protocol between processes. It grows when one that speaks the older version
/// would misunderstand, and then both are understood for one release.
pub const PROTOCOL_VERSION: u32 = 1;

/// How a process begins the words by which it refuses a token: callers tell their operators.
pub const TOKEN_REFUSED: &str = "the call does not show the token of the cluster";

const CLUSTER: &str = "henge-cluster";
const PROTOCOL: &str = "henge-protocol";
const TOKEN: &str = "henge-token";

/// What the processes of a cluster know each other by.
#[derive(Debug, Clone, Default)]
pub struct ClusterKey {
    /// The cluster's identity, as the metadata have it.
    pub cluster: Arc<str>,
    /// What all of its processes were given, where they were given something.
    pub token: Option<Secret>,
}

impl From<&str> for ClusterKey {
    /// Of a cluster without a token.
    fn from(cluster: &str) -> Self {
        Self { cluster: cluster.into(), token: None }
    }
}

/// The side of the caller: says who calls.
#[derive(Debug, Clone)]
pub struct Introduce {
    cluster: MetadataValue<Ascii>,
    token: Option<MetadataValue<Ascii>>,
}

impl Introduce {
    /// Calls of this cluster.
    ///
    /// # Errors
    /// When the name of the cluster or its token cannot be sent.
    pub fn of(key: &ClusterKey) -> Result<Self, RpcError> {
        let ClusterKey { cluster, token } = key;
        let cluster = cluster
            .parse()
            .map_err(|_| RpcError::Cluster(cluster.escape_default().take(80).collect()))?;
        let token = token.as_ref().map(|token| {
            let mut value: MetadataValue<Ascii> =
                token.reveal().parse().map_err(|_| RpcError::Token)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { cluster, token: token.transpose()? })
    }
}

impl Interceptor for Introduce {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(CLUSTER, self.cluster.clone());
        request.metadata_mut().insert(PROTOCOL, PROTOCOL_VERSION.into());
        if let Some(token) = &self.token {
            request.metadata_mut().insert(TOKEN, token.clone());
        }
        Ok(request)
    }
}

/// The side of the server: refuses who is of another cluster, does not have its token or speaks another
/// protocol.
#[derive(Debug, Clone)]
pub struct RefuseStrangers {
    key: ClusterKey,
}

impl RefuseStrangers {
    /// Takes calls of this cluster only.
    #[must_use]
    pub fn but_of(key: ClusterKey) -> Self {
        Self { key }
    }

    fn has_token(&self, metadata: &MetadataMap) -> bool {
        let Some(token) = &self.key.token else { return true };
        metadata.get(TOKEN).is_some_and(|shown| token.is_same_as(shown.as_bytes()))
    }

    fn refusal(&self, metadata: &MetadataMap) -> Option<(ErrorClass, String)> {
        let text = |name| metadata.get(name).map(|value| value.to_str().unwrap_or("?"));
        match text(PROTOCOL) {
            Some(version) if version == PROTOCOL_VERSION.to_string() => {}
            Some(version) => {
                let version: String = version.chars().take(20).collect();
                let message = format!(
                    "the call speaks protocol {version}, and this process speaks {PROTOCOL_VERSION}: \
                     update the older one"
                );
                return Some((ErrorClass::Unsupported, message));
            }
            None => {
                let message = format!(
                    "the call names no protocol in '{PROTOCOL}': only processes of the cluster call this \
                     service"
                );
                return Some((ErrorClass::InvalidInput, message));
            }
        }
        let caller = text(CLUSTER).unwrap_or_default();
        (*caller != *self.key.cluster).then(|| {
            let caller: String = caller.chars().take(80).collect();
            let message = format!(
                "the call is of cluster '{caller}', and this process is of cluster '{}': connect the \
                 processes of one cluster",
                self.key.cluster
            );
            (ErrorClass::InvalidInput, message)
        })
    }
}

impl Interceptor for RefuseStrangers {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        if let Some((class, message)) = self.refusal(request.metadata()) {
            return Err(status(class, &message));
        }
        if !self.has_token(request.metadata()) {
            return Err(Status::unauthenticated(format!(
                "{TOKEN_REFUSED}: set the same cluster.token for all of its processes"
            )));
        }
        Ok(request)
    }
}

/// The side of a service that clients call: refuses who does not show the cluster's token, where one is
/// asked for.
#[derive(Debug, Clone)]
pub struct RequireToken(Option<Secret>);

impl RequireToken {
    /// Asks for this token, or for none.
    #[must_use]
    pub fn of(token: Option<Secret>) -> Self {
        Self(token)
    }
}

impl Interceptor for RequireToken {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let shown = request.metadata().get("authorization").map(MetadataValue::as_bytes);
        match &self.0 {
            Some(token) if !shown.is_some_and(|shown| is_bearer_of(shown, token)) => {
                Err(Status::unauthenticated(
                    "this address asks for the token of the cluster: send it as metadata \
                     'authorization: Bearer …'",
                ))
            }
            _ => Ok(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::class_of;
    use super::*;

    fn outcome(request: Request<()>) -> Result<(), (ErrorClass, String)> {
        let taken = RefuseStrangers::but_of("b3a2".into()).call(request);
        taken.map(drop).map_err(|status| (class_of(&status), status.message().to_owned()))
    }

    #[test]
    fn f_34_only_the_own_cluster_may_call_in_a_protocol_that_is_known() {
        let introduced =
            |cluster: &str| Introduce::of(&cluster.into()).unwrap().call(Request::new(())).unwrap();
        assert_eq!(outcome(introduced("b3a2")), Ok(()));

        let (class, message) = outcome(introduced("c0de")).unwrap_err();
        assert_eq!(class, ErrorClass::InvalidInput);
        assert!(message.contains("c0de") && message.contains("b3a2"), "{message}");

        let mut of_tomorrow = introduced("b3a2");
        of_tomorrow.metadata_mut().insert(PROTOCOL, (PROTOCOL_VERSION + 1).into());
        let (class, message) = outcome(of_tomorrow).unwrap_err();
        assert_eq!(class, ErrorClass::Unsupported);
        assert!(message.contains("protocol 2"), "{message}");

        let (class, message) = outcome(Request::new(())).unwrap_err();
        assert_eq!(class, ErrorClass::InvalidInput);
        assert!(message.contains("henge-protocol"), "{message}");
        assert!(Introduce::of(&"a\nb".into()).is_err());
    }
}
