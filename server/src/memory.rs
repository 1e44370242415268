//! How the memory of the process is shared out: one account for all that requests make it hold, parts
//! below it, and settings of single parts that follow what the machine has, or are lowered to it.

use henge_platform::config::{MemoryConfig, ServerConfig};
use henge_platform::runtime::{MemoryAccount, machine};
use henge_platform::telemetry::Metrics;

/// Memory of a machine that does not say how much it has.
const UNKNOWN_MACHINE_BYTES: u64 = 4 << 30;
/// What queries get together where nothing is set, however little memory there is.
const LEAST_QUERIES_BYTES: u64 = 32 << 20;

/// The accounts of a process.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    all: MemoryAccount,
    /// Bodies and the rows that were parsed from them.
    pub(crate) requests: MemoryAccount,
    /// Answers that were not read yet.
    pub(crate) answers: MemoryAccount,
    /// Write-optimised indexes of pushed rows.
    pub(crate) indexes: MemoryAccount,
}

impl Accounts {
    /// The accounts that a configuration asks for, whose zeros were filled in.
    pub(crate) fn new(memory: &MemoryConfig, indexes_bytes: u64) -> Self {
        let MemoryConfig { total_bytes, requests_bytes, answers_bytes } = memory;
        let all = MemoryAccount::root("everything", "memory.total_bytes", bytes(*total_bytes));
        let requests = all.part("requests", "memory.requests_bytes", bytes(*requests_bytes));
        let answers = all.part("answers", "memory.answers_bytes", bytes(*answers_bytes));
        let setting = "ingestion.total_bytes_in_memory";
        let indexes = all.part("indexes", setting, bytes(indexes_bytes));
        Self { all, requests, answers, indexes }
    }

    /// Shows all accounts among the process's numbers.
    pub(crate) fn show(&self, metrics: &Metrics) {
        for account in [&self.all, &self.requests, &self.answers, &self.indexes] {
            account.show(metrics);
        }
    }
}

fn bytes(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}

/// The configuration as it takes effect: what is 0 and follows from the memory of the machine, or of the
/// control group, is filled in, and what exceeds its share of it is lowered.
#[must_use]
pub fn fitted(config: &ServerConfig) -> ServerConfig {
    fitted_to(config, machine::memory_bytes().unwrap_or(UNKNOWN_MACHINE_BYTES))
}

fn fitted_to(config: &ServerConfig, machine_bytes: u64) -> ServerConfig {
    let mut config = config.clone();
    let memory = &mut config.memory;
    fill(&mut memory.total_bytes, machine_bytes / 10 * 6);
    let total = memory.total_bytes;
    fill(&mut memory.requests_bytes, total / 4);
    let ingestion = &mut config.ingestion;
    let total_name = "ingestion.total_bytes_in_memory";
    lower(&mut ingestion.total_bytes_in_memory, total / 4, total_name);
    let one_name = "ingestion.max_bytes_in_memory";
    lower(&mut ingestion.max_bytes_in_memory, ingestion.total_bytes_in_memory / 2, one_name);
    let query = &mut config.query;
    let queries = (total / 2).max(LEAST_QUERIES_BYTES);
    fit(&mut query.total_memory_bytes, queries, "query.total_memory_bytes");
    // What waits to be read counts among what queries hold, and leaves them half of it.
    fill(&mut config.memory.answers_bytes, (total / 4).min(query.total_memory_bytes / 2));
    let one = query.total_memory_bytes / 2;
    fit(&mut query.memory_budget_bytes, one, "query.memory_budget_bytes");
    // Operators of SQL take part of what queries may take together.
    fit(&mut config.sql.memory_bytes, one, "sql.memory_bytes");
    fit(&mut query.dictionary_budget_bytes, total / 8, "query.dictionary_budget_bytes");
    lower(&mut config.cache.segment_bytes, total / 8, "cache.segment_bytes");
    lower(&mut config.cache.result_bytes, total / 16, "cache.result_bytes");
    config
}

fn fill(setting: &mut u64, share: u64) {
    if *setting == 0 {
        *setting = share;
    }
}

/// Fills in a setting's share of the memory, or lowers it to that.
fn fit(setting: &mut u64, share: u64, name: &str) {
    fill(setting, share);
    lower(setting, share, name);
}

/// Lowers a setting to its share of the memory.
fn lower(setting: &mut u64, share: u64, name: &str) {
    if *setting > share {
        tracing::info!(
            setting = name,
            asked_bytes = *setting,
            given_bytes = share,
            "lowered to what memory.total_bytes has room for"
        );
        *setting = share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_machine_keeps_the_defaults_and_fills_in_what_is_0() {
        let asked = ServerConfig::default();
        let fitted = fitted_to(&asked, 64 << 30);
        assert_eq!((&fitted.cache, &fitted.ingestion), (&asked.cache, &asked.ingestion));
        let total = fitted.memory.total_bytes;
        assert!(total > 38 << 30);
        assert_eq!(fitted.memory.requests_bytes, total / 4);
        assert_eq!(fitted.query.total_memory_bytes, total / 2);
        assert_eq!(fitted.query.memory_budget_bytes, total / 4);
        assert_eq!(fitted.query.dictionary_budget_bytes, total / 8);
        fitted.validate().unwrap();
    }

    #[test]
    fn what_is_set_stays_below_its_share_and_what_is_0_follows_from_it() {
        let mut asked = ServerConfig::default();
        asked.query.total_memory_bytes = 6 << 30;
        asked.query.dictionary_budget_bytes = 5;
        let query = fitted_to(&asked, 64 << 30).query;
        assert_eq!(query.total_memory_bytes, 6 << 30);
        assert_eq!(query.memory_budget_bytes, 3 << 30);
        assert_eq!(query.dictionary_budget_bytes, 5);
        asked.query.memory_budget_bytes = 1 << 20;
        assert_eq!(fitted_to(&asked, 64 << 30).query.memory_budget_bytes, 1 << 20);
    }

    #[test]
    fn queries_have_something_however_little_memory_there_is() {
        let fitted = fitted_to(&ServerConfig::default(), 64 << 20);
        assert_eq!(fitted.query.total_memory_bytes, LEAST_QUERIES_BYTES);
        assert_eq!(fitted.query.memory_budget_bytes, LEAST_QUERIES_BYTES / 2);
        assert!(fitted.query.dictionary_budget_bytes > 0);
        fitted.validate().unwrap();
    }

    #[test]
    fn i_11_a_small_machine_lowers_every_part_to_its_share() {
        let mut asked = ServerConfig::default();
        asked.memory.answers_bytes = 7;
        let fitted = fitted_to(&asked, 1 << 30);
        let total = fitted.memory.total_bytes;
        assert!(total < 700 << 20);
        assert_eq!(fitted.memory.answers_bytes, 7);
        assert_eq!(fitted.query.total_memory_bytes, total / 2);
        assert_eq!(fitted.ingestion.total_bytes_in_memory, total / 4);
        assert!(fitted.query.memory_budget_bytes <= total / 4);
        fitted.validate().unwrap();
    }

    #[test]
    fn accounts_are_shown_with_their_ceilings() {
        let mut config = ServerConfig::default();
        config.memory.total_bytes = 1_000;
        let accounts = Accounts::new(&fitted_to(&config, 1 << 30).memory, 10);
        let _held = accounts.requests.charge(100).unwrap();
        let metrics = Metrics::default();
        accounts.show(&metrics);
        let text = metrics.render();
        for line in [
            "henge_memory_bytes{account=\"requests\"} 100\n",
            "henge_memory_bytes{account=\"everything\"} 100\n",
            "henge_memory_limit_bytes{account=\"answers\"} 250\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
