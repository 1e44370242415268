//! Values of pairs with rows, put in the order of the rows.

/// How many values some rows have of pairs that are all different, and the values in the order of the
/// rows. Each row is named once.
pub fn words_by_row<W: Copy + Default>(
    pairs: impl Iterator<Item = (u32, W)> + Clone,
    rows: &[u32],
) -> (Vec<usize>, Vec<W>) {
    let places = Places::of(rows);
    let mut counts = vec![0; rows.len()];
    for place in pairs.clone().filter_map(|(row, _)| places.get(row)) {
        counts[place as usize] += 1;
    }
    let mut end = 0;
    let mut ends: Vec<usize> = Vec::with_capacity(counts.len());
    for count in &counts {
        ends.push(end);
        end += count;
    }
    let mut words = vec![W::default(); end];
    for (row, word) in pairs {
        if let Some(place) = places.get(row) {
            let end = &mut ends[place as usize];
            words[*end] = word;
            *end += 1;
        }
    }
    (counts, words)
}

/// Where rows are among some that are named, each once.
#[derive(Debug)]
pub struct Places {
    /// By row.
    places: Vec<u32>,
    in_place: bool,
}

impl Places {
    /// The places of these rows.
    #[must_use]
    pub fn of(rows: &[u32]) -> Self {
        let end = rows.iter().max().map_or(0, |row| *row as usize + 1);
        let mut places = vec![u32::MAX; end];
        for (place, row) in (0..).zip(rows) {
            places[*row as usize] = place;
        }
        let in_place = (0..).zip(rows).all(|(place, row)| place == *row);
        Self { places, in_place }
    }

    /// True when each row named is at the place of its number.
    #[must_use]
    pub fn in_place(&self) -> bool {
        self.in_place
    }

    /// The place of a row, if it is named.
    #[inline]
    #[must_use]
    pub fn get(&self, row: u32) -> Option<u32> {
        self.places.get(row as usize).copied().filter(|place| *place != u32::MAX)
    }
}
