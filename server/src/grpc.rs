//! What is served over gRPC: the services of the roles, and `henge.v1.Admin`.

use std::sync::Arc;

use henge_broker::Broker;
use henge_platform::discovery::{AnnouncedServer, Discovery, ServerAddress, ServerId};
use henge_platform::rpc::{RpcLimits, RpcServices, status};
use henge_proto::v1::admin_server::{self, Admin as Rpc, AdminServer};
use henge_proto::v1::{
    ClusterRequest, ClusterResponse, ServerState, StatusRequest, StatusResponse, push_server,
    query_server,
};
use henge_realtime_node::RealtimeNode;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// What is served of the roles of one process.
pub(crate) fn services(
    broker: &Arc<Broker>,
    realtime: &Arc<RealtimeNode>,
    admin: Admin,
    limits: &RpcLimits,
) -> RpcServices {
    let routes = Routes::new(henge_broker::query_service(Arc::clone(broker), limits.clone()))
        .add_service(henge_realtime_node::push_service(Arc::clone(realtime), limits.clone()))
        .add_service(AdminServer::new(admin));
    RpcServices {
        routes,
        names: &[query_server::SERVICE_NAME, push_server::SERVICE_NAME, admin_server::SERVICE_NAME],
        descriptors: henge_proto::DESCRIPTORS,
    }
}

/// Tells how the server is.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) cluster: Arc<str>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) discovery: Arc<dyn Discovery>,
}

#[tonic::async_trait]
impl Rpc for Admin {
    async fn status(
        &self,
        _request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let available = self.broker.availability().await;
        let available = available.map_err(|error| status(error.class(), &error.to_string()))?;
        let unavailable_segments = available.count() as u64;
        let is_complete = unavailable_segments == 0 && available.metadata_away.is_none();
        Ok(Response::new(StatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: self.cluster.to_string(),
            is_complete,
            unavailable_segments,
            metadata_away: available.metadata_away.unwrap_or_default(),
        }))
    }

    async fn cluster(
        &self,
        _request: Request<ClusterRequest>,
    ) -> Result<Response<ClusterResponse>, Status> {
        let view = self.discovery.snapshot();
        Ok(Response::new(ClusterResponse {
            version: view.version,
            servers: view.servers.iter().map(state_of).collect(),
        }))
    }
}

fn state_of((name, server): (&ServerId, &AnnouncedServer)) -> ServerState {
    let segments = server.segments.values();
    ServerState {
        name: name.to_string(),
        address: match &server.address {
            ServerAddress::InProcess => String::new(),
            ServerAddress::Network(address) => address.to_string(),
        },
        segments: server.segments.len() as u64,
        buffered_segments: segments.clone().filter(|segment| segment.realtime).count() as u64,
        size_bytes: segments.map(|segment| segment.size_bytes).sum(),
    }
}
