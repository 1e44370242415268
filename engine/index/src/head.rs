//! [`Head`]: a short text as one word.

/// The first seven bytes of a text and, where there are no more, how many it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head([u8; 8]);

/// The last byte of heads that are not all of a text.
const HAS_MORE: u8 = 0xff;

impl Head {
    #[inline]
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let length = bytes.len();
        // Overlapping parts instead of a loop over bytes.
        let word = match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>(), bytes) {
            (Some(first), _, _) => u64::from_le_bytes(*first) | u64::from(HAS_MORE) << 56,
            (None, Some(first), [.., a, b, c, d]) => {
                let last = u64::from(u32::from_le_bytes([*a, *b, *c, *d])) << (8 * (length - 4));
                u64::from(u32::from_le_bytes(*first)) | last | (length as u64) << 56
            }
            (None, None, [first, .., last]) => {
                let middle = u64::from(bytes[length / 2]) << (8 * (length / 2));
                let ends = u64::from(*first) | u64::from(*last) << (8 * (length - 1));
                ends | middle | (length as u64) << 56
            }
            (None, None, [only]) => u64::from(*only) | 1 << 56,
            (None, _, _) => 0,
        };
        Self(word.to_le_bytes())
    }

    /// Stands for a text that has no head that is all of it, by a number of the caller's.
    #[inline]
    pub(crate) fn numbered(number: u32) -> Self {
        let [a, b, c, d] = number.to_le_bytes();
        Self([a, b, c, d, 0, 0, 0, HAS_MORE])
    }

    /// What [`Head::numbered`] was given.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        u64::from_le_bytes(self.0)
    }

    /// True when there is no other text with this head.
    #[inline]
    pub(crate) fn is_whole(self) -> bool {
        self.0[7] != HAS_MORE
    }

    /// The text, when the head is all of it.
    #[inline]
    pub(crate) fn text(&self) -> Option<&str> {
        let [text @ .., length] = &self.0;
        text.get(..usize::from(*length)).and_then(|text| std::str::from_utf8(text).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_all_in_their_heads() {
        let texts = ["", "a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "é", "éé", "\0\0"];
        for text in texts {
            let head = Head::of(text);
            assert!(head.is_whole());
            assert_eq!(head.text(), Some(text));
            let others = texts.iter().filter(|other| **other != text);
            others.for_each(|other| assert_ne!(Head::of(other), head, "{other} {text}"));
        }
        for text in ["abcdefgh", "abcdefghi", "ééééé"] {
            assert!(!Head::of(text).is_whole());
            assert_eq!(Head::of(text).text(), None);
        }
        let numbered = Head::numbered(0x1234_5678);
        assert_eq!((numbered.number(), numbered.is_whole()), (0x1234_5678, false));
    }
}
