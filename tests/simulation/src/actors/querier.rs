//! Asks, and checks every answer against what was acknowledged before and sent until then.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{Stage, pause};
use crate::cluster::{Answer, BROKER};
use crate::model::{CITIES, DATASOURCES, DAYS, Totals, total};

pub(super) async fn run(stage: Stage, number: u64) {
    let mut random = stage.random(200 + number);
    let client = format!("querier-{number}");
    while !stage.is_over() {
        let question = Question::random(&mut random);
        let _ = ask(&stage, &client, &question).await;
        pause(&mut random, 500).await;
    }
}

/// Counts and sums of some days and cities.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    datasource: &'static str,
    /// From this day of January 2020.
    first_day: i64,
    /// Before this one.
    end_day: i64,
    cities: Option<BTreeSet<i64>>,
    by_city: bool,
    by_day: bool,
}

impl Question {
    /// All there is of a datasource.
    pub(crate) fn everything(datasource: &'static str) -> Self {
        Self { datasource, first_day: 1, end_day: 32, by_city: true, by_day: true, cities: None }
    }

    fn random(random: &mut StdRng) -> Self {
        let first_day = random.random_range(1..=DAYS);
        let cities = random
            .random_bool(0.3)
            .then(|| (0..CITIES).filter(|_| random.random_bool(0.5)).collect());
        Self {
            datasource: DATASOURCES[random.random_range(0..DATASOURCES.len())],
            first_day,
            end_day: random.random_range(first_day + 1..=6),
            cities,
            by_city: random.random_bool(0.5),
            by_day: random.random_bool(0.5),
        }
    }

    fn query(&self) -> Value {
        let interval = format!("2020-01-{:02}/2020-01-{:02}", self.first_day, self.end_day.min(31));
        let mut query = json!({
            "queryType": "groupBy", "dataSource": self.datasource, "intervals": [interval],
            "granularity": if self.by_day { "day" } else { "all" },
            "dimensions": if self.by_city { vec!["city"] } else { vec![] },
            "aggregations": [
                {"type": "count", "name": "rows"},
                {"type": "longSum", "name": "sum", "fieldName": "n"},
            ],
        });
        if let Some(cities) = &self.cities {
            let values: Vec<String> = cities.iter().map(|city| format!("c{city}")).collect();
            query["filter"] = json!({"type": "in", "dimension": "city", "values": values});
        }
        query
    }

    fn covers(&self, day: i64, city: i64) -> bool {
        let in_cities = self.cities.as_ref().is_none_or(|cities| cities.contains(&city));
        (self.first_day..self.end_day).contains(&day) && in_cities
    }

    /// The groups that an answer may have, as predicates over days and cities.
    fn groups(&self) -> Vec<(Option<i64>, Option<i64>)> {
        let days: Vec<Option<i64>> =
            if self.by_day { (1..=6).map(Some).collect() } else { vec![None] };
        let cities: Vec<Option<i64>> =
            if self.by_city { (0..CITIES).map(Some).collect() } else { vec![None] };
        days.iter().flat_map(|day| cities.iter().map(move |city| (*day, *city))).collect()
    }
}

/// Asks a question and checks the answer; the rows that it counted, when there was one.
pub(crate) async fn ask(stage: &Stage, client: &str, question: &Question) -> Option<Totals> {
    let least = stage.model.least(question.datasource);
    let body = Body::from(question.query().to_string());
    let request =
        Request::post("/druid/v2").header("content-type", "application/json").body(body).ok()?;
    let answered = stage.cluster.request(client, BROKER, request).await;
    let most = stage.model.most(question.datasource);
    let Some(Answer { status, context, body }) = answered else {
        stage.tally.count("queries without an answer", 1);
        return None;
    };
    let text = String::from_utf8_lossy(&body);
    if status != StatusCode::OK {
        stage
            .tally
            .count(if status.is_client_error() { "queries refused" } else { "queries failed" }, 1);
        tracing::info!(%status, %text, "a query got an error");
        // Before its first row a datasource is not there; nothing else is the asker's fault.
        if status.is_client_error() && !matches!(status.as_u16(), 404 | 429) {
            stage.tally.violation(format!("{question:?} was refused: {status} {text}"));
        }
        return None;
    }
    stage.tally.count("queries answered", 1);
    // It says so itself that it may lack what came since.
    let is_marked = context.contains("metadataAway");
    stage.tally.count("answers marked that the metadata are away", u64::from(is_marked));
    let Ok(Value::Array(rows)) = serde_json::from_str(&text) else {
        stage.tally.violation(format!("{question:?} was answered by {text}"));
        return None;
    };
    let mut sum = Totals::default();
    for (day, city) in question.groups() {
        let of_group = |row: &&Value| {
            let is_day = day.is_none_or(|day| {
                row["timestamp"]
                    .as_str()
                    .is_some_and(|t| t.starts_with(&format!("2020-01-{day:02}")))
            });
            is_day && city.is_none_or(|city| row["event"]["city"] == format!("c{city}"))
        };
        let found = rows.iter().filter(of_group).fold(Totals::default(), |sum, row| Totals {
            rows: sum.rows + row["event"]["rows"].as_i64().unwrap_or_default(),
            sum: sum.sum + row["event"]["sum"].as_i64().unwrap_or_default(),
        });
        let wanted = |d: i64, c: i64| {
            question.covers(d, c)
                && day.is_none_or(|day| day == d)
                && city.is_none_or(|city| city == c)
        };
        let low = if is_marked { Totals::default() } else { total(&least, wanted) };
        let high = total(&most, wanted);
        let fits = (low.rows..=high.rows).contains(&found.rows)
            && (low.sum..=high.sum).contains(&found.sum);
        if !fits {
            stage.tally.violation(format!(
                "{question:?}, day {day:?}, city {city:?}: {found:?}, not from {low:?} to {high:?}"
            ));
        }
        sum = Totals { rows: sum.rows + found.rows, sum: sum.sum + found.sum };
    }
    Some(sum)
}
