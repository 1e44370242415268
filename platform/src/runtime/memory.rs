//! Accounts of memory: everything that a request can make the server hold is charged to one of them
//! before it is allocated, and an account that is full refuses instead of growing.
//!
//! Accounts form a tree: a charge counts in its account and in all above, so that parts have ceilings
//! of their own and the process has one for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use henge_types::ErrorClass;

use crate::telemetry::Metrics;

/// An account with a ceiling. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryAccount(Arc<Account>);

#[derive(Debug)]
struct Account {
    name: &'static str,
    setting: &'static str,
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    peak_bytes: AtomicUsize,
    refusals: AtomicU64,
    parent: Option<MemoryAccount>,
}

/// An account is full.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "out of memory for {account}: {used_bytes} of {limit_bytes} bytes are held and {wanted_bytes} \
     more are wanted; send less at once, try again later, or raise {setting}"
)]
pub struct AccountFull {
    /// The account that is full.
    pub account: &'static str,
    /// The setting of its ceiling.
    pub setting: &'static str,
    /// Bytes that were wanted on top.
    pub wanted_bytes: usize,
    /// Bytes that were held.
    pub used_bytes: usize,
    /// The ceiling.
    pub limit_bytes: usize,
}

impl AccountFull {
    /// The class of the error: who was refused may try again.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Capacity
    }
}

impl MemoryAccount {
    /// The account over all others. `setting` is what an operator raises when it is full.
    #[must_use]
    pub fn root(name: &'static str, setting: &'static str, limit_bytes: usize) -> Self {
        Self::new(name, setting, limit_bytes, None)
    }

    /// An account whose charges also count in this one.
    #[must_use]
    pub fn part(&self, name: &'static str, setting: &'static str, limit_bytes: usize) -> Self {
        Self::new(name, setting, limit_bytes, Some(self.clone()))
    }

    /// An account that never refuses, for tests and tools.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::root("everything", "nothing", usize::MAX)
    }

    fn new(
        name: &'static str,
        setting: &'static str,
        limit_bytes: usize,
        parent: Option<Self>,
    ) -> Self {
        Self(Arc::new(Account {
            name,
            setting,
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            peak_bytes: AtomicUsize::new(0),
            refusals: AtomicU64::new(0),
            parent,
        }))
    }

    /// Charges bytes until the charge is dropped.
    ///
    /// # Errors
    /// When this account or one above is full; then nothing is charged.
    pub fn charge(&self, bytes: usize) -> Result<Charge, AccountFull> {
        let mut charge = self.nothing();
        charge.set(bytes)?;
        Ok(charge)
    }

    /// A charge of no bytes, which can grow.
    #[must_use]
    pub fn nothing(&self) -> Charge {
        Charge { account: self.clone(), bytes: 0 }
    }

    /// Bytes that are charged now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.0.used_bytes.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever charged at once.
    #[must_use]
    pub(crate) fn peak_bytes(&self) -> usize {
        self.0.peak_bytes.load(Ordering::Relaxed)
    }

    /// The ceiling.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.0.limit_bytes
    }

    /// Charges that were refused.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.0.refusals.load(Ordering::Relaxed)
    }

    /// Shows the account among a process's numbers.
    pub fn show(&self, metrics: &Metrics) {
        let labels = &[("account", self.0.name)];
        let (held, peak, limit, refused) = (self.clone(), self.clone(), self.clone(), self.clone());
        let help = "Bytes that are charged to an account of memory.";
        metrics.gauge("henge_memory_bytes", help, labels, move || held.used_bytes() as u64);
        let help = "The most bytes that were charged to an account at once.";
        metrics.gauge("henge_memory_peak_bytes", help, labels, move || peak.peak_bytes() as u64);
        let help = "The ceiling of an account.";
        metrics.gauge("henge_memory_limit_bytes", help, labels, move || limit.limit_bytes() as u64);
        let help = "Charges that an account refused because it was full.";
        metrics.counter_of("henge_memory_refusals_total", help, labels, move || refused.refusals());
    }

    fn add(&self, bytes: usize) -> Result<(), AccountFull> {
        let account = &self.0;
        let within =
            |used: usize| used.checked_add(bytes).filter(|sum| *sum <= account.limit_bytes);
        let added = account.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within);
        match added {
            Ok(used) => {
                if let Some(parent) = &account.parent
                    && let Err(full) = parent.add(bytes)
                {
                    account.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    return Err(full);
                }
                account.peak_bytes.fetch_max(used + bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(used_bytes) => {
                account.refusals.fetch_add(1, Ordering::Relaxed);
                Err(AccountFull {
                    account: account.name,
                    setting: account.setting,
                    wanted_bytes: bytes,
                    used_bytes,
                    limit_bytes: account.limit_bytes,
                })
            }
        }
    }

    fn add_beyond(&self, bytes: usize) {
        let used = self.0.used_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.0.peak_bytes.fetch_max(used, Ordering::Relaxed);
        if let Some(parent) = &self.0.parent {
            parent.add_beyond(bytes);
        }
    }

    fn give_back(&self, bytes: usize) {
        self.0.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = &self.0.parent {
            parent.give_back(bytes);
        }
    }
}

/// Bytes charged to an account; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    account: MemoryAccount,
    bytes: usize,
}

impl Charge {
    /// Makes the charge so many bytes, more or fewer than before.
    ///
    /// # Errors
    /// When it grows and the account is full; then it stays what it was.
    pub fn set(&mut self, bytes: usize) -> Result<(), AccountFull> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.account.add(more)?,
            None => self.account.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// As [`Charge::set`], but never refused: for what has to be kept, whatever the ceiling. Whoever
    /// asks for more is refused until it is gone.
    pub fn force(&mut self, bytes: usize) {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.account.add_beyond(more),
            None => self.account.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
    }

    /// Bytes charged.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that give the charge back when their last clone is gone.
    #[must_use]
    pub fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Held { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.give_back(self.bytes);
    }
}

struct Held {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_11_a_charge_counts_in_all_accounts_above_and_is_refused_by_the_first_that_is_full() {
        let all = MemoryAccount::root("the process", "memory.total_bytes", 100);
        let requests = all.part("requests", "memory.requests_bytes", 80);
        let answers = all.part("answers", "memory.answers_bytes", 80);
        let first = requests.charge(60).unwrap();
        let full = requests.charge(21).unwrap_err();
        assert_eq!((full.account, full.used_bytes, full.limit_bytes), ("requests", 60, 80));
        assert!(full.to_string().contains("memory.requests_bytes"), "{full}");
        let full = answers.charge(41).unwrap_err();
        assert_eq!((full.account, full.used_bytes), ("the process", 60));
        // What the upper account refused is not left in the lower one.
        assert_eq!((answers.used_bytes(), all.used_bytes()), (0, 60));
        let second = answers.charge(40).unwrap();
        assert_eq!(all.used_bytes(), 100);
        drop((first, second));
        assert_eq!((all.used_bytes(), all.peak_bytes()), (0, 100));
        assert_eq!((requests.refusals(), answers.refusals(), all.refusals()), (1, 0, 1));
    }

    #[test]
    fn a_charge_that_cannot_grow_stays_what_it_was() {
        let account = MemoryAccount::root("a", "s", 10);
        let mut charge = account.charge(4).unwrap();
        assert!(charge.set(11).is_err());
        assert_eq!((charge.bytes(), account.used_bytes()), (4, 4));
        charge.set(10).unwrap();
        charge.set(2).unwrap();
        assert_eq!(account.used_bytes(), 2);
        charge.force(15);
        assert_eq!((account.used_bytes(), account.peak_bytes()), (15, 15));
        assert!(account.charge(1).is_err());
        charge.force(9);
        assert!(account.charge(1).is_ok());
    }

    #[test]
    fn held_bytes_give_their_charge_back_with_the_last_clone() {
        let account = MemoryAccount::root("a", "s", 10);
        let bytes = account.charge(4).unwrap().hold(Bytes::from_static(b"abcd"));
        let slice = bytes.slice(1..2);
        drop(bytes);
        assert_eq!((&slice[..], account.used_bytes()), (&b"b"[..], 4));
        drop(slice);
        assert_eq!(account.used_bytes(), 0);
    }

    #[test]
    fn threads_together_stay_below_the_ceiling() {
        let account = MemoryAccount::root("a", "s", 1_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..2_000 {
                        let charge = account.charge(300 + round % 7);
                        assert!(account.used_bytes() <= 1_000);
                        drop(charge);
                    }
                });
            }
        });
        assert_eq!(account.used_bytes(), 0);
        assert!(account.peak_bytes() <= 1_000);
    }
}
