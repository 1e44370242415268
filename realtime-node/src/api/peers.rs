//! `henge.v1.RealtimePeer`: what realtime nodes of other processes ask, and the way to ask them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use henge_platform::rpc::{Introduce, RefuseStrangers, class_of, reason_of};
use henge_platform::wal::{WalEntry, WalRecord};
use henge_proto::v1::append_log_response::Outcome as LogOutcome;
use henge_proto::v1::forward_push_response::Outcome as PushOutcome;
use henge_proto::v1::realtime_peer_client::RealtimePeerClient;
use henge_proto::v1::realtime_peer_server::{RealtimePeer as Rpc, RealtimePeerServer};
use henge_proto::v1::{
    AppendLogRequest, AppendLogResponse, AppendedLog, ForwardPushRequest, ForwardPushResponse,
    LogEnd as RpcLogEnd, LogRecord, PeerFailed, RefreshDatasourcesRequest,
    RefreshDatasourcesResponse, StopTaskRequest, StopTaskResponse, UnknownCopy,
};
use henge_types::ErrorClass;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::error::{RealtimeError, Result};
use crate::peers::{Appended, CopyId, Forwarded, ForwardedPush, LogAppend, LogEnd, RealtimePeer};

/// Most bytes of a message: a request, or records of a log, of which one is sent at least.
const MAX_MESSAGE_BYTES: usize = 512 << 20;

/// How long an answer is waited for. What was asked may be done all the same.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The service as it is added to a server.
pub type PeerRoute = InterceptedService<RealtimePeerServer<PeerService>, RefuseStrangers>;

/// Serves a node to the other realtime nodes of its cluster.
#[must_use]
pub fn peer_service(node: Arc<dyn RealtimePeer>, strangers: RefuseStrangers) -> PeerRoute {
    let service = RealtimePeerServer::new(PeerService { node });
    InterceptedService::new(service.max_decoding_message_size(MAX_MESSAGE_BYTES), strangers)
}

/// The realtime node `node` at `address` (host and port), behind `channel`.
#[must_use]
pub fn connect_peer(
    node: Arc<str>,
    address: Arc<str>,
    channel: Channel,
    introduce: Introduce,
) -> Arc<dyn RealtimePeer> {
    let client = RealtimePeerClient::with_interceptor(channel, introduce);
    Arc::new(GrpcPeer { node, address, client })
}

/// Answers for a realtime node.
#[derive(Debug)]
pub struct PeerService {
    node: Arc<dyn RealtimePeer>,
}

#[tonic::async_trait]
impl Rpc for PeerService {
    async fn forward_push(
        &self,
        request: Request<ForwardPushRequest>,
    ) -> Result<Response<ForwardPushResponse>, Status> {
        let ForwardPushRequest { datasource, events, idempotency_key } = request.into_inner();
        let push = ForwardedPush { datasource, body: events, key: idempotency_key.into() };
        let outcome = match self.node.push(push).await {
            Ok(Forwarded::Stored(json)) => PushOutcome::Stored(json),
            Ok(Forwarded::OtherOwner(node)) => PushOutcome::OtherOwner(node.to_string()),
            Err(error) => PushOutcome::Failed(failed(&error)),
        };
        Ok(Response::new(ForwardPushResponse { outcome: Some(outcome) }))
    }

    async fn refresh_datasources(
        &self,
        _request: Request<RefreshDatasourcesRequest>,
    ) -> Result<Response<RefreshDatasourcesResponse>, Status> {
        let failed = self.node.refresh().await.err().map(|error| failed(&error));
        Ok(Response::new(RefreshDatasourcesResponse { failed }))
    }

    async fn stop_task(
        &self,
        request: Request<StopTaskRequest>,
    ) -> Result<Response<StopTaskResponse>, Status> {
        let stopped = self.node.stop_task(&request.into_inner().task_id).await;
        let failed = stopped.err().map(|error| failed(&error));
        Ok(Response::new(StopTaskResponse { failed }))
    }

    async fn append_log(
        &self,
        request: Request<AppendLogRequest>,
    ) -> Result<Response<AppendLogResponse>, Status> {
        let outcome = match self.node.append_log(read_append(request.into_inner())).await {
            Ok(Appended::Durable) => LogOutcome::Durable(AppendedLog {}),
            Ok(Appended::EndsAt(end)) => LogOutcome::EndsAt(written_end(end)),
            Ok(Appended::Unknown) => LogOutcome::Unknown(UnknownCopy {}),
            Err(error) => LogOutcome::Failed(failed(&error)),
        };
        Ok(Response::new(AppendLogResponse { outcome: Some(outcome) }))
    }
}

fn failed(error: &RealtimeError) -> PeerFailed {
    PeerFailed { error_class: error.class().code().to_owned(), message: error.to_string() }
}

/// A node of another process.
#[derive(Debug)]
struct GrpcPeer {
    node: Arc<str>,
    address: Arc<str>,
    client: RealtimePeerClient<InterceptedService<Channel, Introduce>>,
}

impl GrpcPeer {
    fn not_reached(&self, status: &Status) -> RealtimeError {
        let message =
            format!("realtime node '{}': {}", self.node, reason_of(&self.address, status));
        match class_of(status) {
            ErrorClass::Unavailable | ErrorClass::Timeout => RealtimeError::NotReached(message),
            class => RealtimeError::Remote { class, message },
        }
    }

    fn said(&self, failed: PeerFailed) -> RealtimeError {
        let class = ErrorClass::of_code(&failed.error_class).unwrap_or(ErrorClass::Internal);
        RealtimeError::Remote { class, message: failed.message }
    }

    fn settled(&self, failed: Option<PeerFailed>) -> Result<()> {
        failed.map_or(Ok(()), |failed| Err(self.said(failed)))
    }

    fn nothing(&self) -> RealtimeError {
        let message = format!("realtime node '{}' gave an answer of another version", self.node);
        RealtimeError::Remote { class: ErrorClass::Unavailable, message }
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}

#[async_trait]
impl RealtimePeer for GrpcPeer {
    async fn push(&self, push: ForwardedPush) -> Result<Forwarded> {
        let ForwardedPush { datasource, body, key } = push;
        let idempotency_key = key.to_string();
        let request = ForwardPushRequest { datasource, events: body, idempotency_key };
        let answer = self.client.clone().forward_push(timed(request)).await;
        match answer.map_err(|status| self.not_reached(&status))?.into_inner().outcome {
            Some(PushOutcome::Stored(json)) => Ok(Forwarded::Stored(json)),
            Some(PushOutcome::OtherOwner(node)) => Ok(Forwarded::OtherOwner(node.into())),
            Some(PushOutcome::Failed(failed)) => Err(self.said(failed)),
            None => Err(self.nothing()),
        }
    }

    async fn refresh(&self) -> Result<()> {
        let request = timed(RefreshDatasourcesRequest {});
        let answer = self.client.clone().refresh_datasources(request).await;
        self.settled(answer.map_err(|status| self.not_reached(&status))?.into_inner().failed)
    }

    async fn stop_task(&self, id: &str) -> Result<()> {
        let request = timed(StopTaskRequest { task_id: id.to_owned() });
        let answer = self.client.clone().stop_task(request).await;
        self.settled(answer.map_err(|status| self.not_reached(&status))?.into_inner().failed)
    }

    async fn append_log(&self, append: LogAppend) -> Result<Appended> {
        let answer = self.client.clone().append_log(timed(written_append(append))).await;
        match answer.map_err(|status| self.not_reached(&status))?.into_inner().outcome {
            Some(LogOutcome::Durable(_)) => Ok(Appended::Durable),
            Some(LogOutcome::EndsAt(end)) => Ok(Appended::EndsAt(read_end(end))),
            Some(LogOutcome::Unknown(_)) => Ok(Appended::Unknown),
            Some(LogOutcome::Failed(failed)) => Err(self.said(failed)),
            None => Err(self.nothing()),
        }
    }
}

fn read_end(end: RpcLogEnd) -> LogEnd {
    LogEnd { sequence: end.sequence, hash: end.hash }
}

fn written_end(end: LogEnd) -> RpcLogEnd {
    RpcLogEnd { sequence: end.sequence, hash: end.hash }
}

fn read_append(request: AppendLogRequest) -> LogAppend {
    let AppendLogRequest { owner, datasource, attempt, epoch, after, begins, .. } = request;
    let record = |record: LogRecord| WalRecord {
        sequence: record.sequence,
        entry: WalEntry {
            received_at_ms: record.received_at_ms,
            schema_version: record.schema_version,
            flags: record.flags as u8,
            idempotency_key: record.idempotency_key.map(Into::into),
            context: record.context,
            payload: record.payload,
        },
    };
    LogAppend {
        copy: CopyId { owner: owner.into(), datasource: datasource.into(), attempt },
        epoch,
        after: read_end(after.unwrap_or_default()),
        begins,
        needed_from: request.needed_from,
        is_recorded: request.is_recorded,
        records: request.records.into_iter().map(record).collect(),
    }
}

fn written_append(append: LogAppend) -> AppendLogRequest {
    let LogAppend { copy, epoch, after, begins, needed_from, is_recorded, records } = append;
    let record = |WalRecord { sequence, entry }: WalRecord| LogRecord {
        sequence,
        received_at_ms: entry.received_at_ms,
        schema_version: entry.schema_version,
        flags: u32::from(entry.flags),
        idempotency_key: entry.idempotency_key.map(|key| key.to_string()),
        context: entry.context,
        payload: entry.payload,
    };
    AppendLogRequest {
        owner: copy.owner.to_string(),
        datasource: copy.datasource.to_string(),
        attempt: copy.attempt,
        epoch,
        after: Some(written_end(after)),
        begins,
        needed_from,
        is_recorded,
        records: records.into_iter().map(record).collect(),
    }
}

#[cfg(test)]
mod tests {
    //! What every [`RealtimePeer`] does, in the process of who asks and over gRPC.

    use henge_platform::rpc::{ClusterKey, RpcOptions, RpcServices, endpoint, serve};
    use parking_lot::Mutex;
    use tokio::net::TcpListener;
    use tonic::service::Routes;

    use super::*;
    use crate::api::NetworkPeers;
    use crate::peers::{Peer, Peers};

    const CLUSTER: &str = "b3a2";

    /// Notes what it is asked, and answers in turn.
    #[derive(Debug, Default)]
    struct Noting {
        asked: Mutex<Vec<String>>,
    }

    impl Noting {
        fn note(&self, what: String) -> Result<()> {
            let mut asked = self.asked.lock();
            asked.push(what);
            match asked.len() % 3 {
                0 => Err(RealtimeError::Busy("é is full".into())),
                _ => Ok(()),
            }
        }
    }

    #[async_trait]
    impl RealtimePeer for Noting {
        async fn push(&self, push: ForwardedPush) -> Result<Forwarded> {
            self.note(format!("{push:?}"))?;
            Ok(match &*push.key {
                "mine" => Forwarded::Stored("{\"accepted\":1}".into()),
                _ => Forwarded::OtherOwner("c".into()),
            })
        }

        async fn refresh(&self) -> Result<()> {
            self.note("refresh".into())
        }

        async fn stop_task(&self, id: &str) -> Result<()> {
            self.note(id.to_owned())
        }

        async fn append_log(&self, append: LogAppend) -> Result<Appended> {
            self.note(format!("{append:?}"))?;
            Ok(match append.records.len() {
                0 => Appended::Unknown,
                1 => Appended::Durable,
                _ => Appended::EndsAt(LogEnd { sequence: u64::MAX, hash: 7 }),
            })
        }
    }

    async fn over_grpc(node: Arc<dyn RealtimePeer>, caller: &str) -> Arc<dyn RealtimePeer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let strangers = RefuseStrangers::but_of(ClusterKey::from(CLUSTER));
        let routes = Routes::new(peer_service(node, strangers));
        let services = RpcServices { routes, ..RpcServices::default() };
        let options = RpcOptions::default();
        henge_platform::runtime::spawn(serve(listener, services, options, std::future::pending()));
        assert!(endpoint(&address, &options).is_ok());
        let introduce = Introduce::of(&ClusterKey::from(caller)).unwrap();
        let peers = NetworkPeers::new(introduce, options);
        let peer = Peer { node: "b".into(), zone: "z".into(), http_address: "".into() };
        peers.set([(peer.clone(), address.into())]);
        assert_eq!((peers.live(), peers.reach("c").is_none()), (vec![peer], true));
        peers.reach("b").unwrap()
    }

    fn append(records: u64) -> LogAppend {
        let record = |sequence| WalRecord {
            sequence,
            entry: WalEntry {
                received_at_ms: -1,
                schema_version: 7,
                flags: 255,
                idempotency_key: (sequence > 1).then(|| "schl\u{fc}ssel".into()),
                context: vec![0, 1].into(),
                payload: vec![255; 100_000].into(),
            },
        };
        LogAppend {
            copy: CopyId { owner: "a".into(), datasource: "d \u{e9}".into(), attempt: u64::MAX },
            epoch: 9,
            after: LogEnd { sequence: 3, hash: u64::MAX },
            begins: true,
            needed_from: 2,
            is_recorded: records == 1,
            records: (1..=records).map(record).collect(),
        }
    }

    #[tokio::test]
    async fn f_15_f_34_nodes_are_asked_to_the_last_bit_and_strangers_are_refused() {
        let (near, far) = (Arc::new(Noting::default()), Arc::new(Noting::default()));
        let over = over_grpc(Arc::clone(&far) as _, CLUSTER).await;
        let stranger = over_grpc(Arc::clone(&far) as _, "c0de").await;
        assert_eq!(stranger.refresh().await.unwrap_err().class(), ErrorClass::InvalidInput);
        let mut answers = Vec::new();
        for peer in [Arc::clone(&near) as Arc<dyn RealtimePeer>, over] {
            let push = |key: &str| ForwardedPush {
                datasource: "d".into(),
                body: "{}".into(),
                key: key.into(),
            };
            let said = |error: RealtimeError| (error.class(), error.to_string());
            let mut told = Vec::new();
            for key in ["mine", "other", "refused"] {
                told.push(format!("{:?}", peer.push(push(key)).await.map_err(said)));
            }
            for records in [0, 1, 2, 2] {
                told.push(format!("{:?}", peer.append_log(append(records)).await.map_err(said)));
            }
            for id in ["t1", "t2"] {
                told.push(format!("{:?}", peer.stop_task(id).await.map_err(said)));
            }
            told.push(format!("{:?}", peer.refresh().await.map_err(said)));
            answers.push(told);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(*near.asked.lock(), *far.asked.lock());
        assert!(answers[0].iter().any(|told| told.contains("é is full")));
    }
}
