//! What one event may be. Every limit is a refusal with a reason, never a truncation.

/// Years of four digits: what lies outside is seconds or nanoseconds taken for milliseconds.
const YEAR_0001_MS: i64 = -62_135_596_800_000;
const YEAR_10000_MS: i64 = 253_402_300_800_000;

/// Limits on events. The defaults are those of the reference deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseLimits {
    /// The moment the batch was received. It is recorded with the batch, so that replaying gives
    /// the same answer.
    pub now_ms: i64,
    /// Refuse events older than this many milliseconds before `now_ms`.
    pub late_window_ms: Option<i64>,
    /// Refuse events more than this many milliseconds after `now_ms`.
    pub early_window_ms: Option<i64>,
    /// Refuse events before this instant, whatever the window says.
    pub min_time_ms: i64,
    /// Refuse events at or after this instant, whatever the window says.
    pub max_time_ms: i64,
    /// Levels of nesting, the event itself included.
    pub max_depth: usize,
    /// Fields of one event.
    pub max_fields: usize,
    /// Bytes of one event.
    pub max_event_bytes: usize,
    /// Bytes of one text that is stored.
    pub max_string_bytes: usize,
    /// Bytes of the name of a discovered column.
    pub max_name_bytes: usize,
    /// Values in one multi-value field.
    pub max_multi_values: usize,
    /// Dimensions that discovery may add.
    pub max_discovered_dimensions: usize,
    /// Bytes of a refused event that are handed on.
    pub max_raw_bytes: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self {
            now_ms: 0,
            late_window_ms: None,
            early_window_ms: None,
            min_time_ms: YEAR_0001_MS,
            max_time_ms: YEAR_10000_MS,
            max_depth: 64,
            max_fields: 2_000,
            max_event_bytes: 1024 * 1024,
            max_string_bytes: 32 * 1024,
            max_name_bytes: 255,
            max_multi_values: 10_000,
            max_discovered_dimensions: 2_000,
            max_raw_bytes: 4 * 1024,
        }
    }
}

impl ParseLimits {
    /// The earliest and (exclusive) latest timestamps that are taken.
    pub(crate) fn time_window(&self) -> (i64, i64) {
        let from = self.late_window_ms.map(|late| self.now_ms.saturating_sub(late));
        let to =
            self.early_window_ms.map(|early| self.now_ms.saturating_add(early).saturating_add(1));
        (
            from.map_or(self.min_time_ms, |from| from.max(self.min_time_ms)),
            to.map_or(self.max_time_ms, |to| to.min(self.max_time_ms)),
        )
    }
}
