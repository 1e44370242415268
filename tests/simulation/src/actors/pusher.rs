//! Pushes batches through any realtime node: most with idempotency keys, again until they are acknowledged, and
//! some without a key, once.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::{Stage, any_realtime, pause};
use crate::cluster::Answer;
use crate::model::{DATASOURCES, DAYS, Event, WITHOUT_KEY};

pub(super) async fn run(stage: Stage, number: u64) {
    let mut random = stage.random(100 + number);
    let client = format!("pusher-{number}");
    let datasource = DATASOURCES[number as usize % DATASOURCES.len()];
    let mut batch = 0;
    while !stage.is_over() {
        let has_key = !random.random_bool(0.15);
        let events = make(&stage, &mut random, has_key);
        let push = Push {
            datasource,
            key: has_key.then(|| format!("{client}/{batch}")),
            body: lines_of(&events),
        };
        stage.model.sent(datasource, &events);
        if send(&stage, &mut random, &client, &push).await {
            stage.model.acknowledged(datasource, &events);
            stage.tally.count("pushes acknowledged", 1);
            stage.tally.count("events acknowledged", events.len() as u64);
        }
        batch += 1;
        pause(&mut random, 800).await;
    }
}

fn make(stage: &Stage, random: &mut StdRng, has_key: bool) -> Vec<Event> {
    let count = if random.random_bool(0.1) { 60 } else { random.random_range(1..12) };
    let day = random.random_range(1..=DAYS);
    let spread = random.random_bool(0.3);
    (0..count)
        .map(|_| Event {
            day: if spread { random.random_range(1..=DAYS) } else { day },
            city: if has_key { random.random_range(0..WITHOUT_KEY) } else { WITHOUT_KEY },
            number: stage.model.number(),
        })
        .collect()
}

fn lines_of(events: &[Event]) -> String {
    let line = |event: &Event| {
        let time = format!("2020-01-{:02}T{:02}:00:00Z", event.day, event.number % 24);
        json!({"t": time, "city": format!("c{}", event.city), "n": event.number}).to_string()
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

struct Push {
    datasource: &'static str,
    key: Option<String>,
    body: String,
}

/// True once it is acknowledged; false when that is not known, without a key.
async fn send(stage: &Stage, random: &mut StdRng, client: &str, push: &Push) -> bool {
    loop {
        let path = format!("/v1/datasources/{}/events", push.datasource);
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(key) = &push.key {
            request = request.header("idempotency-key", key);
        }
        let Ok(request) = request.body(Body::from(push.body.clone())) else { return false };
        match stage.cluster.request(client, any_realtime(random), request).await {
            Some(Answer { status: StatusCode::OK, body, .. }) => {
                let again = String::from_utf8_lossy(&body).contains("\"duplicate\":true");
                stage.tally.count("pushes acknowledged again", u64::from(again));
                return true;
            }
            Some(Answer { status, body, .. })
                if status.is_client_error() && status.as_u16() != 429 =>
            {
                let (key, text) = (&push.key, String::from_utf8_lossy(&body));
                stage.tally.violation(format!("push {key:?} was refused: {status} {text}"));
                return false;
            }
            Some(_) => stage.tally.count("pushes failed", 1),
            None => stage.tally.count("pushes without an answer", 1),
        }
        if push.key.is_none() {
            stage.tally.count("pushes without a key that may be stored", 1);
            return false;
        }
        pause(random, 1_500).await;
    }
}
