//! What one query may ask for. Druid leaves most of these open; each is far beyond what dashboards
//! send and keeps one request from taking the process down.

/// Levels of nested JSON. Parsing recurses, so this bounds the stack.
pub const MAX_JSON_DEPTH: usize = 100;
/// Filters (leaves and combinations) in one query.
pub const MAX_FILTER_NODES: usize = 100_000;
/// Regular expressions in one query, filters and searches together.
pub const MAX_REGEXES: usize = 100;
/// Bytes of one regular expression's text.
pub const MAX_REGEX_PATTERN_BYTES: usize = 64 * 1024;
/// Bytes that one compiled regular expression may take.
pub const MAX_REGEX_COMPILED_BYTES: usize = 1 << 20;
/// Intervals in one query or filter.
pub const MAX_INTERVALS: usize = 100_000;
/// `threshold` of topN.
pub const MAX_TOP_N_THRESHOLD: i64 = 1_000_000_000;
/// Aggregators, post-aggregators, dimensions, columns or virtual columns in one query, each.
pub const MAX_LIST_ENTRIES: usize = 10_000;
/// Grouping sets of `subtotalsSpec`.
pub const MAX_SUBTOTALS: usize = 1_024;
/// Longest `context.timeout`, thirty days. A longer one counts as this.
pub const MAX_TIMEOUT_MS: u64 = 30 * 24 * 3_600_000;
/// Bytes of a `queryId`: it is echoed in a response header.
pub const MAX_QUERY_ID_BYTES: usize = 1_024;
/// Queries within a query, all levels together.
pub const MAX_SUBQUERIES: usize = 100;
/// Dimensions that a `grouping` aggregator tells of: each is a bit of a LONG that is not negative.
pub const MAX_GROUPINGS: usize = 62;
