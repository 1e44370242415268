//! A server in this process, for tests: real HTTP on a free port, a temporary data directory.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use henge_platform::config::ServerConfig;
use henge_platform::rpc::{RpcOptions, endpoint};
use henge_server::Running;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::transport::Channel;

/// How long blocking work of a stopped server is waited for.
const END: Duration = Duration::from_secs(30);

/// A server and its data directory. Restarting keeps the data.
#[derive(Debug)]
pub struct TestServer {
    runtime: Runtime,
    running: Option<Running>,
    config: ServerConfig,
    agent: ureq::Agent,
    _data_dir: TempDir,
}

impl TestServer {
    /// Starts with small hand-off limits, so that tests see hand-offs.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(|_| ())
    }

    /// As [`TestServer::start`], with other settings.
    #[must_use]
    pub fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let data_dir = tempfile::tempdir().expect("make a temporary directory");
        let mut config = ServerConfig { port: 0, ..ServerConfig::default() };
        config.data_dir = data_dir.path().to_owned();
        config.query.threads = 2;
        // All of these tests hold over a wire, too.
        config.query.encode_calls =
            std::env::var("HENGE_QUERY__ENCODE_CALLS").is_ok_and(|set| set == "true");
        change(&mut config);
        Self::start_on(config, data_dir)
    }

    /// Starts on a data folder that is there.
    #[must_use]
    pub fn start_on(config: ServerConfig, data_dir: TempDir) -> Self {
        let runtime = runtime();
        let running =
            runtime.block_on(henge_server::start(&config, None)).expect("start the server");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { runtime, running: Some(running), config, agent, _data_dir: data_dir }
    }

    /// A channel of gRPC to the server, and the runtime that it works on.
    #[must_use]
    pub fn grpc(&self) -> (Channel, &Runtime) {
        let address = self.running.as_ref().and_then(|running| running.grpc).expect("listens");
        let _runtime = self.runtime.enter();
        let endpoint = endpoint(&address.to_string(), &RpcOptions::default()).expect("an address");
        (endpoint.connect_lazy(), &self.runtime)
    }

    /// Stops and starts again on the same data.
    pub fn restart(&mut self) {
        self.restart_after(|_| ());
    }

    /// Stops, lets `change` do what it wants to the data directory, and starts again.
    pub fn restart_after(&mut self, change: impl FnOnce(&Path)) {
        self.stop();
        change(&self.config.data_dir);
        let started = self.runtime.block_on(henge_server::start(&self.config, None));
        self.running = Some(started.expect("start the server again"));
    }

    /// Stops as SIGTERM does; its data stay.
    pub fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        let lock = self.runtime.block_on(running.stop());
        // What goes on in the background ends here, as with a process.
        std::mem::replace(&mut self.runtime, runtime()).shutdown_timeout(END);
        drop(lock);
        // SQLite closes on threads of its own, and moves its journal into its file while it does.
        while holds_open(&self.config.data_dir.join("metadata.sqlite")) {
            std::thread::yield_now();
        }
    }

    /// Stops and starts again on the same data with other settings.
    pub fn restart_with(&mut self, change: impl FnOnce(&mut ServerConfig)) {
        change(&mut self.config);
        self.restart();
    }

    /// Where everything is kept.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.config.data_dir
    }

    /// Hands off everything that is buffered.
    pub fn flush(&self) {
        self.runtime.block_on(self.running().flush());
    }

    /// Its settings, with the data directory.
    #[must_use]
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// The server.
    #[must_use]
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    /// Sends a request; gives the status and the answer's JSON (null when it is none).
    #[must_use]
    pub fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, Value) {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.running().url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("build the request");
        let mut response = self.agent.run(request).expect("send the request");
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_vec().expect("read the answer");
        (status, serde_json::from_slice(&text).unwrap_or(Value::Null))
    }

    /// Posts a query; gives the status, the headers and the answer's text.
    #[must_use]
    pub fn query(
        &self,
        query: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, ureq::http::HeaderMap, String) {
        let (status, headers, bytes) = self.query_bytes(query, headers);
        (status, headers, String::from_utf8(bytes).expect("an answer in UTF-8"))
    }

    /// As [`TestServer::query`], for an answer that is no text.
    #[must_use]
    pub fn query_bytes(
        &self,
        query: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, ureq::http::HeaderMap, Vec<u8>) {
        self.post_bytes("/druid/v2", query.to_string().as_bytes(), headers)
    }

    /// Posts a statement of SQL; gives the status, the headers and the answer's text.
    #[must_use]
    pub fn sql(
        &self,
        request: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, ureq::http::HeaderMap, String) {
        let body = request.to_string();
        let (status, headers, bytes) = self.post_bytes("/druid/v2/sql", body.as_bytes(), headers);
        (status, headers, String::from_utf8(bytes).expect("an answer in UTF-8"))
    }

    /// Posts a body; gives the status, the headers and the answer's bytes.
    #[must_use]
    pub fn post_bytes(
        &self,
        path: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> (u16, ureq::http::HeaderMap, Vec<u8>) {
        let mut request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}{path}", self.running().url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("build the request");
        let mut response = self.agent.run(request).expect("send the request");
        let bytes = response.body_mut().read_to_vec().expect("read the answer");
        (response.status().as_u16(), response.headers().clone(), bytes)
    }

    /// Gets a text.
    #[must_use]
    pub fn text(&self, path: &str) -> String {
        let url = format!("{}{path}", self.running().url);
        let mut response = self.agent.get(url).call().expect("send the request");
        response.body_mut().read_to_string().expect("read the answer")
    }

    /// Posts JSON and wants a 200.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call("POST", path, &[], body.to_string().as_bytes());
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Creates a datasource with string dimensions `a` and `b` and a LONG dimension `x`.
    pub fn create(&self, datasource: &str) {
        let schema = json!({
            "timestampSpec": { "column": "t", "format": "auto" },
            "dimensionsSpec": { "dimensions": ["a", "b", { "type": "long", "name": "x" }] },
            "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
        });
        let path = format!("/v1/datasources/{datasource}");
        let (status, answer) = self.call("PUT", &path, &[], schema.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
    }

    /// Pushes a body.
    #[must_use]
    pub fn push(&self, datasource: &str, body: &[u8]) -> (u16, Value) {
        self.call("POST", &format!("/v1/datasources/{datasource}/events"), &[], body)
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self, datasource: &str) -> u64 {
        let answer = self.post("/druid/v2", &count_query(datasource));
        answer[0]["result"]["rows"].as_u64().unwrap_or(0)
    }
}

/// One life of a server.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("start a runtime")
}

/// Counts the rows of a datasource.
#[must_use]
pub fn count_query(datasource: &str) -> Value {
    json!({
        "queryType": "timeseries", "dataSource": datasource, "intervals": ["1000/3000"],
        "granularity": "all", "aggregations": [{ "type": "count", "name": "rows" }],
    })
}

/// True while this process has the file open.
fn holds_open(path: &Path) -> bool {
    let handles = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    handles.filter_map(|handle| std::fs::read_link(handle.path()).ok()).any(|held| held == path)
}
