//! Deep storage that fails on purpose, for tests. The same seed gives the same faults.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::error::{Result, StorageError};
use super::store::{DeepStorage, ObjectInfo, Payload, PushedObject};

/// How often which fault happens, from 0 (never) to 1 (always).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FaultPlan {
    /// Calls that fail and do nothing.
    pub refuse: f64,
    /// Pushes and deletions that succeed and report a failure, as a timeout would.
    pub lose_answer: f64,
    /// Pulls of an object with one bit flipped.
    pub flip_bit: f64,
    /// Pulls of an object with its end cut off.
    pub truncate: f64,
}

/// Wraps a store and makes its calls fail.
#[derive(Debug)]
pub struct UnreliableStorage {
    inner: Arc<dyn DeepStorage>,
    state: Mutex<(StdRng, FaultPlan)>,
}

impl UnreliableStorage {
    /// Faults over `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn DeepStorage>, plan: FaultPlan, seed: u64) -> Self {
        Self { inner, state: Mutex::new((StdRng::seed_from_u64(seed), plan)) }
    }

    /// Changes what fails from now on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.state.lock().1 = plan;
    }

    fn happens(&self, chance: impl Fn(&FaultPlan) -> f64) -> bool {
        let (rng, plan) = &mut *self.state.lock();
        let chance = chance(plan).clamp(0.0, 1.0);
        chance > 0.0 && rng.random_bool(chance)
    }

    fn refuse(&self) -> Result<()> {
        if self.happens(|plan| plan.refuse) {
            return Err(StorageError::Unavailable("injected: refused".into()));
        }
        Ok(())
    }

    fn lose_answer(&self) -> Result<()> {
        if self.happens(|plan| plan.lose_answer) {
            return Err(StorageError::Unavailable("injected: answer lost".into()));
        }
        Ok(())
    }

    /// Pulls a damaged copy the way a network would deliver it: the real pull must refuse it.
    async fn pull_damaged(
        &self,
        key: &str,
        expected: PushedObject,
        destination: &Path,
        truncate: bool,
    ) -> Result<()> {
        let aside = crate::runtime::files::temporary_path(destination);
        self.inner.pull(key, expected, &aside).await?;
        let mut bytes = std::fs::read(&aside).map_err(|e| StorageError::io(&aside, e))?;
        let _ = std::fs::remove_file(&aside);
        let at = self.state.lock().0.random_range(0..bytes.len().max(1));
        if truncate {
            bytes.truncate(at);
        } else if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        let damaged = super::ObjectDeepStorage::in_memory();
        damaged.push(key, Payload::Bytes(bytes.into())).await?;
        damaged.pull(key, expected, destination).await
    }
}

#[async_trait]
impl DeepStorage for UnreliableStorage {
    async fn push(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.refuse()?;
        let pushed = self.inner.push(key, payload).await?;
        self.lose_answer()?;
        Ok(pushed)
    }

    async fn overwrite(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.refuse()?;
        let pushed = self.inner.overwrite(key, payload).await?;
        self.lose_answer()?;
        Ok(pushed)
    }

    async fn pull(&self, key: &str, expected: PushedObject, destination: &Path) -> Result<()> {
        self.refuse()?;
        if self.happens(|plan| plan.flip_bit) {
            return self.pull_damaged(key, expected, destination, false).await;
        }
        if self.happens(|plan| plan.truncate) {
            return self.pull_damaged(key, expected, destination, true).await;
        }
        self.inner.pull(key, expected, destination).await
    }

    async fn check(&self, key: &str, expected: PushedObject) -> Result<()> {
        self.refuse()?;
        self.inner.check(key, expected).await
    }

    async fn read(&self, key: &str) -> Result<Bytes> {
        self.refuse()?;
        self.inner.read(key).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.refuse()?;
        self.inner.delete(key).await?;
        self.lose_answer()
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        self.refuse()?;
        self.inner.head(key).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        self.refuse()?;
        self.inner.list(folder).await
    }
}
