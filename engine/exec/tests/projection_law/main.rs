//! The law of projections: for any rows, any projections and any query, the answer with projections
//! is the answer without them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the generators serve the oracle law, too")]

#[path = "../oracle_law/compare.rs"]
mod compare;
#[path = "../oracle_law/data.rs"]
mod data;
#[path = "../oracle_law/filters.rs"]
mod filters;
#[path = "../oracle_law/queries.rs"]
mod queries;

mod choice;
mod specs;

use std::sync::Arc;

use henge_exec::{
    ExecContext, ExecError, Extent, build_projection, finalise, merge, projection, run, run_blocks,
};
use henge_query::Query;
use henge_query::ingest::ProjectionSpec;
use henge_segment::{MappedSegment, WriteOptions, add_projections};
use proptest::prelude::*;
use serde_json::Value;

use data::{Part, Storage};

/// The segment of some rows, with the projections that its rows allow.
pub(crate) fn with_projections(bytes: &[u8], specs: &[ProjectionSpec]) -> MappedSegment {
    let plain = MappedSegment::open(Arc::new(bytes.to_vec())).unwrap();
    let ctx = ExecContext::default();
    let built = specs.iter().filter_map(|spec| {
        match build_projection(&plain, spec, WriteOptions::default(), &ctx) {
            Ok(file) => Some(file),
            Err(ExecError::Unsupported(_)) => None,
            // Sums of the largest longs are beyond 64 bits.
            Err(ExecError::Invalid(message)) if message.contains("64 bits") => None,
            Err(error) => panic!("{}: {error}", spec.name),
        }
    });
    let built: Vec<_> = built.collect();
    let mut projected = Vec::new();
    add_projections(bytes, &built, &mut projected).unwrap();
    let segment = MappedSegment::open(Arc::new(projected)).unwrap();
    segment.verify().unwrap();
    segment
}

/// The answer, and how many projections were read for it.
fn answer(query: &Query, views: &[MappedSegment], halves: bool) -> (Result<Value, String>, usize) {
    let ctx = ExecContext::default();
    let mut used = 0;
    let mut partials = Vec::new();
    for view in views {
        used += usize::from(projection::plan(query, view).unwrap().is_some());
        let parts = match halves {
            true => [0..1, 1..9]
                .map(|blocks| run_blocks(query, view, blocks, Extent::Part, &ctx))
                .into(),
            false => vec![run(query, view, &ctx)],
        };
        for part in parts {
            match part {
                Ok(partial) => partials.push(partial),
                Err(error) => return (Err(error.to_string()), used),
            }
        }
    }
    let merged = merge(query, partials, &ctx).map_err(|error| error.to_string());
    let answer = merged.and_then(|merged| {
        let answer = finalise(query, merged, &ctx).map_err(|error| error.to_string())?;
        let json = henge_answer::to_json(query, &answer).map_err(|error| error.to_string())?;
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    });
    (answer, used)
}

/// Checks one query; says how many projections were used.
fn check(
    parts: &[Part],
    specs: &[Value],
    query: &Value,
    halves: bool,
) -> Result<usize, TestCaseError> {
    let specs = specs::parse(specs);
    let views: Vec<MappedSegment> = parts
        .iter()
        .enumerate()
        .map(|(number, part)| {
            let part = Part { storage: Storage::File, ..part.clone() };
            with_projections(&data::file(&part, number), &specs)
        })
        .collect();
    let mut without = query.clone();
    without["context"]["noProjections"] = true.into();
    let parse = |query: &Value| Query::parse(query.to_string().as_bytes()).unwrap();
    let (query_with, query_without) = (parse(query), parse(&without));
    let (with, used) = answer(&query_with, &views, halves);
    let (without, none) = answer(&query_without, &views, false);
    prop_assert_eq!(none, 0);
    match (&without, &with) {
        (Ok(without), Ok(with)) => {
            compare::same_answer(&query_with, without, with).map_err(|difference| {
                TestCaseError::fail(format!(
                    "{difference}\nquery {query}\nwithout {without}\nwith {with}"
                ))
            })?;
        }
        // Whether sums of the largest longs fit depends on the order of addition.
        (Err(error), _) | (_, Err(error)) if error.contains("64 bits") => {}
        (without, with) => prop_assert_eq!(without, with, "query {}", query),
    }
    Ok(used)
}

fn config(cases: u32) -> ProptestConfig {
    let standard = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => standard,
        None => ProptestConfig { cases, ..standard },
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn any_query_and_any_projection(
        parts in data::parts(), specs in specs::any(), query in specs::grouping_query(),
        halves in any::<bool>(),
    ) {
        check(&parts, &specs, &query, halves)?;
    }

    /// Projections that are made for the query, so that they are used.
    #[test]
    fn fitting_projections(
        parts in data::parts(), query in specs::storable_query(), seed in specs::seed(),
        halves in any::<bool>(),
    ) {
        let specs = specs::fitting(&query, &seed);
        check(&parts, &specs, &query, halves)?;
    }
}

/// The test above is worth something only when projections are used.
#[test]
fn fitting_projections_are_used() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut cases, mut used) = (0, 0);
    for _ in 0..60 {
        let tree = (data::parts(), specs::storable_query(), specs::seed());
        let (parts, query, seed) = tree.new_tree(&mut runner).unwrap().current();
        let specs = specs::fitting(&query, &seed);
        cases += 1;
        used += usize::from(check(&parts, &specs, &query, false).unwrap() > 0);
    }
    assert!(used * 4 > cases, "{used} of {cases} queries were answered from projections");
}
