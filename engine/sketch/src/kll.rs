//! KLL: quantiles of doubles, exact while few values were seen.

use datasketches::common::SearchCriteria::Inclusive;
use datasketches::kll as ds;

use crate::Sketch;
use crate::error::{Result, SketchError};

const NAME: &str = "quantiles";

/// A KLL quantiles sketch.
#[derive(Debug, Clone)]
pub struct KllSketch(ds::KllSketch<ds::KllFloat<f64>>);

impl KllSketch {
    /// The most values a sketch counts: more than any stream has, and few enough that no weight
    /// overflows and that the estimate is exact.
    pub const MAX_N: u64 = 1 << 53;

    /// An empty sketch; rank error is about `2.3 / k`.
    ///
    /// # Errors
    /// [`SketchError::Parameter`] when `k` is less than 8.
    pub fn new(k: u16) -> Result<Self> {
        ds::KllSketch::new(k).map(Self).map_err(|_| SketchError::Parameter {
            name: "k",
            value: k.into(),
            allowed: "8 to 65535",
        })
    }

    /// Adds a value. NaN is ignored.
    pub fn update_f64(&mut self, value: f64) {
        if self.0.n() < Self::MAX_N
            && let Ok(value) = ds::KllFloat::<f64>::new(value)
        {
            self.0.update(value);
        }
    }

    /// Number of values seen.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.0.n()
    }

    /// The accuracy parameter.
    #[must_use]
    pub fn k(&self) -> u16 {
        self.0.k()
    }

    /// Smallest value seen.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.0.min_item().map(|item| item.into_inner())
    }

    /// Largest value seen.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.0.max_item().map(|item| item.into_inner())
    }

    /// The value at a rank from 0 to 1; `None` when empty or when the rank is out of range.
    #[must_use]
    pub fn quantile(&self, rank: f64) -> Option<f64> {
        self.0.quantile(rank, Inclusive).ok().flatten().map(ds::KllFloat::into_inner)
    }

    /// The values at several ranks, sorting once; `None` as for [`KllSketch::quantile`].
    #[must_use]
    pub fn quantiles(&self, ranks: &[f64]) -> Option<Vec<f64>> {
        let values = self.0.quantiles(ranks, Inclusive).ok().flatten()?;
        Some(values.into_iter().map(ds::KllFloat::into_inner).collect())
    }

    /// The share of values at most `value`; `None` when empty or for NaN.
    #[must_use]
    pub fn rank(&self, value: f64) -> Option<f64> {
        self.0.rank(&ds::KllFloat::<f64>::new(value).ok()?, Inclusive)
    }
}

impl Sketch for KllSketch {
    fn estimate(&self) -> f64 {
        self.n() as f64
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        if self.n().saturating_add(other.n()) > Self::MAX_N {
            return Err(SketchError::Overflow);
        }
        self.0.merge(&other.0).map_err(|error| SketchError::corrupt(NAME, error.message()))
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let sketch = ds::KllSketch::deserialize(bytes)
            .map_err(|error| SketchError::corrupt(NAME, error.message()))?;
        if sketch.n() > Self::MAX_N {
            return Err(SketchError::corrupt(NAME, format!("{} values", sketch.n())));
        }
        Ok(Self(sketch))
    }

    fn memory_bytes(&self) -> usize {
        // Levels are vectors that grow by doubling, so up to half of each may be spare.
        let level_bytes = 64 * size_of::<Vec<f64>>();
        size_of::<Self>() + level_bytes + 2 * self.0.num_retained() * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests;
