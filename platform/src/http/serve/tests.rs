//! Real sockets: fallbacks, request ids, slow headers, shutdown.

use axum::middleware::from_fn;
use axum::routing::{delete, get};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::super::{assign_request_id, with_fallbacks};
use super::*;

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

async fn start(options: ServeOptions) -> Server {
    // Takes `sql` for an id.
    let by_id = delete(|| async { "deleted" });
    let router = Router::new().route("/ok", get(|| async { "fine" }));
    let router = router.route("/druid/v2/{id}", by_id).route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "late"
        }),
    );
    let router = with_fallbacks(router).layer(from_fn(assign_request_id));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let done = tokio::spawn(serve(listener, router, options, async {
        let _ = stopped.await;
    }));
    Server { address, stop, done }
}

/// Sends raw bytes and reads until the server closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before all is sent.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn unknown_routes_and_methods_answer_json() {
    let server = start(ServeOptions::default()).await;
    let ok = exchange(server.address, &request("GET", "/ok")).await;
    assert!(ok.starts_with("HTTP/1.1 200") && ok.ends_with("fine"), "{ok}");
    assert!(ok.contains("x-request-id: "), "{ok}");
    let missing = exchange(server.address, &request("GET", "/nothing")).await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    assert!(missing.contains("\"category\":\"NOT_FOUND\""), "{missing}");
    let method = exchange(server.address, &request("DELETE", "/ok")).await;
    assert!(method.starts_with("HTTP/1.1 405"), "{method}");
    assert!(method.contains("\"errorMessage\":\"method DELETE is not allowed"), "{method}");
}

#[tokio::test]
async fn what_druid_has_and_is_not_built_says_so_whatever_the_method() {
    let server = start(ServeOptions::default()).await;
    for (method, path) in [
        ("POST", "/druid/v2/sql/task"),
        ("POST", "/druid/v2/sql/task/"),
        ("GET", "/druid/v2/sql/task"),
    ] {
        let answer = exchange(server.address, &request(method, path)).await;
        assert!(answer.starts_with("HTTP/1.1 501"), "{method} {path}: {answer}");
        assert!(answer.contains("is not built yet"), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn a_client_s_request_id_is_kept_only_when_plain() {
    let server = start(ServeOptions::default()).await;
    let with = |id: &str| {
        format!("GET /ok HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\nconnection: close\r\n\r\n")
    };
    assert!(exchange(server.address, &with("abc-1")).await.contains("x-request-id: abc-1"));
    assert!(!exchange(server.address, &with("<b>")).await.contains("<b>"));
}

#[tokio::test]
async fn h_54_slow_headers_are_cut_off() {
    let options =
        ServeOptions { header_timeout: Duration::from_millis(200), ..ServeOptions::default() };
    let server = start(options).await;
    let started = std::time::Instant::now();
    let answer = exchange(server.address, "GET /ok HTTP/1.1\r\nhost: x\r\nx-a: ").await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn h_57_huge_headers_are_refused() {
    let server = start(ServeOptions::default()).await;
    let line = format!("x-a: {}\r\n", "y".repeat(400_000));
    let request = format!("GET /ok HTTP/1.1\r\nhost: x\r\n{line}connection: close\r\n\r\n");
    let answer = exchange(server.address, &request).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn shutdown_finishes_requests_at_work() {
    let server = start(ServeOptions::default()).await;
    let address = server.address;
    let slow = tokio::spawn(async move { exchange(address, &request("GET", "/slow")).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.send(()).unwrap();
    assert!(slow.await.unwrap().ends_with("late"));
    tokio::time::timeout(Duration::from_secs(5), server.done).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn h_55_connections_above_the_limit_are_closed() {
    let server = start(ServeOptions { max_connections: 1, ..ServeOptions::default() }).await;
    let _held = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let mut buffer = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(5), second.read(&mut buffer)).await;
    assert!(matches!(read.unwrap(), Ok(0) | Err(_)));
}
