//! Numbers for the pieces of time that instants lie in.

use std::collections::BTreeMap;

use henge_expr::TimePieces;

/// Recently met pieces, by the bits of instants above those of a piece's length.
const CACHED_PIECES: usize = 1 << 12;

/// Instants that are compared with a piece before the next look at the result.
const CHECKED: usize = 512;

/// Gives each piece that occurs the next id, from 1 on: 0 is null.
#[derive(Debug)]
pub(super) struct PieceIds {
    pieces: TimePieces,
    /// The piece of the instant before: sorted rows seldom leave it.
    current: Piece,
    cache: Vec<Piece>,
    shift: u32,
    by_first: BTreeMap<i64, Piece>,
    examples: Vec<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    first: i64,
    last: i64,
    id: u32,
}

impl Piece {
    const EMPTY: Self = Self { first: i64::MAX, last: i64::MIN, id: 0 };

    #[inline]
    fn holds(&self, value: i64) -> bool {
        self.first <= value && value <= self.last
    }

    /// Without a branch for each value.
    fn holds_all(&self, values: &[i64]) -> bool {
        let span = self.last.wrapping_sub(self.first) as u64;
        let is_beyond = |&value: &i64| value.wrapping_sub(self.first) as u64 > span;
        !values.iter().fold(false, |any, value| any | is_beyond(value))
    }
}

impl PieceIds {
    pub(super) fn new(pieces: TimePieces) -> Self {
        Self {
            pieces,
            current: Piece::EMPTY,
            cache: Vec::new(),
            shift: 0,
            by_first: BTreeMap::new(),
            examples: Vec::new(),
        }
    }

    /// Ids are below this.
    pub(super) fn id_count(&self) -> usize {
        self.examples.len() + 1
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.examples.len() * (size_of::<i64>() + 2 * size_of::<(i64, Piece)>())
            + self.cache.len() * size_of::<Piece>()
    }

    /// An instant of the piece; `None` is null.
    pub(super) fn example(&self, id: u32) -> Option<i64> {
        self.examples.get((id as usize).checked_sub(1)?).copied()
    }

    #[inline]
    pub(super) fn id_of(&mut self, value: i64) -> u32 {
        if !self.current.holds(value) {
            self.current = self.find(value);
        }
        self.current.id
    }

    /// The id of all instants from `min` to `max`, when they lie in one piece.
    pub(super) fn id_of_range(&mut self, min: i64, max: i64) -> Option<u32> {
        let id = self.id_of(min);
        self.current.holds(max).then_some(id)
    }

    /// Writes the ids of instants, or finds that they all have the same: rows are in the order of
    /// time more often than not, and pieces longer than a window.
    pub(super) fn write_ids(&mut self, values: &[i64], ids: &mut [u32]) -> Option<u32> {
        let id = self.id_of(*values.first()?);
        if values.chunks(CHECKED).all(|values| self.current.holds_all(values)) {
            return Some(id);
        }
        let mut piece = self.current;
        for (id, &value) in ids.iter_mut().zip(values) {
            if !piece.holds(value) {
                piece = self.find(value);
            }
            *id = piece.id;
        }
        self.current = piece;
        None
    }

    #[inline(never)]
    fn find(&mut self, value: i64) -> Piece {
        let slot = (value >> self.shift) as usize % CACHED_PIECES;
        if let Some(piece) = self.cache.get(slot).filter(|piece| piece.holds(value)) {
            return *piece;
        }
        let before = self.by_first.range(..=value).next_back().map(|(_, piece)| *piece);
        let piece = before.filter(|piece| piece.holds(value)).unwrap_or_else(|| self.add(value));
        if let Some(cached) = self.cache.get_mut(slot) {
            *cached = piece;
        }
        piece
    }

    fn add(&mut self, value: i64) -> Piece {
        let (first, last) = self.pieces.around(value);
        if self.cache.is_empty() {
            self.cache = vec![Piece::EMPTY; CACHED_PIECES];
            self.shift = last.abs_diff(first).max(1).ilog2();
        }
        self.examples.push(value);
        let piece = Piece { first, last, id: self.examples.len() as u32 };
        self.by_first.insert(first, piece);
        piece
    }
}

#[cfg(test)]
mod tests {
    use henge_expr::Expr;

    use super::*;

    #[test]
    fn instants_share_an_id_just_when_they_share_a_piece() {
        const HOUR_MS: i64 = 3_600_000;
        let expression = Expr::parse("timestamp_extract(t, 'HOUR')").unwrap();
        let mut sorted = PieceIds::new(expression.time_pieces("t").unwrap());
        let mut mixed = PieceIds::new(expression.time_pieces("t").unwrap());
        let values: Vec<i64> = (-20_000..20_000).map(|n| n * 600_000).collect();
        let mut ids = vec![0; values.len()];
        assert_eq!(sorted.write_ids(&values, &mut ids), None);
        let hours: std::collections::BTreeSet<i64> =
            values.iter().map(|value| value.div_euclid(HOUR_MS)).collect();
        assert_eq!(sorted.id_count() - 1, hours.len());
        for (value, id) in values.iter().zip(&ids) {
            let example = sorted.example(*id).unwrap();
            assert_eq!(example.div_euclid(HOUR_MS), value.div_euclid(HOUR_MS));
        }
        for at in (0..values.len()).map(|index| index * 7_919 % values.len()) {
            let id = mixed.id_of(values[at]);
            let example = mixed.example(id).unwrap();
            assert_eq!(example.div_euclid(HOUR_MS), values[at].div_euclid(HOUR_MS));
        }
        assert_eq!(mixed.id_count(), sorted.id_count());
        assert_eq!(mixed.example(0), None);
        assert_eq!(mixed.id_of_range(0, HOUR_MS - 1), Some(mixed.id_of(1)));
        assert_eq!(mixed.id_of_range(0, HOUR_MS), None);
        let of_one: Vec<i64> = (0..3_000).map(|n| n * 7_919 % HOUR_MS).collect();
        assert_eq!(mixed.write_ids(&of_one, &mut ids), Some(mixed.id_of(1)));
        assert_eq!(mixed.write_ids(&[], &mut ids), None);
    }
}
