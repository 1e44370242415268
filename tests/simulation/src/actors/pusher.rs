//! Pushes batches with idempotency keys, and sends each again until it is acknowledged.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::{Stage, pause};
use crate::cluster::REALTIME;
use crate::model::Event;

const DAYS: i64 = 4;
const CITIES: i64 = 5;

pub(super) async fn run(stage: Stage, number: u64) {
    let mut random = stage.random(100 + number);
    let client = format!("pusher-{number}");
    let mut batch = 0;
    while !stage.is_over() {
        let events = make(&stage, &mut random);
        stage.model.sent(&events);
        send(&stage, &mut random, &client, &format!("{client}/{batch}"), &events).await;
        stage.model.acknowledged(&events);
        batch += 1;
        pause(&mut random, 400).await;
    }
}

fn make(stage: &Stage, random: &mut StdRng) -> Vec<Event> {
    let count = if random.random_bool(0.1) { 60 } else { random.random_range(1..12) };
    let day = random.random_range(1..=DAYS);
    let spread = random.random_bool(0.3);
    (0..count)
        .map(|_| Event {
            day: if spread { random.random_range(1..=DAYS) } else { day },
            city: random.random_range(0..CITIES),
            number: stage.model.number(),
        })
        .collect()
}

async fn send(stage: &Stage, random: &mut StdRng, client: &str, key: &str, events: &[Event]) {
    let lines: Vec<String> = events
        .iter()
        .map(|event| {
            let time = format!("2020-01-{:02}T{:02}:00:00Z", event.day, event.number % 24);
            json!({"t": time, "city": format!("c{}", event.city), "n": event.number}).to_string()
        })
        .collect();
    let body = lines.join("\n");
    loop {
        let request = Request::post("/v1/datasources/t/events")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.clone()));
        let Ok(request) = request else { return };
        match stage.cluster.request(client, REALTIME, request).await {
            Some((StatusCode::OK, answer)) => {
                let again = String::from_utf8_lossy(&answer).contains("\"duplicate\":true");
                stage.tally.count("pushes acknowledged", 1);
                stage.tally.count("events acknowledged", events.len() as u64);
                stage.tally.count("pushes acknowledged again", u64::from(again));
                return;
            }
            Some((status, answer)) if status.is_client_error() && status.as_u16() != 429 => {
                let text = String::from_utf8_lossy(&answer);
                stage.tally.violation(format!("push {key} was refused: {status} {text}"));
                return;
            }
            Some(_) => stage.tally.count("pushes failed", 1),
            None => stage.tally.count("pushes without an answer", 1),
        }
        pause(random, 1_500).await;
    }
}
