//! Rows that hardly ever meet a group: a table that looks each of them up finds nothing, so each row is
//! a group of its own until partitions are merged.

use crate::partial::Distinctness;

/// One row of so many may meet a group.
const MET_OF: usize = 8;

/// So many times rows are not looked up before it is found out again whether they meet groups.
const TIMES: u32 = 7;

/// Whether rows are looked up.
#[derive(Debug)]
pub(super) struct EachRow {
    is_allowed: bool,
    left: u32,
}

impl EachRow {
    /// For groups that have to be so.
    pub(super) fn new(handed_on: Distinctness) -> Self {
        Self { is_allowed: handed_on == Distinctness::Repeating, left: 0 }
    }

    /// True when the next rows need not be looked up, after so many rows and groups of a table.
    pub(super) fn pays_after(&mut self, rows: usize, groups: usize, were: Distinctness) -> bool {
        match were {
            Distinctness::Repeating => self.left -= 1,
            Distinctness::Distinct if groups * MET_OF > rows * (MET_OF - 1) => self.left = TIMES,
            Distinctness::Distinct => self.left = 0,
        }
        self.is_allowed && self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_looked_up_again_now_and_then() {
        let (met, new) = ((100, 50), (100, 99));
        let mut each = EachRow::new(Distinctness::Repeating);
        assert!(!each.pays_after(met.0, met.1, Distinctness::Distinct));
        assert!(each.pays_after(new.0, new.1, Distinctness::Distinct));
        for _ in 1..TIMES {
            assert!(each.pays_after(100, 100, Distinctness::Repeating));
        }
        assert!(!each.pays_after(100, 100, Distinctness::Repeating));
        let mut never = EachRow::new(Distinctness::Distinct);
        assert!(!never.pays_after(new.0, new.1, Distinctness::Distinct));
    }
}
