//! Nodes that hold segments, told over gRPC what to hold.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_platform::rpc::{
    ClusterKey, Introduce, RefuseStrangers, RpcError, class_of, reason_of, status,
};
use henge_proto::v1::segment_host_client::SegmentHostClient;
use henge_proto::v1::segment_host_server::{SegmentHost as Rpc, SegmentHostServer};
use henge_proto::v1::{
    DropSegmentRequest, DropSegmentResponse, HostFailure, Instruction as InstructionMessage,
    LoadSegmentRequest, LoadSegmentResponse,
};
use henge_types::{ErrorClass, SegmentId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::client::Place;
use crate::host::{HostError, Instruction, SegmentHost};

/// Most bytes of a request: a segment's names, and its schema.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// Dropping waits for nothing but the node.
const DROP_TIMEOUT: Duration = Duration::from_secs(30);

/// The service as it is added to a server.
pub type SegmentHostRoute = InterceptedService<SegmentHostServer<HostService>, RefuseStrangers>;

/// Serves `host` to the processes of its cluster.
#[must_use]
pub fn host_service(host: Arc<dyn SegmentHost>, key: ClusterKey) -> SegmentHostRoute {
    let service = SegmentHostServer::new(HostService { host });
    let service = service.max_decoding_message_size(MAX_REQUEST_BYTES);
    InterceptedService::new(service, RefuseStrangers::but_of(key))
}

/// Answers for a node that holds segments.
#[derive(Debug)]
pub struct HostService {
    host: Arc<dyn SegmentHost>,
}

#[tonic::async_trait]
impl Rpc for HostService {
    async fn load_segment(
        &self,
        request: Request<LoadSegmentRequest>,
    ) -> Result<Response<LoadSegmentResponse>, Status> {
        let LoadSegmentRequest { segment, instruction } = request.into_inner();
        let segment: PublishedSegment = read("segment", &segment)?;
        let (host, instruction) = (Arc::clone(&self.host), instruction_of(instruction));
        // A coordinator that hangs up does not leave a file half fetched.
        let loading = async move { host.load(&segment, instruction).await };
        let loaded = henge_platform::runtime::spawn(loading).await;
        let failure = failure_of(loaded.map_err(|error| given_up(&error))?);
        Ok(Response::new(LoadSegmentResponse { failure }))
    }

    async fn drop_segment(
        &self,
        request: Request<DropSegmentRequest>,
    ) -> Result<Response<DropSegmentResponse>, Status> {
        let DropSegmentRequest { segment_id, instruction } = request.into_inner();
        let id: SegmentId = read("segment_id", &segment_id)?;
        let (host, instruction) = (Arc::clone(&self.host), instruction_of(instruction));
        let dropping = async move { host.unload(&id, instruction).await };
        let dropped = henge_platform::runtime::spawn(dropping).await;
        let failure = failure_of(dropped.map_err(|error| given_up(&error))?);
        Ok(Response::new(DropSegmentResponse { failure }))
    }
}

fn read<T: DeserializeOwned>(field: &str, json: &[u8]) -> Result<T, Status> {
    serde_json::from_slice(json).map_err(|error| {
        status(ErrorClass::InvalidInput, &format!("field '{field}' cannot be read: {error}"))
    })
}

/// One that is missing is the earliest.
fn instruction_of(message: Option<InstructionMessage>) -> Instruction {
    let InstructionMessage { epoch, number } = message.unwrap_or_default();
    Instruction { epoch, number }
}

fn message_of(instruction: Instruction) -> Option<InstructionMessage> {
    let Instruction { epoch, number } = instruction;
    Some(InstructionMessage { epoch, number })
}

fn given_up(error: &tokio::task::JoinError) -> Status {
    status(ErrorClass::Internal, &format!("the work was given up: {error}"))
}

fn failure_of(outcome: Result<(), HostError>) -> Option<HostFailure> {
    let HostError { server: _, reason, class } = outcome.err()?;
    Some(HostFailure { error_class: class.code().to_owned(), reason })
}

/// The node at `place`, behind `channel`.
///
/// # Errors
/// When the name of the cluster or its token cannot be sent.
pub fn connect_host(
    place: Place,
    channel: Channel,
    key: &ClusterKey,
) -> Result<impl SegmentHost + use<>, RpcError> {
    let client = SegmentHostClient::with_interceptor(channel, Introduce::of(key)?);
    Ok(GrpcHost { place, client })
}

/// A node of another process.
#[derive(Debug)]
struct GrpcHost {
    place: Place,
    client: SegmentHostClient<InterceptedService<Channel, Introduce>>,
}

impl GrpcHost {
    fn failed(&self, class: ErrorClass, reason: String) -> HostError {
        HostError { server: self.place.server.to_string(), reason, class }
    }

    fn not_reached(&self, status: &Status) -> HostError {
        self.failed(class_of(status), reason_of(&self.place.address, status))
    }

    fn outcome(&self, failure: Option<HostFailure>) -> Result<(), HostError> {
        let Some(HostFailure { error_class, reason }) = failure else { return Ok(()) };
        let class = ErrorClass::of_code(&error_class).unwrap_or(ErrorClass::Internal);
        Err(self.failed(class, reason))
    }

    fn written(&self, value: &impl Serialize) -> Result<Bytes, HostError> {
        let json = serde_json::to_vec(value);
        json.map(Bytes::from).map_err(|error| self.failed(ErrorClass::Internal, error.to_string()))
    }
}

#[async_trait]
impl SegmentHost for GrpcHost {
    fn server_id(&self) -> &ServerId {
        &self.place.server
    }

    async fn load(
        &self,
        segment: &PublishedSegment,
        instruction: Instruction,
    ) -> Result<(), HostError> {
        let instruction = message_of(instruction);
        let request = LoadSegmentRequest { segment: self.written(segment)?, instruction };
        let answer = self.client.clone().load_segment(request).await;
        let answer = answer.map_err(|status| self.not_reached(&status))?;
        self.outcome(answer.into_inner().failure)
    }

    async fn unload(&self, id: &SegmentId, instruction: Instruction) -> Result<(), HostError> {
        let (segment_id, instruction) = (self.written(id)?, message_of(instruction));
        let mut request = Request::new(DropSegmentRequest { segment_id, instruction });
        request.set_timeout(DROP_TIMEOUT);
        let answer = self.client.clone().drop_segment(request).await;
        let answer = answer.map_err(|status| self.not_reached(&status))?;
        self.outcome(answer.into_inner().failure)
    }
}

#[cfg(test)]
mod tests {
    //! What every [`SegmentHost`] does, in the process of who tells it and over gRPC.

    use henge_platform::rpc::{RpcOptions, RpcServices, endpoint, serve};
    use henge_types::{Interval, ShardSpec, Version};
    use parking_lot::Mutex;
    use tokio::net::TcpListener;
    use tokio::sync::Notify;
    use tonic::service::Routes;

    use super::*;

    const CLUSTER: &str = "b3a2";

    /// Notes what it is told, and fails for one partition.
    #[derive(Debug)]
    struct Noting {
        server_id: ServerId,
        told: Mutex<Vec<String>>,
        waiting: Notify,
        go_on: Notify,
    }

    /// A segment that cannot be loaded, and one whose load waits.
    const DAMAGED: u32 = 7;
    const SLOW: u32 = 8;

    #[async_trait]
    impl SegmentHost for Noting {
        fn server_id(&self) -> &ServerId {
            &self.server_id
        }

        async fn load(
            &self,
            segment: &PublishedSegment,
            instruction: Instruction,
        ) -> Result<(), HostError> {
            if segment.id.partition == SLOW {
                self.waiting.notify_one();
                self.go_on.notified().await;
            }
            self.told.lock().push(format!("load {segment:?} by {instruction:?}"));
            self.outcome(segment.id.partition)
        }

        async fn unload(&self, id: &SegmentId, instruction: Instruction) -> Result<(), HostError> {
            self.told.lock().push(format!("drop {id} by {instruction:?}"));
            self.outcome(id.partition)
        }
    }

    impl Noting {
        fn outcome(&self, partition: u32) -> Result<(), HostError> {
            let (server, reason) = (self.server_id.to_string(), "é: \"rotten\"\n".repeat(1_000));
            match partition {
                DAMAGED => Err(HostError { server, reason, class: ErrorClass::Corrupt }),
                _ => Ok(()),
            }
        }
    }

    fn segment(partition: u32) -> PublishedSegment {
        let interval = Interval { start_ms: 0, end_ms: 86_400_000 };
        PublishedSegment {
            id: SegmentId::new("wiki_é", interval, Version(7), partition),
            shard_spec: ShardSpec::numbered(partition, 9),
            object_key: "wiki/7".into(),
            size_bytes: u64::MAX,
            checksum: u64::MAX - 1,
            row_count: 5,
            min_time_ms: -1,
            max_time_ms: i64::MAX,
            schema_json: "{\"columns\":[]}".into(),
        }
    }

    fn told(epoch: u64, number: u64) -> Instruction {
        Instruction { epoch, number }
    }

    fn noting() -> Arc<Noting> {
        Arc::new(Noting {
            server_id: "historical-0".into(),
            told: Mutex::default(),
            waiting: Notify::new(),
            go_on: Notify::new(),
        })
    }

    async fn over_grpc(host: Arc<dyn SegmentHost>, caller: &str) -> impl SegmentHost + use<> {
        let place = Place { server: Arc::clone(host.server_id()), address: "".into() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let services = RpcServices {
            routes: Routes::new(host_service(host, CLUSTER.into())),
            ..RpcServices::default()
        };
        let options = RpcOptions::default();
        henge_platform::runtime::spawn(serve(listener, services, options, std::future::pending()));
        let channel = endpoint(&address, &options).unwrap().connect_lazy();
        connect_host(Place { address: address.into(), ..place }, channel, &caller.into()).unwrap()
    }

    /// A host as it is, and the same over gRPC.
    async fn ways() -> [(Arc<Noting>, Arc<dyn SegmentHost>); 2] {
        let (near, far) = (noting(), noting());
        let over: Arc<dyn SegmentHost> = Arc::new(over_grpc(Arc::clone(&far) as _, CLUSTER).await);
        [(Arc::clone(&near), near as _), (far, over)]
    }

    #[tokio::test]
    async fn hosts_are_told_what_to_hold_to_the_last_bit() {
        for (noting, host) in ways().await {
            assert_eq!(&**host.server_id(), "historical-0");
            let (first, last) = (told(7, 1), told(u64::MAX, u64::MAX - 1));
            host.load(&segment(0), first).await.unwrap();
            host.unload(&segment(3).id, last).await.unwrap();
            let expected = [
                format!("load {:?} by {first:?}", segment(0)),
                format!("drop {} by {last:?}", segment(3).id),
            ];
            assert_eq!(*noting.told.lock(), expected);
        }
    }

    #[tokio::test]
    async fn why_a_host_did_not_is_told_whole() {
        for (noting, host) in ways().await {
            let expected = noting.outcome(DAMAGED).unwrap_err();
            let load = host.load(&segment(DAMAGED), told(1, 1)).await.unwrap_err();
            let unload = host.unload(&segment(DAMAGED).id, told(1, 2)).await.unwrap_err();
            for error in [load, unload] {
                assert_eq!((error.class, &error.reason), (expected.class, &expected.reason));
                assert_eq!(error.server, expected.server);
            }
        }
    }

    #[tokio::test]
    async fn a_load_that_began_goes_on_when_its_coordinator_hangs_up() {
        let noting = noting();
        let host = over_grpc(Arc::clone(&noting) as _, CLUSTER).await;
        let call = async move { host.load(&segment(SLOW), told(1, 1)).await };
        let call = henge_platform::runtime::spawn(call);
        noting.waiting.notified().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        noting.go_on.notify_one();
        while noting.told.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn f_34_strangers_are_refused_and_hosts_that_are_away_are_named() {
        let noting = noting();
        let stranger = over_grpc(Arc::clone(&noting) as _, "c0de").await;
        let error = stranger.load(&segment(0), told(1, 1)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::InvalidInput);
        assert!(error.to_string().contains("c0de"), "{error}");
        assert!(noting.told.lock().is_empty());

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let channel = endpoint(&address, &RpcOptions::default()).unwrap().connect_lazy();
        let place = Place { server: "historical-1".into(), address: address.as_str().into() };
        let away = connect_host(place, channel, &CLUSTER.into()).unwrap();
        let error = away.unload(&segment(0).id, told(1, 1)).await.unwrap_err();
        assert_eq!((error.class, error.server.as_str()), (ErrorClass::Unavailable, "historical-1"));
        assert!(error.reason.contains(&address), "{error}");
    }
}
