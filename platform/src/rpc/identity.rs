//! Who calls: every call between processes of a cluster names the cluster and the version of the
//! protocol, and a stranger is refused before its message is looked at.

use std::sync::Arc;

use henge_types::ErrorClass;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::channel::RpcError;
use super::error::status;

/// The version of the protocol between processes. It grows when one that speaks the older version
/// would misunderstand, and then both are understood for one release.
pub const PROTOCOL_VERSION: u32 = 1;

const CLUSTER: &str = "henge-cluster";
const PROTOCOL: &str = "henge-protocol";

/// The side of the caller: says who calls.
#[derive(Debug, Clone)]
pub struct Introduce {
    cluster: MetadataValue<Ascii>,
}

impl Introduce {
    /// Calls of this cluster.
    ///
    /// # Errors
    /// When the name of the cluster cannot be sent.
    pub fn of(cluster: &str) -> Result<Self, RpcError> {
        let cluster = cluster
            .parse()
            .map_err(|_| RpcError::Cluster(cluster.escape_default().take(80).collect()))?;
        Ok(Self { cluster })
    }
}

impl Interceptor for Introduce {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(CLUSTER, self.cluster.clone());
        request.metadata_mut().insert(PROTOCOL, PROTOCOL_VERSION.into());
        Ok(request)
    }
}

/// The side of the server: refuses who is of another cluster or speaks another protocol.
#[derive(Debug, Clone)]
pub struct RefuseStrangers {
    cluster: Arc<str>,
}

impl RefuseStrangers {
    /// Takes calls of this cluster only.
    #[must_use]
    pub fn but_of(cluster: Arc<str>) -> Self {
        Self { cluster }
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
        (*caller != *self.cluster).then(|| {
            let caller: String = caller.chars().take(80).collect();
            let message = format!(
                "the call is of cluster '{caller}', and this process is of cluster '{}': connect the \
                 processes of one cluster",
                self.cluster
            );
            (ErrorClass::InvalidInput, message)
        })
    }
}

impl Interceptor for RefuseStrangers {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match self.refusal(request.metadata()) {
            Some((class, message)) => Err(status(class, &message)),
            None => Ok(request),
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
            |cluster: &str| Introduce::of(cluster).unwrap().call(Request::new(())).unwrap();
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
        assert!(Introduce::of("a\nb").is_err());
    }
}
