//! Ids in texts.

/// A kind of id.
pub(super) struct Kind {
    pub(super) letter: char,
    /// What it stands for.
    pub(super) title: &'static str,
    /// How many there are.
    pub(super) total: u32,
}

pub(super) const KINDS: [Kind; 3] = [
    Kind { letter: 'F', title: "faults", total: 78 },
    Kind { letter: 'H', title: "hostile inputs", total: 108 },
    Kind { letter: 'I', title: "invariants", total: 16 },
];

/// An id such as H-03.
pub(super) type Id = (char, u32);

/// The distinct ids in a text, written `h_03` or `H-03`, in order.
pub(super) fn find(text: &str) -> Vec<Id> {
    let bytes = text.as_bytes();
    let mut ids = Vec::new();
    for (position, byte) in bytes.iter().enumerate() {
        let starts_word = position == 0 || !bytes[position - 1].is_ascii_alphanumeric();
        let separated = matches!(bytes.get(position + 1), Some(b'_' | b'-'));
        let letter = char::from(byte.to_ascii_uppercase());
        let Some(kind) = KINDS.iter().find(|kind| kind.letter == letter) else {
            continue;
        };
        if !starts_word || !separated {
            continue;
        }
        let digits = bytes[position + 2..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = position + 2 + digits;
        let ends_word = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        let number = text[position + 2..end].parse().unwrap_or(0);
        if matches!(digits, 2 | 3) && ends_word && (1..=kind.total).contains(&number) {
            ids.push((letter, number));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn ids_are_found_in_names_and_texts() {
        assert_eq!(find("h_03_deep_nesting_is_rejected"), [('H', 3)]);
        assert_eq!(find("f_17_and_i_01_hold_under_h_108"), [('F', 17), ('H', 108), ('I', 1)]);
        assert_eq!(
            find("# F-17, F-17 and I-05\ndef f_18(): pass"),
            [('F', 17), ('F', 18), ('I', 5)]
        );
    }

    #[test]
    fn what_only_looks_like_an_id_is_not() {
        assert_eq!(find("half_12 pi_10 h_3 h_0300 h_99x i_17 f_00 utf-16 H03 h_"), []);
    }
}
