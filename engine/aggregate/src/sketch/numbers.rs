//! Sketches of numbers: of stored ones that are counted, of any whose distribution is sketched.

use henge_scan::{Batch, Loaded, Result, Scalar, Selection, SlotId};
use henge_segment::{NumericBlock, NumericValues};
use henge_sketch::HllHash;

use super::groups::{GroupSketches, SketchInput};
use super::kind::SketchKind;
use crate::accumulator::BlockInput;

/// A numeric column.
#[derive(Debug)]
pub(crate) struct NumberSketches {
    slot: SlotId,
    words: Words,
}

impl NumberSketches {
    pub(crate) fn new(slot: SlotId) -> Self {
        Self { slot, words: Words::default() }
    }
}

/// A batch's values as the words that are hashed, repetitions of the last one left out: hashing is
/// then a loop over a slice. Only sketches that have registers take them.
#[derive(Debug, Default)]
struct Words {
    words: Vec<u64>,
    groups: Vec<u32>,
}

impl Words {
    /// Adds a batch, as words where the sketches take these.
    fn add<S: SketchKind, T: Copy>(
        &mut self,
        batch: &Batch<'_>,
        block: &NumericBlock<'_, T>,
        sketches: &mut GroupSketches<S>,
        word: impl Fn(T) -> u64,
        scalar: impl Fn(T) -> Scalar<'static>,
    ) -> Result<()> {
        let Some(registers) = sketches.registers()? else {
            return add_numbers(sketches, batch, block, scalar);
        };
        self.fill(batch, block, word);
        match batch {
            Batch::One { group, .. } => registers.update_words(*group as usize, &self.words),
            _ => registers.update_words_of(&self.groups, &self.words),
        }
        Ok(())
    }

    fn fill<T: Copy>(
        &mut self,
        batch: &Batch<'_>,
        block: &NumericBlock<'_, T>,
        word: impl Fn(T) -> u64,
    ) {
        let Self { words, groups } = self;
        words.clear();
        groups.clear();
        if let (Batch::One { selection: Selection::Range { start, end }, .. }, None) =
            (batch, block.nulls)
            && let NumericValues::Slice(values) = block.values
        {
            return fill_changes(words, &values[*start..*end], word);
        }
        let mut last = None;
        batch.visit(|row, group| {
            if block.nulls.is_some_and(|nulls| nulls.is_null(row)) {
                return;
            }
            let word = word(block.values.get(row));
            if last != Some((word, group)) {
                words.push(word);
                groups.push(group as u32);
                last = Some((word, group));
            }
        });
    }
}

/// The words of values that differ from those before them, written without a branch that would be
/// guessed wrong.
fn fill_changes<T: Copy>(words: &mut Vec<u64>, values: &[T], word: impl Fn(T) -> u64) {
    words.resize(values.len(), 0);
    let mut last = values.first().map_or(0, |value| !word(*value));
    let mut count = 0;
    for &value in values {
        let word = word(value);
        words[count] = word;
        count += usize::from(word != last);
        last = word;
    }
    words.truncate(count);
}

impl<S: SketchKind> SketchInput<S> for NumberSketches {
    fn slots(&self) -> Vec<SlotId> {
        vec![self.slot]
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        let words = &mut self.words;
        let float = |value: f32| Scalar::Double(f64::from(value));
        let float_word = |value: f32| HllHash::word_of_f64(f64::from(value));
        match input.loaded.get(self.slot) {
            Loaded::Long(block) => {
                words.add(batch, &block, sketches, |value| value as u64, Scalar::Long)
            }
            Loaded::Float(block) => words.add(batch, &block, sketches, float_word, float),
            Loaded::Double(block) => {
                words.add(batch, &block, sketches, HllHash::word_of_f64, Scalar::Double)
            }
            Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => Ok(()),
        }
    }

    fn memory_bytes(&self) -> usize {
        let Words { words, groups } = &self.words;
        words.capacity() * 8 + groups.capacity() * 4
    }
}

/// Adds the values of a batch that are not null.
fn add_numbers<S: SketchKind, T: Copy>(
    sketches: &mut GroupSketches<S>,
    batch: &Batch<'_>,
    block: &NumericBlock<'_, T>,
    scalar: impl Fn(T) -> Scalar<'static>,
) -> Result<()> {
    batch.try_visit(|row, group| {
        if !block.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            sketches.get(group)?.update(scalar(block.values.get(row)));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_of_the_last_value_are_left_out() {
        for values in [vec![], vec![5, 5, 5], vec![0, 0, 1, 0, -1, -1, 7], (0..100).collect()] {
            let mut expected: Vec<u64> = values.iter().map(|value: &i64| *value as u64).collect();
            expected.dedup();
            let mut words = Vec::new();
            fill_changes(&mut words, &values, |value| value as u64);
            assert_eq!(words, expected);
        }
    }
}
