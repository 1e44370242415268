//! Theta sketches: distinct counts that also support set operations.

use datasketches::hash::value::{canonical_float, raw_bytes};
use datasketches::theta as ds;

use crate::Sketch;
use crate::error::{Result, SketchError};

const NAME: &str = "theta";
const DEFAULT_SIZE: u32 = 16_384;
const MIN_SIZE: u32 = 32;
const MAX_SIZE: u32 = 1 << 26;

/// A theta sketch.
#[derive(Debug)]
pub struct ThetaSketch {
    size: u32,
    state: State,
}

/// Values go into a table, images stay compact until something is merged into them.
#[derive(Debug)]
enum State {
    Table(ds::ThetaSketch),
    Compact(ds::CompactThetaSketch),
    Union(ds::ThetaUnion),
}

impl ThetaSketch {
    /// An empty sketch of nominally `size` entries, rounded up to a power of two, at least 32.
    ///
    /// # Errors
    /// [`SketchError::Parameter`] when `size` is beyond 2^26.
    pub fn new(size: u32) -> Result<Self> {
        if size > MAX_SIZE {
            return Err(bad_size(size));
        }
        let size = size.max(MIN_SIZE).next_power_of_two();
        Ok(Self { size, state: State::Table(new_table(size)?) })
    }

    /// Nominal entries.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// True when nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.state {
            State::Table(table) => table.is_empty(),
            State::Compact(compact) => compact.is_empty(),
            State::Union(union) => union.to_sketch(false).is_empty(),
        }
    }

    /// Adds a string.
    pub fn update_str(&mut self, value: &str) {
        self.update_bytes(value.as_bytes());
    }

    /// Adds bytes.
    pub fn update_bytes(&mut self, value: &[u8]) {
        self.update(raw_bytes::from_slice(value));
    }

    /// Adds a LONG.
    pub fn update_i64(&mut self, value: i64) {
        self.update(value);
    }

    /// Adds a DOUBLE; -0 is 0 and all NaNs are one.
    pub fn update_f64(&mut self, value: f64) {
        self.update(canonical_float::from_f64(value));
    }

    fn update(&mut self, value: impl std::hash::Hash) {
        if let State::Table(table) = &mut self.state {
            table.update(value);
            return;
        }
        // A value for a merged sketch, which is rare: by way of a sketch of that value alone.
        if let Ok(mut table) = new_table(MIN_SIZE) {
            table.update(value);
            if let Ok(union) = self.union_mut() {
                // Both use the default seed, the only thing that can differ.
                let _ = union.update(&table);
            }
        }
    }

    fn union_mut(&mut self) -> Result<&mut ds::ThetaUnion> {
        if !matches!(self.state, State::Union(_)) {
            let mut union = ds::ThetaUnionBuilder::default()
                .lg_k(lg_size(self.size))
                .build()
                .map_err(|_| bad_size(self.size))?;
            match &self.state {
                State::Table(table) => union.update(table),
                State::Compact(compact) => union.update(compact),
                State::Union(_) => Ok(()),
            }
            .map_err(|error| SketchError::corrupt(NAME, error.message()))?;
            self.state = State::Union(union);
        }
        match &mut self.state {
            State::Union(union) => Ok(union),
            _ => Err(SketchError::corrupt(NAME, "not a union")),
        }
    }

    fn to_compact(&self) -> ds::CompactThetaSketch {
        match &self.state {
            State::Table(table) => table.compact(true),
            State::Compact(compact) => compact.clone(),
            State::Union(union) => union.to_sketch(true),
        }
    }
}

impl Clone for ThetaSketch {
    fn clone(&self) -> Self {
        Self { size: self.size, state: State::Compact(self.to_compact()) }
    }
}

impl Sketch for ThetaSketch {
    fn estimate(&self) -> f64 {
        match &self.state {
            State::Table(table) => table.estimate(),
            State::Compact(compact) => compact.estimate(),
            State::Union(union) => union.to_sketch(false).estimate(),
        }
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        let union = self.union_mut()?;
        match &other.state {
            State::Table(table) => union.update(table),
            State::Compact(compact) => union.update(compact),
            State::Union(other) => union.update(&other.to_sketch(false)),
        }
        .map_err(|error| SketchError::corrupt(NAME, error.message()))
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.to_compact().serialize()
    }

    /// Images do not carry their nominal size: what is read may grow to 16,384 entries (Druid's
    /// default) when merged into, or to its own size when that is more.
    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let compact = ds::CompactThetaSketch::deserialize(bytes)
            .map_err(|error| SketchError::corrupt(NAME, error.message()))?;
        check_entries(&compact)?;
        let retained = u32::try_from(compact.num_retained()).unwrap_or(u32::MAX);
        if retained > MAX_SIZE {
            return Err(SketchError::corrupt(NAME, format!("{retained} entries")));
        }
        let size = retained.next_power_of_two().max(DEFAULT_SIZE);
        Ok(Self { size, state: State::Compact(compact) })
    }

    fn memory_bytes(&self) -> usize {
        let heap = match &self.state {
            State::Table(table) => table.estimated_size(),
            State::Compact(compact) => compact.estimated_size(),
            State::Union(union) => union.estimated_size(),
        };
        size_of::<Self>() + heap
    }
}

/// The library trusts the claimed order and distinctness when it merges and writes.
fn check_entries(compact: &ds::CompactThetaSketch) -> Result<()> {
    let mut hashes: Vec<u64> = compact.iter().map(|entry| entry.hash()).collect();
    if !compact.is_ordered() {
        hashes.sort_unstable();
    }
    if hashes.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(SketchError::corrupt(NAME, "entries are not in order or occur twice"));
    }
    Ok(())
}

fn new_table(size: u32) -> Result<ds::ThetaSketch> {
    ds::ThetaSketchBuilder::default().lg_k(lg_size(size)).build().map_err(|_| bad_size(size))
}

fn lg_size(size: u32) -> u8 {
    size.ilog2() as u8
}

fn bad_size(size: u32) -> SketchError {
    SketchError::Parameter { name: "size", value: size.into(), allowed: "at most 67108864" }
}

#[cfg(test)]
mod tests;
