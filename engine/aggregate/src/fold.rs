//! The selected values of a block folded into one.

use henge_scan::Selection;
use henge_segment::{NullMask, NumericValues};

use crate::kernels::{Input, Op};

/// Values gathered at a time before they are folded.
const CHUNK: usize = 512;

/// Folds the selected values of a block; also says how many were not null.
pub(crate) fn fold_block<O: Op, T: Input<O::State>>(
    selection: Selection<'_>,
    values: NumericValues<'_, T>,
    nulls: Option<NullMask<'_>>,
) -> (O::Wide, usize) {
    match (values, nulls) {
        (NumericValues::Constant(value), None) => {
            let count = selection.len();
            (O::fold_repeated(O::EMPTY, value.convert(), count), count)
        }
        (NumericValues::Constant(value), Some(nulls)) => {
            let mut count = 0;
            selection.for_each(|row| count += usize::from(!nulls.is_null(row)));
            (O::fold_repeated(O::EMPTY, value.convert(), count), count)
        }
        (NumericValues::Slice(values), None) => fold_slice::<O, T>(selection, values),
        (NumericValues::Slice(values), Some(nulls)) => {
            let mut chunk = Chunk::<O>::new();
            selection.for_each(|row| {
                if !nulls.is_null(row) {
                    chunk.push(values[row].convert());
                }
            });
            chunk.finish()
        }
    }
}

fn fold_slice<O: Op, T: Input<O::State>>(
    selection: Selection<'_>,
    values: &[T],
) -> (O::Wide, usize) {
    match selection {
        Selection::Range { start, end } => {
            let values = &values[start..end];
            if let Some(states) = T::as_states(values) {
                return (O::fold(O::EMPTY, states), values.len());
            }
            let mut buffer = [O::START; CHUNK];
            let mut wide = O::EMPTY;
            for part in values.chunks(CHUNK) {
                for (slot, &value) in buffer.iter_mut().zip(part) {
                    *slot = value.convert();
                }
                wide = O::fold(wide, &buffer[..part.len()]);
            }
            (wide, values.len())
        }
        Selection::Rows(rows) => {
            let mut buffer = [O::START; CHUNK];
            let mut wide = O::EMPTY;
            for part in rows.chunks(CHUNK) {
                for (slot, &row) in buffer.iter_mut().zip(part) {
                    *slot = values[row as usize].convert();
                }
                wide = O::fold(wide, &buffer[..part.len()]);
            }
            (wide, rows.len())
        }
    }
}

/// Values on their way to a fold.
struct Chunk<O: Op> {
    buffer: [O::State; CHUNK],
    filled: usize,
    folded: usize,
    wide: O::Wide,
}

impl<O: Op> Chunk<O> {
    fn new() -> Self {
        Self { buffer: [O::START; CHUNK], filled: 0, folded: 0, wide: O::EMPTY }
    }

    #[inline]
    fn push(&mut self, value: O::State) {
        self.buffer[self.filled] = value;
        self.filled += 1;
        if self.filled == CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.wide = O::fold(self.wide, &self.buffer[..self.filled]);
        self.folded += self.filled;
        self.filled = 0;
    }

    fn finish(mut self) -> (O::Wide, usize) {
        self.flush();
        (self.wide, self.folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DoubleMin, DoubleSum, LongMax};

    #[test]
    fn folds_agree_over_ranges_rows_and_nulls() {
        let values: Vec<f64> = (0..2000).map(f64::from).collect();
        let slice = NumericValues::Slice(&values);
        let rows: Vec<u16> = (0..2000).filter(|row| row % 3 == 0).collect();
        let selection = Selection::Rows(&rows);
        let expected: f64 = rows.iter().map(|&row| f64::from(row)).sum();
        assert_eq!(fold_block::<DoubleSum, f64>(selection, slice, None), (expected, rows.len()));
        let mut words = vec![u64::MAX; 32];
        rows.iter().for_each(|&row| words[row as usize / 64] &= !(1 << (row % 64)));
        let all = Selection::Range { start: 0, end: 2000 };
        let nulls = Some(NullMask { words: &words });
        assert_eq!(fold_block::<DoubleSum, f64>(all, slice, nulls), (expected, rows.len()));
        assert_eq!(fold_block::<LongMax, f64>(all, slice, nulls), (1998, rows.len()));
        assert_eq!(fold_block::<DoubleMin, f64>(all, slice, None), (0.0, 2000));
    }
}
