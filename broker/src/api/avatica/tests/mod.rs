//! The protocol against what real clients send and need back.

mod limits;
mod listings;
mod protobuf;
mod statements;

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, ListArray, StringArray,
    TimestampMillisecondArray, types::Int64Type,
};
use henge_platform::runtime::ManualClock;
use serde_json::{Value, json};

use super::connections::Limits;
use super::failure::Failure;
use super::json;
use super::service::Service;
use crate::api::drivers::fake::Fake;

const NOW_MS: i64 = 1_700_000_000_000;
const SERVER: &str = "127.0.0.1:8888";

/// A service over statements, and a connection `c` to it.
struct Client {
    service: Service,
    fake: Arc<Fake>,
}

impl Client {
    fn of(fake: Fake) -> Self {
        let fake = Arc::new(fake);
        let sql = Arc::clone(&fake);
        let service = Service::within(sql, Limits::default(), Arc::new(ManualClock::new(NOW_MS)));
        Self { service, fake }
    }

    async fn connected(fake: Fake) -> Self {
        let client = Self::of(fake);
        client.ask(json!({"request": "openConnection", "connectionId": "c", "info": null})).await;
        client
    }

    async fn try_ask(&self, request: Value) -> Result<Value, Failure> {
        let asked = json::read(request.to_string().as_bytes())?;
        Ok(json::write(self.service.answer(asked).await?, SERVER))
    }

    async fn ask(&self, request: Value) -> Value {
        self.try_ask(request).await.unwrap()
    }

    /// A new statement of `c`.
    async fn statement(&self) -> Value {
        let created = self.ask(json!({"request": "createStatement", "connectionId": "c"})).await;
        created["statementId"].clone()
    }

    async fn run(&self, sql: &str, max_rows: i64, first: i64) -> Value {
        let statement = self.statement().await;
        self.ask(json!({
            "request": "prepareAndExecute", "connectionId": "c", "statementId": statement, "sql": sql,
            "maxRowCount": max_rows, "maxRowsInFirstFrame": first,
        }))
        .await
    }

    async fn fetch(&self, statement: &Value, offset: u64, most: i64) -> Value {
        self.ask(json!({
            "request": "fetch", "connectionId": "c", "statementId": statement, "offset": offset,
            "fetchMaxRowCount": most,
        }))
        .await
    }
}

fn longs(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// A row with a column of each type.
fn all_types() -> Fake {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])]);
    let columns: Vec<(&str, &str, ArrayRef)> = vec![
        ("n", "BIGINT", longs([39_244])),
        ("t", "TIMESTAMP", Arc::new(TimestampMillisecondArray::from(vec![1_442_018_873_259]))),
        ("a", "DOUBLE", Arc::new(Float64Array::from(vec![1.5]))),
        ("c", "VARCHAR", texts(&["#en"])),
        ("b", "BOOLEAN", Arc::new(BooleanArray::from(vec![true]))),
        ("d", "DATE", Arc::new(Date32Array::from(vec![16_690]))),
        ("l", "ARRAY", Arc::new(list)),
        ("j", "COMPLEX<json>", Arc::new(StringArray::from(vec![None::<&str>]))),
    ];
    Fake::default().on("SELECT 1", columns, &[], 10)
}
