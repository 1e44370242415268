//! What the measuring programs share.

use std::time::{Duration, SystemTime};

use henge_types::{ColumnRole, ColumnSchema, ColumnType, Granularity, SegmentSchema};

/// The time this thread has been running, so that other programs do not count; elsewhere than on
/// Linux the time of day.
pub(crate) fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match stat.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok()) {
        Some(nanoseconds) => Duration::from_nanos(nanoseconds),
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap(),
    }
}

/// A generator of repeatable noise.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    /// 53 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 11
    }
}

/// A schema of `__time` and these dimensions, without roll-up.
pub(crate) fn schema(dimensions: &[(&str, ColumnType)]) -> SegmentSchema {
    let column = |name: &str, column_type: &ColumnType, role: ColumnRole| ColumnSchema {
        name: name.to_owned(),
        column_type: column_type.clone(),
        role,
        multi_value: false,
        has_nulls: false,
    };
    let time = column("__time", &ColumnType::Long, ColumnRole::Time);
    let dimension =
        |(name, column_type): &(&str, ColumnType)| column(name, column_type, ColumnRole::Dimension);
    SegmentSchema {
        columns: std::iter::once(time).chain(dimensions.iter().map(dimension)).collect(),
        metrics: Vec::new(),
        rollup: false,
        query_granularity: Granularity::None,
    }
}
