//! `layers`: arrows between packages point inward only, and so do those between the [`rooms`] of one; [`files`]
//! are opened where they may be.
//!
//! The table is the design; `cargo metadata` is what was built. A new package must be added here on
//! purpose, and an engine package may not reach for the world outside.

use anyhow::{Context, bail};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::{files, rooms, sources};

/// What a package may depend on.
struct Layer {
    package: &'static str,
    allowed: &'static [&'static str],
    /// Allowed for its tests alone, beside `allowed`.
    in_tests: &'static [&'static str],
}

const fn layer(package: &'static str, allowed: &'static [&'static str]) -> Layer {
    Layer { package, allowed, in_tests: &[] }
}

const TYPES: &str = "henge-types";
const EXPR: &str = "henge-expr";
const SKETCH: &str = "henge-sketch";
const QUERY: &str = "henge-query";
const VECTOR: &str = "henge-vector";
const SEGMENT: &str = "henge-segment";
const INDEX: &str = "henge-index";
const INGEST: &str = "henge-ingest";
const TABULAR: &str = "henge-tabular";
const SCAN: &str = "henge-scan";
const AGGREGATE: &str = "henge-aggregate";
const EXEC: &str = "henge-exec";
const INLINE: &str = "henge-inline";
const ANSWER: &str = "henge-answer";
const SQL: &str = "henge-sql";
const ORACLE: &str = "henge-oracle";
const PLACEMENT: &str = "henge-placement";
const COMPACTION: &str = "henge-compaction";
const PROTO: &str = "henge-proto";
const PLATFORM: &str = "henge-platform";
const DATA_NODE: &str = "henge-data-node";
const TEST_SERVERS: &str = "henge-test-servers";

/// Pure packages: bytes and values in, values out.
const ENGINE: [Layer; 18] = [
    layer(TYPES, &[]),
    layer(EXPR, &[TYPES]),
    layer(SKETCH, &[TYPES]),
    layer(QUERY, &[TYPES, EXPR]),
    layer(VECTOR, &[TYPES, EXPR, SKETCH]),
    layer(SEGMENT, &[TYPES, SKETCH]),
    layer(INDEX, &[TYPES, SKETCH, SEGMENT]),
    Layer {
        package: INGEST,
        allowed: &[TYPES, EXPR, QUERY, SEGMENT, INDEX],
        in_tests: &[EXEC, ANSWER, ORACLE],
    },
    layer(TABULAR, &[TYPES, EXPR, QUERY, SEGMENT, INDEX, INGEST]),
    layer(SCAN, &[TYPES, EXPR, QUERY, SKETCH, VECTOR, SEGMENT]),
    layer(AGGREGATE, &[TYPES, EXPR, QUERY, SKETCH, VECTOR, SEGMENT, SCAN]),
    Layer {
        package: EXEC,
        allowed: &[TYPES, EXPR, QUERY, SKETCH, VECTOR, SEGMENT, SCAN, AGGREGATE],
        in_tests: &[INDEX, ANSWER, ORACLE],
    },
    Layer {
        package: INLINE,
        allowed: &[TYPES, EXPR, QUERY, SKETCH, VECTOR, SEGMENT, EXEC],
        in_tests: &[INDEX, ANSWER, ORACLE],
    },
    layer(ANSWER, &[TYPES, EXPR, QUERY, SKETCH, VECTOR, EXEC]),
    Layer {
        package: SQL,
        allowed: &[TYPES, EXPR, QUERY, SKETCH],
        // DataFusion runs on tokio, so that its tests need a runtime.
        in_tests: &[SEGMENT, INDEX, INGEST, EXEC, INLINE, ANSWER, "tokio"],
    },
    layer(ORACLE, &[TYPES, EXPR, QUERY]),
    layer(PLACEMENT, &[TYPES]),
    layer(COMPACTION, &[TYPES]),
];

/// What a role composes: no role depends on another role.
const ROLE: &[&str] = &[
    TYPES, EXPR, SKETCH, QUERY, VECTOR, SEGMENT, INDEX, INGEST, TABULAR, EXEC, INLINE, ANSWER,
    PROTO, PLATFORM, DATA_NODE,
];

/// The role that answers clients answers statements, too.
const BROKER: &[&str] = &[
    TYPES, EXPR, SKETCH, QUERY, VECTOR, SEGMENT, INDEX, INGEST, TABULAR, EXEC, INLINE, ANSWER,
    PROTO, PLATFORM, DATA_NODE, SQL,
];

/// The role that writes segments merges small ones, too.
const REALTIME: &[&str] = &[
    TYPES, EXPR, SKETCH, QUERY, VECTOR, SEGMENT, INDEX, INGEST, TABULAR, EXEC, ANSWER, PROTO,
    PLATFORM, DATA_NODE, COMPACTION,
];

/// The one role that decides where segments are, and which are to be merged.
const COORDINATOR: &[&str] = &[TYPES, PLACEMENT, COMPACTION, PLATFORM, DATA_NODE];

/// Everything around the engine. The binary and the packages of tests and benchmarks use what they
/// like; nothing depends on them.
const OUTER: [Layer; 9] = [
    layer(TEST_SERVERS, &[]),
    Layer { package: PLATFORM, allowed: &[TYPES, PROTO], in_tests: &[TEST_SERVERS] },
    layer(PROTO, &[]),
    Layer {
        package: DATA_NODE,
        allowed: &[TYPES, QUERY, VECTOR, SEGMENT, EXEC, INLINE, PROTO, PLATFORM],
        in_tests: &[ANSWER],
    },
    layer("henge-realtime-node", REALTIME),
    layer("henge-historical-node", ROLE),
    // Asked of nodes over gRPC, the law of execution holds as well.
    Layer { package: "henge-broker", allowed: BROKER, in_tests: &[ORACLE] },
    layer("henge-coordinator", COORDINATOR),
    layer("xtask", &[QUERY]),
];
const UNRESTRICTED: [&str; 4] =
    ["henge-server", "henge-tests", "henge-simulation", "henge-benches"];

/// Libraries that touch sockets, files or run threads, which no engine package may use.
const NOT_IN_ENGINE: [&str; 10] = [
    "tokio",
    "axum",
    "sqlx",
    "object_store",
    "tonic",
    "memmap2",
    "hyper",
    "reqwest",
    "tower",
    "tower-http",
];

/// Fails when an edge of the workspace is not in the table.
pub(crate) fn run() -> anyhow::Result<()> {
    let metadata = MetadataCommand::new()
        .manifest_path(sources::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("running cargo metadata")?;
    let mut faults = Vec::new();
    let mut edges = 0;
    for package in metadata.workspace_packages() {
        for edge in edges_of(package) {
            edges += usize::from(is_ours(edge.dependency));
            faults.extend(fault(&edge));
        }
        if find(&package.name).is_none() && !UNRESTRICTED.contains(&&**package.name) {
            faults.push(format!("{} is not in the table of xtask/src/layers.rs", package.name));
        }
    }
    let (of_rooms, arrows) = rooms::check()?;
    faults.extend(of_rooms);
    faults.extend(files::check()?);
    for fault in &faults {
        println!("{fault}");
    }
    println!("layers: {edges} edges between packages, {arrows} arrows between their rooms");
    if !faults.is_empty() {
        bail!("{} of them are not allowed", faults.len());
    }
    Ok(())
}

/// A dependency of a package.
struct Edge<'a> {
    package: &'a str,
    dependency: &'a str,
    in_tests_only: bool,
}

fn edges_of(package: &Package) -> impl Iterator<Item = Edge<'_>> {
    package.dependencies.iter().map(|dependency| Edge {
        package: &package.name,
        dependency: &dependency.name,
        in_tests_only: dependency.kind == DependencyKind::Development,
    })
}

fn is_ours(package: &str) -> bool {
    package.starts_with("henge-") || package == "xtask"
}

fn find(package: &str) -> Option<&'static Layer> {
    static LAYERS: ([Layer; 18], [Layer; 9]) = (ENGINE, OUTER);
    LAYERS.0.iter().chain(&LAYERS.1).find(|layer| layer.package == package)
}

/// What is wrong with an edge, if anything is.
fn fault(edge: &Edge<'_>) -> Option<String> {
    let Edge { package, dependency, in_tests_only } = edge;
    let layer = find(package)?;
    if !is_ours(dependency) {
        let is_engine = ENGINE.iter().any(|layer| layer.package == *package);
        let in_its_tests = *in_tests_only && layer.in_tests.contains(dependency);
        return (is_engine && NOT_IN_ENGINE.contains(dependency) && !in_its_tests).then(|| {
            format!("{package} may not use {dependency}: engine packages are pure and synchronous")
        });
    }
    let allowed = layer.allowed.contains(dependency)
        || (*in_tests_only && layer.in_tests.contains(dependency));
    (!allowed).then(|| match layer.in_tests.contains(dependency) {
        true => format!("{package} may depend on {dependency} in its tests only"),
        false => format!("{package} may not depend on {dependency}"),
    })
}

#[cfg(test)]
mod tests {
    use super::{Edge, fault};

    fn check(package: &str, dependency: &str, in_tests_only: bool) -> bool {
        fault(&Edge { package, dependency, in_tests_only }).is_none()
    }

    #[test]
    fn arrows_point_inward() {
        assert!(check("henge-exec", "henge-segment", false));
        assert!(!check("henge-segment", "henge-exec", false));
        assert!(check("henge-aggregate", "henge-scan", false));
        assert!(!check("henge-scan", "henge-aggregate", true));
        assert!(!check("henge-broker", "henge-scan", false));
        assert!(!check("henge-types", "henge-query", true));
        assert!(check("henge-server", "henge-broker", false));
        assert!(!check("henge-broker", "henge-historical-node", false));
        assert!(!check("henge-platform", "henge-segment", false));
        assert!(!check("henge-platform", "henge-exec", false));
        assert!(check("henge-data-node", "henge-exec", false));
        assert!(check("henge-data-node", "henge-proto", false));
        assert!(!check("henge-proto", "henge-types", false));
        assert!(!check("henge-data-node", "henge-broker", true));
        assert!(!check("henge-platform", "henge-broker", true));
    }

    #[test]
    fn some_arrows_are_for_tests_alone() {
        assert!(check("henge-exec", "henge-index", true));
        assert!(!check("henge-exec", "henge-index", false));
        assert!(!check("henge-exec", "henge-oracle", false));
        assert!(check("henge-broker", "henge-oracle", true));
        assert!(!check("henge-broker", "henge-oracle", false));
    }

    #[test]
    fn the_engine_does_not_touch_the_world() {
        assert!(!check("henge-index", "tokio", false));
        assert!(!check("henge-index", "memmap2", true));
        assert!(check("henge-index", "roaring", false));
        assert!(check("henge-platform", "tokio", false));
        assert!(check("henge-platform", "memmap2", false));
    }
}
