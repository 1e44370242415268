//! The law of execution, asked of a broker: two data nodes behind gRPC answer as the oracle does.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

#[path = "../../engine/exec/tests/oracle_law/compare.rs"]
#[allow(dead_code, reason = "the law of the engine uses more of it")]
mod compare;
#[path = "../../engine/exec/tests/oracle_law/data.rs"]
#[allow(dead_code, reason = "the law of the engine uses more of it")]
mod data;
#[path = "../../engine/exec/tests/oracle_law/filters.rs"]
#[allow(dead_code, reason = "the law of the engine uses more of it")]
mod filters;
mod over_grpc;
#[path = "../../engine/exec/tests/oracle_law/queries.rs"]
#[allow(dead_code, reason = "the law of the engine uses more of it")]
mod queries;

use std::sync::Arc;

use henge_answer::Form;
use henge_broker::BrokerOptions;
use henge_oracle::{BEYOND_64_BITS, OracleRow, answer_segments};
use henge_platform::runtime::CpuPool;
use henge_query::Query;
use henge_segment::SegmentView;
use proptest::prelude::*;
use serde_json::Value;

use data::Part;
use over_grpc::{Way, broker_of};

/// The answer, or what was wrong.
fn ask(parts: &[Part], query: Query) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pool = CpuPool::new(1).unwrap();
    let views = parts.iter().enumerate().map(|(number, part)| data::view(part, number).into());
    let views: Vec<Arc<dyn SegmentView>> = views.collect();
    runtime.block_on(async {
        // As few groups as can be: what they do not prove is asked for.
        let options = BrokerOptions { ranked_groups: 1, ..BrokerOptions::default() };
        let (broker, _) = broker_of(options, &views, &pool, Way::Grpc).await;
        let answer = broker.execute(query, Form::Json, "q", None).await;
        let body = answer.map_err(|error| error.to_string())?.body.unwrap();
        serde_json::from_slice(&body).map_err(|error| format!("{error}: {body:?}"))
    })
}

fn check(parts: &[Part], query: &Value) -> Result<(), TestCaseError> {
    let parsed = Query::parse(query.to_string().as_bytes()).unwrap();
    let rows: Vec<&[OracleRow]> = parts.iter().map(|part| part.rows.as_slice()).collect();
    let expected = answer_segments(&parsed, &rows);
    let difference = match ask(parts, parsed.clone()) {
        Ok(_) if expected.to_string().contains(BEYOND_64_BITS) => Err("no error".to_owned()),
        Ok(actual) => compare::same_answer(&parsed, &expected, &actual),
        // Sums of longs that are as large as they may be.
        Err(error) if error.contains(BEYOND_64_BITS) => Ok(()),
        Err(error) => Err(error),
    };
    difference.map_err(|difference| TestCaseError::fail(format!("{difference}\nquery {query}")))
}

fn config() -> ProptestConfig {
    let standard = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => standard,
        None => ProptestConfig { cases: 150, ..standard },
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn i_10_two_nodes_over_grpc_answer_as_the_oracle(
        parts in data::parts(), query in queries::any_query(),
    ) {
        check(&parts, &query)?;
    }
}
