//! A whole storage whose calls fail: what roles have to survive.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::super::ObjectDeepStorage;
use super::super::error::{Result, StorageError};
use super::super::store::{DeepStorage, ObjectInfo, Payload, PushedObject};
use super::plan::{Dice, FaultPlan, InjectedFaults};
use crate::runtime::blocking;

/// Wraps a store and makes its calls fail.
#[derive(Debug)]
pub struct UnreliableStorage {
    inner: Arc<dyn DeepStorage>,
    dice: Dice,
    /// Pushes that were reported as failed and are not carried out so far.
    late: Mutex<Vec<(String, Bytes)>>,
}

impl UnreliableStorage {
    /// Faults over `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn DeepStorage>, plan: FaultPlan, seed: u64) -> Self {
        Self { inner, dice: Dice::new(plan, seed), late: Mutex::default() }
    }

    /// Changes what fails from now on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.dice.set_plan(plan);
    }

    /// How often each fault was injected.
    #[must_use]
    pub fn injected(&self) -> InjectedFaults {
        self.dice.injected()
    }

    /// What every call goes through before it is carried out.
    async fn begin(&self) -> Result<()> {
        self.dice.delay(|plan| plan.latency_ms).await;
        let is_any_late = !self.late.lock().is_empty();
        if is_any_late && self.dice.happens("late push carried out", |_| 0.25) {
            let late = std::mem::take(&mut *self.late.lock());
            for (key, bytes) in late {
                // Who pushed was told of a failure long ago; it may also come too late.
                let _ = self.inner.push(&key, Payload::Bytes(bytes)).await;
            }
        }
        match self.dice.happens("refused", |plan| plan.refuse) {
            true => Err(StorageError::Unavailable("injected: refused".into())),
            false => Ok(()),
        }
    }

    fn lose_answer(&self) -> Result<()> {
        match self.dice.happens("answer lost", |plan| plan.lose_answer) {
            true => Err(StorageError::Unavailable("injected: answer lost".into())),
            false => Ok(()),
        }
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
        let at = self.dice.place(bytes.len());
        if truncate {
            bytes.truncate(at);
        } else if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        let damaged = ObjectDeepStorage::in_memory();
        damaged.push(key, Payload::Bytes(bytes.into())).await?;
        damaged.pull(key, expected, destination).await
    }
}

#[async_trait]
impl DeepStorage for UnreliableStorage {
    async fn push(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.begin().await?;
        if self.dice.happens("late push", |plan| plan.late) {
            let bytes = bytes_of(payload).await?;
            self.late.lock().push((key.to_owned(), bytes));
            return Err(StorageError::Unavailable("injected: no answer in time".into()));
        }
        let pushed = self.inner.push(key, payload).await?;
        self.lose_answer()?;
        Ok(pushed)
    }

    async fn overwrite(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.begin().await?;
        let pushed = self.inner.overwrite(key, payload).await?;
        self.lose_answer()?;
        Ok(pushed)
    }

    async fn pull(&self, key: &str, expected: PushedObject, destination: &Path) -> Result<()> {
        self.begin().await?;
        if self.dice.happens("bit flipped", |plan| plan.flip_bit) {
            return self.pull_damaged(key, expected, destination, false).await;
        }
        if self.dice.happens("end cut off", |plan| plan.truncate) {
            return self.pull_damaged(key, expected, destination, true).await;
        }
        self.inner.pull(key, expected, destination).await
    }

    async fn check(&self, key: &str, expected: PushedObject) -> Result<()> {
        self.begin().await?;
        self.inner.check(key, expected).await
    }

    async fn read(&self, key: &str) -> Result<Bytes> {
        self.begin().await?;
        self.inner.read(key).await
    }

    async fn read_range(&self, key: &str, size_bytes: u64, range: Range<u64>) -> Result<Bytes> {
        self.begin().await?;
        let bytes = self.inner.read_range(key, size_bytes, range).await?;
        if !self.dice.happens("bit flipped", |plan| plan.flip_bit) {
            return Ok(bytes);
        }
        let mut damaged = bytes.to_vec();
        let at = self.dice.place(damaged.len());
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        Ok(damaged.into())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.begin().await?;
        self.inner.delete(key).await?;
        self.lose_answer()
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        self.begin().await?;
        self.inner.head(key).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        self.dice.delay(|plan| plan.slow_list_ms).await;
        self.begin().await?;
        self.inner.list(folder).await
    }
}

/// What is pushed, before its file is gone.
async fn bytes_of(payload: Payload) -> Result<Bytes> {
    match payload {
        Payload::Bytes(bytes) => Ok(bytes),
        Payload::File(source) => {
            let read = move || std::fs::read(&source).map_err(|e| StorageError::io(&source, e));
            Ok(blocking(read).await??.into())
        }
    }
}
