//! Numbers for operators, in Prometheus' text format. Names and labels are fixed in the code: nothing
//! that a client sends becomes part of them.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// A number that only grows. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper ends of a histogram's buckets, in seconds.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

/// Durations by size. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Histogram(Arc<Buckets>);

impl Histogram {
    /// Adds a duration.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.sum_us.fetch_add(micros, Ordering::Relaxed);
    }
}

type Read = Arc<dyn Fn() -> u64 + Send + Sync>;
type ReadEach = Arc<dyn Fn() -> BTreeMap<String, u64> + Send + Sync>;

#[derive(Clone)]
enum Metric {
    Counter(Counter),
    Histogram(Histogram),
    /// Read when shown: a gauge, or a counter that somebody else keeps.
    Read {
        kind: &'static str,
        read: Read,
    },
    /// The same by labels that are known only then.
    ReadEach {
        kind: &'static str,
        read: ReadEach,
    },
}

struct Family {
    help: &'static str,
    /// By labels, as they are shown: empty or `{name="value"}`.
    series: BTreeMap<String, Metric>,
}

/// All numbers of a process, by name (`henge_queries_total`). Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<&'static str, Family>>>);

impl Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("families", &self.0.lock().len()).finish()
    }
}

impl Metrics {
    /// The counter of a name and labels; keep it rather than asking each time.
    #[must_use]
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Counter {
        match self.metric(name, help, labels, || Metric::Counter(Counter::default())) {
            Metric::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// The histogram of a name and labels; keep it rather than asking each time.
    #[must_use]
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Histogram {
        match self.metric(name, help, labels, || Metric::Histogram(Histogram::default())) {
            Metric::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    /// Shows what `read` gives as a number that goes up and down.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let metric = Metric::Read { kind: "gauge", read: Arc::new(read) };
        self.metric(name, help, labels, || metric);
    }

    /// Shows what `read` gives, by values of labels: for values that are known only then, and of which
    /// there are few, such as the datasources that something is wrong with. Of several numbers with the
    /// same values the largest is shown.
    pub fn gauge_by<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        read: impl Fn() -> Vec<([String; N], u64)> + Send + Sync + 'static,
    ) {
        self.each("gauge", name, help, labels, read);
    }

    /// As [`Metrics::gauge_by`], for numbers that only grow.
    pub fn counter_by<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        read: impl Fn() -> Vec<([String; N], u64)> + Send + Sync + 'static,
    ) {
        self.each("counter", name, help, labels, read);
    }

    fn each<const N: usize>(
        &self,
        kind: &'static str,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        read: impl Fn() -> Vec<([String; N], u64)> + Send + Sync + 'static,
    ) {
        let read = move || {
            let mut shown = BTreeMap::new();
            for (values, number) in read() {
                let pairs: Vec<_> =
                    labels.into_iter().zip(values.iter().map(String::as_str)).collect();
                let most = shown.entry(labels_text(&pairs)).or_insert(number);
                *most = number.max(*most);
            }
            shown
        };
        self.metric(name, help, &[], || Metric::ReadEach { kind, read: Arc::new(read) });
    }

    /// Shows what `read` gives as a number that only grows.
    pub fn counter_of(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let metric = Metric::Read { kind: "counter", read: Arc::new(read) };
        self.metric(name, help, labels, || metric);
    }

    fn metric(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        make: impl FnOnce() -> Metric,
    ) -> Metric {
        let mut families = self.0.lock();
        let family =
            families.entry(name).or_insert_with(|| Family { help, series: BTreeMap::new() });
        family.series.entry(labels_text(labels)).or_insert_with(make).clone()
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (name, family) in self.0.lock().iter() {
            let kind = match family.series.values().next() {
                Some(Metric::Counter(_)) => "counter",
                Some(Metric::Histogram(_)) => "histogram",
                Some(Metric::Read { kind, .. } | Metric::ReadEach { kind, .. }) => kind,
                None => continue,
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            for (labels, metric) in &family.series {
                match metric {
                    Metric::Counter(counter) => line(&mut out, name, labels, counter.get()),
                    Metric::Read { read, .. } => line(&mut out, name, labels, read()),
                    Metric::ReadEach { read, .. } => {
                        for (labels, number) in read() {
                            line(&mut out, name, &labels, number);
                        }
                    }
                    Metric::Histogram(histogram) => {
                        render_histogram(&mut out, name, labels, histogram);
                    }
                }
            }
        }
        out
    }
}

fn labels_text(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(","))
}

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(out, "{name}{labels} {value}");
}

fn render_histogram(out: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let inner = labels.trim_start_matches('{').trim_end_matches('}');
    let comma = if inner.is_empty() { "" } else { "," };
    let buckets = &histogram.0;
    let mut below = 0;
    for (bound, count) in BOUNDS.iter().zip(&buckets.counts) {
        below += count.load(Ordering::Relaxed);
        let _ = writeln!(out, "{name}_bucket{{{inner}{comma}le=\"{bound}\"}} {below}");
    }
    // Read after the buckets: the total is never below them.
    let count = buckets.count.load(Ordering::Relaxed).max(below);
    let _ = writeln!(out, "{name}_bucket{{{inner}{comma}le=\"+Inf\"}} {count}");
    let sum = buckets.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
    let _ = writeln!(out, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_name_and_labels_are_one() {
        let metrics = Metrics::default();
        metrics.counter("a_total", "A.", &[("x", "1")]).add(2);
        metrics.clone().counter("a_total", "A.", &[("x", "1")]).add(3);
        metrics.counter("a_total", "A.", &[("x", "2")]).add(1);
        metrics.gauge("b", "B.", &[], || 7);
        metrics.gauge_by("c", "C.", ["of"], || {
            [("x", 1), ("y", 2), ("y", 1)].map(|(of, number)| ([of.to_owned()], number)).to_vec()
        });
        metrics.counter_by("d_total", "D.", ["of"], || vec![(["x".to_owned()], 3)]);
        let expected = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 5\n\
                        a_total{x=\"2\"} 1\n# HELP b B.\n# TYPE b gauge\nb 7\n\
                        # HELP c C.\n# TYPE c gauge\nc{of=\"x\"} 1\nc{of=\"y\"} 2\n\
                        # HELP d_total D.\n# TYPE d_total counter\nd_total{of=\"x\"} 3\n";
        assert_eq!(metrics.render(), expected);
    }

    #[test]
    fn histograms_are_cumulative() {
        let metrics = Metrics::default();
        let times = metrics.histogram("t_seconds", "T.", &[("k", "v")]);
        for millis in [1, 4, 4, 100_000] {
            times.observe(Duration::from_millis(millis));
        }
        let text = metrics.render();
        for line in [
            "t_seconds_bucket{k=\"v\",le=\"0.001\"} 1\n",
            "t_seconds_bucket{k=\"v\",le=\"0.005\"} 3\n",
            "t_seconds_bucket{k=\"v\",le=\"60\"} 3\n",
            "t_seconds_bucket{k=\"v\",le=\"+Inf\"} 4\n",
            "t_seconds_sum{k=\"v\"} 100.009\n",
            "t_seconds_count{k=\"v\"} 4\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
