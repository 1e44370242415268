//! I-09: a realtime node that is away, or failed, or still replays: the acknowledged rows that only it
//! has are missing by name for every broker, also for one that never saw it, and never just absent.

use std::path::Path;
use std::sync::Arc;

use henge_answer::Form;
use henge_broker::{Broker, BrokerOptions};
use henge_data_node::{QueryServices, RunningQueries};
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::metadata::{MetadataStore, SqlMetadataStore, SqliteOptions, UNPLACED};
use henge_platform::runtime::CpuPool;
use henge_platform::telemetry::Metrics;
use henge_query::Query;
use henge_server::data_folder::DataFolder;
use henge_tests::{TestServer, count_query};
use henge_types::Interval;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::lost_metadata::rows;
use crate::tasks::run;

/// A broker over the metadata of a stopped server, and nobody else.
struct Alone {
    runtime: Runtime,
    metadata: Arc<SqlMetadataStore>,
    broker: Broker,
}

impl Alone {
    fn over(data_dir: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = SqliteOptions::new(DataFolder::new(data_dir).metadata());
        let metadata = Arc::new(runtime.block_on(SqlMetadataStore::open(options)).unwrap());
        let services = QueryServices {
            cluster: "c".into(),
            pool: CpuPool::new(1).unwrap(),
            running: Arc::new(RunningQueries::new(1 << 30)),
            spill: None,
        };
        let discovery = Arc::new(InProcessDiscovery::new());
        let (options, metrics) = (BrokerOptions::default(), Metrics::default());
        let broker = Broker::new(options, discovery, metadata.clone(), services, &metrics);
        Self { runtime, metadata, broker }
    }

    /// The error's text, or the answer with its context.
    fn ask(&self, query: &Value) -> Result<(Value, Value), String> {
        let query = Query::parse(query.to_string().as_bytes()).unwrap();
        let answer = self.runtime.block_on(self.broker.execute(query, Form::Json, "q", None));
        let answer = answer.map_err(|error| error.to_string())?;
        let rows = serde_json::from_slice(&answer.body.unwrap()).unwrap();
        Ok((rows, Value::Object(answer.response_context)))
    }
}

/// Pushes that stay in the log, and nothing else.
fn buffering() -> TestServer {
    let server = TestServer::start_with(|config| config.ingestion.handoff_age_ms = 3_600_000);
    server.create("d");
    for hour in [1, 2] {
        assert_eq!(server.push("d", &rows(10, hour)).0, 200);
    }
    server
}

#[test]
fn i_09_f_16_what_a_node_that_is_away_buffers_is_missing_for_a_broker_that_never_saw_it() {
    let mut server = buffering();
    server.restart_after(|data_dir| {
        let alone = Alone::over(data_dir);
        let error = alone.ask(&count_query("d")).unwrap_err();
        for part in ["2 segment(s) are unavailable", "'d_2020-01-01T01:00", "buffered by 'realtime"]
        {
            assert!(error.contains(part), "{part} in {error}");
        }
        let mut partial = count_query("d");
        partial["context"] = json!({ "allowPartial": true });
        let (_, context) = alone.ask(&partial).unwrap();
        assert_eq!(context["missingSegmentCount"], 2);
        let hours = "2020-01-01T01:00:00.000Z/2020-01-01T03:00:00.000Z";
        assert_eq!(context["missingIntervals"], json!([hours]));
        // Nothing is missing where nothing is buffered.
        let mut elsewhere = count_query("d");
        elsewhere["intervals"] = json!(["2021/2022"]);
        alone.ask(&elsewhere).unwrap();
        let available = alone.runtime.block_on(alone.broker.availability()).unwrap();
        assert_eq!(available.count(), 2);
    });
    assert_eq!(server.count("d"), 20);
    let (_, ready) = server.call("GET", "/status/ready", &[], b"");
    assert_eq!(ready["complete"], true, "{ready}");
    // Published, nothing is noted any more.
    server.flush();
    server.restart_after(|data_dir| {
        let alone = Alone::over(data_dir);
        let buffered = alone.runtime.block_on(alone.metadata.buffered_segments()).unwrap();
        assert_eq!(buffered, []);
    });
    assert_eq!(server.count("d"), 20);
}

/// Rows whose time several chunks share have no place so far, and are missing all the same; what tasks
/// leave behind is not.
#[test]
fn i_09_rows_without_a_place_are_missing_too_and_reservations_of_tasks_are_not() {
    let mut server = buffering();
    let day = json!({
        "timestampSpec": { "column": "t", "format": "auto" },
        "dimensionsSpec": { "dimensions": ["a", "b", { "type": "long", "name": "x" }] },
        "granularitySpec": { "segmentGranularity": "day", "rollup": false },
    });
    let day = day.to_string();
    assert_eq!(server.call("PUT", "/v1/datasources/d", &[], day.as_bytes()).0, 200);
    assert_eq!(server.push("d", &rows(10, 5)).0, 200);
    let task = json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "e",
            "timestampSpec": { "column": "t", "format": "auto" },
            "dimensionsSpec": { "dimensions": ["a"] },
            "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
        },
        "ioConfig": {
            "type": "index_parallel",
            "inputSource": { "type": "inline", "data": "{\"t\":\"2020-01-01\",\"a\":\"v\"}" },
            "inputFormat": { "type": "json" },
            "appendToExisting": true,
        },
    }});
    run(&server, &task);
    server.restart_after(|data_dir| {
        let alone = Alone::over(data_dir);
        let reserve = async {
            // As a task that a crash ended.
            let start_ms = 1_577_905_200_000;
            let hour = Interval { start_ms, end_ms: start_ms + 3_600_000 };
            alone.metadata.allocate_segment("realtime-0", "d", hour, hour).await.unwrap();
            alone.metadata.buffered_segments().await.unwrap()
        };
        let buffered = alone.runtime.block_on(reserve);
        let unplaced = buffered.iter().filter(|segment| segment.id.version == UNPLACED);
        assert_eq!(unplaced.count(), 1);
        assert!(buffered.iter().all(|segment| *segment.id.datasource == *"d"));
        // The hours are handed off since the schema changed, or about to be: nobody serves them here.
        let error = alone.ask(&count_query("d")).unwrap_err();
        assert!(error.contains("3 segment(s) are unavailable"), "{error}");
    });
    assert_eq!((server.count("d"), server.count("e")), (30, 1));
    server.flush();
    assert_eq!(server.count("d"), 30);
    server.restart_after(|data_dir| {
        let alone = Alone::over(data_dir);
        let buffered = alone.runtime.block_on(alone.metadata.buffered_segments()).unwrap();
        assert_eq!(buffered, []);
    });
    assert_eq!(server.count("d"), 30);
}
