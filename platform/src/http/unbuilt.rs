//! Paths of Druid's API that are known and not built: a client that tries one reads what is missing
//! and not that its method is wrong or its path misspelt.

/// Known paths and what they are for. `*` stands for one segment; what lies below a path belongs to
/// it, and a slash at the end means nothing.
const UNBUILT: &[(&str, &str)] = &[
    ("/druid/v2/sql/statements", "statements whose answers are fetched later"),
    ("/druid/v2/sql/task", "statements that ingest"),
    ("/druid/v2/sql/queries", "the list of statements over HTTP: SELECT * FROM sys.queries"),
    ("/druid/v2/sql/engines", "the list of engines"),
    ("/druid/v2/candidates", "listing the segments that a query would read"),
    ("/druid/v2/datasources/*/candidates", "listing the segments that a query would read"),
    ("/druid/coordinator/v1/catalog", "the catalog"),
    ("/druid/coordinator/v1/duties", "the status of the coordinator's duties"),
    ("/druid/indexer/v1/supervisor", "supervisors and streaming ingestion"),
    ("/druid/indexer/v1/compaction", "automatic compaction"),
    ("/druid/indexer/v1/sampler", "the sampler of the data loader"),
    ("/druid/indexer/v1/datasources", "managing segments over the overlord's API"),
    ("/druid/indexer/v1/pendingSegments", "managing pending segments"),
    ("/druid/indexer/v1/action", "actions of tasks on other servers"),
    ("/druid/indexer/v1/worker", "the configuration of workers"),
    ("/druid/indexer/v1/workers", "workers on other servers"),
    ("/druid/indexer/v1/scaling", "workers on other servers"),
    ("/druid/indexer/v1/totalWorkerCapacity", "workers on other servers"),
    ("/druid/indexer/v1/taskStatus", "the status of several tasks in one request"),
    (
        "/druid/indexer/v1/runningTasks",
        "this list of tasks: use /druid/indexer/v1/tasks?state=running",
    ),
    (
        "/druid/indexer/v1/pendingTasks",
        "this list of tasks: use /druid/indexer/v1/tasks?state=pending",
    ),
    (
        "/druid/indexer/v1/waitingTasks",
        "this list of tasks: use /druid/indexer/v1/tasks?state=waiting",
    ),
    (
        "/druid/indexer/v1/completeTasks",
        "this list of tasks: use /druid/indexer/v1/tasks?state=complete",
    ),
    (
        "/druid/indexer/v1/task/*/log",
        "the log of one task: use /druid/indexer/v1/task/{id}/reports",
    ),
    ("/druid/indexer/v1/task/*/segments", "the segments of one task"),
    ("/druid/worker/v1", "workers on other servers"),
    ("/druid/historical/v1", "the status of historical nodes over Druid's API"),
    ("/druid/broker/v1", "the status of brokers over Druid's API"),
    ("/druid/router/v1", "the router"),
    ("/druid-ext", "extensions"),
    ("/proxy/coordinator", "the router's proxy"),
    ("/proxy/overlord", "the router's proxy"),
];

/// What a path is for, when it is one of Druid's that this version does not build.
pub(super) fn purpose(path: &str) -> Option<&'static str> {
    let known = |pattern: &str| {
        let mut segments = path.split('/');
        pattern.split('/').all(|wanted| {
            let found = segments.next();
            found.is_some_and(|found| wanted == found || (wanted == "*" && !found.is_empty()))
        })
    };
    UNBUILT.iter().find(|(pattern, _)| known(pattern)).map(|(_, purpose)| *purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_paths_are_found_whatever_follows() {
        for path in ["/druid/v2/sql/task", "/druid/v2/sql/task/", "/druid/v2/sql/task/x"] {
            assert_eq!(purpose(path), Some("statements that ingest"), "{path}");
        }
        assert_eq!(
            purpose("/druid/indexer/v1/task/x/log"),
            purpose("/druid/indexer/v1/task/y/log/")
        );
        assert!(purpose("/druid/indexer/v1/task/x/log").is_some());
        for path in [
            "/druid/v2/sqlx",
            "/druid/v2/sql",
            "/druid/v2/sql/q1",
            "/druid/v2/sql/avatica/",
            "/druid/v2",
            "/druid/indexer/v1/task//log",
            "/",
            "/nothing",
        ] {
            assert_eq!(purpose(path), None, "{path}");
        }
    }
}
