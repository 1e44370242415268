//! What is served over gRPC: the services of the roles, what processes of the cluster ask each other, and
//! `henge.v1.Admin`.

use std::sync::{Arc, OnceLock};

use axum::http::Uri;
use henge_broker::{Availability, Broker, Sql};
use henge_data_node::grpc::{host_service, service};
use henge_data_node::{Announcing, DataNode};
use henge_platform::discovery::inventory::{LocalInventory, inventory_service};
use henge_platform::discovery::{AnnouncedServer, Discovery, ServerAddress, ServerId};
use henge_platform::rpc::{RefuseStrangers, RequireToken, RpcLimits, RpcServices, status};
use henge_proto::v1::admin_server::{Admin as Rpc, AdminServer};
use henge_proto::v1::{
    ClusterRequest, ClusterResponse, ServerState, StatusRequest, StatusResponse, admin_server,
    data_node_server, inventory_server, push_server, query_server, realtime_peer_server,
    segment_host_server,
};
use henge_realtime_node::{TakeBatches, push_service};
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic::{Request, Response, Status};

use crate::front::{Front, PushOn};
use crate::ground::Ground;
use crate::options::Options;
use crate::roles::Roles;

/// What is served of the roles of a process: clients have to show the token where one is asked for, other
/// processes the cluster and its token.
pub(crate) fn services(
    options: &Options,
    ground: &Ground,
    roles: &Roles,
    sql: Option<&Arc<Sql>>,
    front: &Arc<OnceLock<Arc<Front>>>,
    limits: &RpcLimits,
) -> RpcServices {
    let door = RequireToken::of(options.required_token.clone());
    let admin = Admin {
        cluster: Arc::clone(&ground.queries.cluster),
        broker: roles.broker.clone(),
        discovery: ground.discovery.clone(),
    };
    let mut names = vec![admin_server::SERVICE_NAME];
    let mut routes = Routes::builder();
    routes.add_service(InterceptedService::new(AdminServer::new(admin), door.clone()));
    if let (Some(broker), Some(sql)) = (&roles.broker, sql) {
        names.push(query_server::SERVICE_NAME);
        let query =
            henge_broker::query_service(Arc::clone(broker), Arc::clone(sql), limits.clone());
        routes.add_service(InterceptedService::new(query, door.clone()));
        names.push(henge_broker::FLIGHT_SQL_SERVICE_NAME);
        let flight_sql = henge_broker::flight_sql_service(Arc::clone(sql), limits.clone());
        routes.add_service(InterceptedService::new(flight_sql, door.clone()));
    }
    let sends_on = || Arc::new(PushOn::through(Arc::clone(front))) as Arc<dyn TakeBatches>;
    let realtime = roles.realtime.as_ref().map(|node| Arc::clone(node) as Arc<dyn TakeBatches>);
    if let Some(target) = realtime.or_else(|| roles.broker.is_some().then(sends_on)) {
        names.push(push_server::SERVICE_NAME);
        let push = push_service(target, limits.clone());
        routes.add_service(InterceptedService::new(push, door));
    }
    if options.node.is_in_cluster {
        names.extend(between_processes(ground, roles, &mut routes));
    }
    let served = names.join(", ");
    let not_served = move |uri: Uri| std::future::ready(is_not_served(&uri, &served));
    let routes = Routes::from(routes.routes().into_axum_router().fallback(not_served));
    RpcServices { routes, names, descriptors: henge_proto::DESCRIPTORS }
}

/// What is answered to calls of services that this process does not have.
fn is_not_served(uri: &Uri, served: &str) -> axum::response::Response {
    let called: String = uri.path().trim_start_matches('/').chars().take(200).collect();
    let message =
        format!("'{called}' is not served by this process, which serves {served}: ask a broker");
    Status::unimplemented(message).into_http()
}

/// What the other processes of the cluster ask.
fn between_processes(
    ground: &Ground,
    roles: &Roles,
    routes: &mut RoutesBuilder,
) -> Vec<&'static str> {
    let mut names = vec![inventory_server::SERVICE_NAME];
    let inventory = Arc::new(LocalInventory::of(ground.discovery.clone()));
    routes.add_service(inventory_service(Arc::clone(&inventory) as _, ground.key()));
    let historical = roles.historical.iter().map(|node| Arc::clone(node) as Arc<dyn DataNode>);
    let realtime = roles.realtime.iter().map(|node| Arc::clone(node) as Arc<dyn DataNode>);
    let announcing = |node| Arc::new(Announcing::new(node, Arc::clone(&inventory))) as _;
    let nodes: Vec<Arc<dyn DataNode>> = historical.chain(realtime).map(announcing).collect();
    if !nodes.is_empty() {
        names.push(data_node_server::SERVICE_NAME);
        routes.add_service(service(nodes, ground.key()));
    }
    if let Some(historical) = &roles.historical {
        names.push(segment_host_server::SERVICE_NAME);
        routes.add_service(host_service(historical.clone(), ground.key()));
    }
    if let Some(realtime) = &roles.realtime {
        names.push(realtime_peer_server::SERVICE_NAME);
        let strangers = RefuseStrangers::but_of(ground.key());
        routes.add_service(henge_realtime_node::peer_service(realtime.clone(), strangers));
    }
    names
}

/// Tells how the server is.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) cluster: Arc<str>,
    pub(crate) broker: Option<Arc<Broker>>,
    pub(crate) discovery: Arc<dyn Discovery>,
}

#[tonic::async_trait]
impl Rpc for Admin {
    async fn status(
        &self,
        _request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let available = match &self.broker {
            Some(broker) => broker.availability().await,
            None => Ok(Availability::default()),
        };
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
        address: match &server.description.address {
            ServerAddress::InProcess => String::new(),
            ServerAddress::Network(address) => address.to_string(),
        },
        segments: server.segments.len() as u64,
        buffered_segments: segments.clone().filter(|segment| segment.realtime).count() as u64,
        size_bytes: segments.map(|segment| segment.size_bytes).sum(),
    }
}
