//! The endpoints, asked as clients ask them.

mod config;
mod datasources;
mod leading;
mod lookups;
mod mark;
mod metadata;
mod nodes;
mod rules;
mod servers;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use henge_types::SegmentId;
use serde_json::Value;
use tower::ServiceExt;

use crate::testing::Setup;
use crate::{Coordinator, Leadership};

const V1: &str = "/druid/coordinator/v1";
const HENGE: &str = "/henge/v1/coordinator";

/// A coordinator that leads, and its endpoints.
struct Api {
    setup: Setup,
    coordinator: Arc<Coordinator>,
    router: Router,
}

impl Api {
    /// Over these nodes, which have loaded some days of datasource `d`.
    async fn over(nodes: &[(&str, &str)], days: std::ops::Range<i64>) -> (Self, Vec<SegmentId>) {
        let setup = Setup::new();
        nodes.iter().for_each(|(name, zone)| drop(setup.host(name, zone)));
        let ids = setup.publish(days).await;
        let coordinator = setup.coordinator(1, Leadership::alone());
        coordinator.run_once().await.unwrap();
        let router = super::router(Arc::clone(&coordinator));
        (Self { setup, coordinator, router }, ids)
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let body = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&body).as_ref().into()),
        };
        (status, body)
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("x-druid-author", "ann")
            .header("x-druid-comment", "why");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// What a GET answers when all is well.
    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn druid(&self, path: &str) -> Value {
        self.get(&format!("{V1}{path}")).await
    }

    async fn post(&self, path: &str, body: &str) -> (StatusCode, Value) {
        self.ask(Method::POST, path, body).await
    }

    async fn delete(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::DELETE, path, "").await
    }
}

/// Where an error says what is wrong.
fn message(body: &Value) -> &str {
    body["errorMessage"].as_str().unwrap_or_default()
}
