//! A text that is looked for in many values, with what does not depend on them done once.

use memchr::memmem::Finder;

/// Longer texts are looked for by so many of their first bytes: that bounds what a value costs.
pub(crate) const MOST_BYTES: usize = 32;

/// A text that is looked for in many values.
#[derive(Debug)]
pub struct TextSearch<'t> {
    text: &'t str,
    /// For the first bytes of the text.
    finder: Finder<'t>,
    /// The pairs of bytes, a bit each, with which a value can go on inside of an occurrence.
    inner_pairs: Vec<u64>,
}

impl<'t> TextSearch<'t> {
    /// For a text that is not empty: every value holds the empty one.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let start = &bytes[..bytes.len().min(MOST_BYTES)];
        let mut inner_pairs = vec![0; 1 << 10];
        let mut insert = |first: u8, second: u8| {
            let pair = usize::from(u16::from_le_bytes([first, second]));
            inner_pairs[pair / 64] |= 1 << (pair % 64);
        };
        for pair in start.windows(2).skip(1) {
            insert(pair[0], pair[1]);
        }
        if let [_, .., last] = start {
            (0..=u8::MAX).for_each(|next| insert(*last, next));
        }
        Self { text, finder: Finder::new(start), inner_pairs }
    }

    /// True when all that [`Dictionary::for_each_holding`](crate::Dictionary::for_each_holding) finds
    /// holds the text: of a long one only the beginning is looked for.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.text.len() <= MOST_BYTES
    }

    /// True when a value holds what is looked for.
    #[must_use]
    pub fn finds(&self, value: &str) -> bool {
        self.finder.find(value.as_bytes()).is_some()
    }

    /// The bytes that are looked for.
    pub(crate) fn wanted(&self) -> &[u8] {
        self.finder.needle()
    }

    /// True when an occurrence can begin before a place and go on with what lies there.
    #[inline]
    pub(crate) fn may_go_on_at(&self, bytes: &[u8], place: usize) -> bool {
        let pair = match bytes.get(place..place + 2) {
            Some(pair) => usize::from(u16::from_le_bytes([pair[0], pair[1]])),
            None => bytes.get(place).copied().map_or(0, usize::from),
        };
        self.inner_pairs[pair / 64] >> (pair % 64) & 1 == 1
    }

    /// The first occurrence at or after a place.
    pub(crate) fn find_from(&self, bytes: &[u8], place: usize) -> Option<usize> {
        self.finder.find(bytes.get(place..)?).map(|found| place + found)
    }
}
