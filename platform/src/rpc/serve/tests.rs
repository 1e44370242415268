//! Health, reflection, and who is let in.

use futures::StreamExt;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Shown;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::super::channel::endpoint;
use super::*;

/// A server without services of its own, what stops it, and a channel to it.
async fn started(
    options: RpcOptions,
) -> (tokio::task::JoinHandle<io::Result<()>>, oneshot::Sender<()>, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let served = tokio::spawn(serve(listener, RpcServices::default(), options, shutdown));
    (served, stop, endpoint(&address, &options).unwrap().connect_lazy())
}

fn of_everything() -> HealthCheckRequest {
    HealthCheckRequest { service: String::new() }
}

#[tokio::test]
async fn health_is_good_until_the_server_stops() {
    let options = RpcOptions { shutdown_grace: Duration::from_millis(50), ..RpcOptions::default() };
    let (served, stop, channel) = started(options).await;
    let mut client = HealthClient::new(channel);
    let answer = client.check(of_everything()).await.unwrap().into_inner();
    assert_eq!(answer.status(), Shown::Serving);

    // A watcher is told, and does not keep the server from stopping.
    let mut watch = client.watch(of_everything()).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), Shown::Serving);
    stop.send(()).unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), Shown::NotServing);
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn reflection_names_what_is_served() {
    let (_served, _stop, channel) = started(RpcOptions::default()).await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = futures::stream::once(async { request });
    let mut answers =
        ServerReflectionClient::new(channel).server_reflection_info(requests).await.unwrap();
    let answer = answers.get_mut().next().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<&str> = listed.service.iter().map(|service| &*service.name).collect();
    assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed() {
    let options = RpcOptions { max_connections: 1, ..RpcOptions::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(serve(listener, RpcServices::default(), options, std::future::pending()));
    let endpoint = endpoint(&address, &options).unwrap();
    let mut first = HealthClient::new(endpoint.connect_lazy());
    first.check(of_everything()).await.unwrap();
    assert!(HealthClient::new(endpoint.connect_lazy()).check(of_everything()).await.is_err());
    first.check(of_everything()).await.unwrap();
}
