//! The process among the numbers for operators, under the names that Prometheus' own clients use.

use henge_platform::runtime::machine::{
    cpu_seconds, handle_limit, open_handles, resident_bytes, virtual_bytes,
};
use henge_platform::runtime::{Clock, SystemClock};
use henge_platform::telemetry::Metrics;

/// Memory, file descriptors, when it was started and what it is.
pub(crate) fn process(metrics: &Metrics) {
    let help = "Resident memory size in bytes.";
    metrics
        .gauge("process_resident_memory_bytes", help, &[], || resident_bytes().unwrap_or_default());
    let help = "Virtual memory size in bytes.";
    metrics
        .gauge("process_virtual_memory_bytes", help, &[], || virtual_bytes().unwrap_or_default());
    let help = "Number of open file descriptors.";
    metrics.gauge("process_open_fds", help, &[], || open_handles().unwrap_or_default());
    let help = "Maximum number of open file descriptors.";
    metrics.gauge("process_max_fds", help, &[], handle_limit);
    let help = "Total user and system CPU time spent in seconds.";
    metrics.counter_of("process_cpu_seconds_total", help, &[], cpu_seconds);
    let started = u64::try_from(SystemClock.now_ms() / 1_000).unwrap_or_default();
    let help = "Start time of the process since unix epoch in seconds.";
    metrics.gauge("process_start_time_seconds", help, &[], move || started);
    let help = "1, with the version of the program.";
    metrics.gauge("henge_build_info", help, &[("version", env!("CARGO_PKG_VERSION"))], || 1);
}
