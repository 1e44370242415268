//! Field names to positions. Events of one source mostly list their fields in one order, so the
//! field that stood at a place last time is tried first, with its quotes and colon: one comparison, and
//! no hashing.

use henge_types::TIME_COLUMN;
use rustc_hash::FxHashMap;

/// The names that matter.
#[derive(Debug, Default)]
pub(crate) struct FieldTable {
    names: Vec<Box<str>>,
    /// Fields that become a dimension with their first value.
    pending: Vec<usize>,
    positions: FxHashMap<Box<str>, u32>,
    /// By place in the event: the field met there last.
    expected: Vec<Expected>,
    /// Names that nothing in the schema has, known so that what is not stored can be counted.
    ignored: Vec<Box<str>>,
    ignored_positions: FxHashMap<Box<str>, u32>,
    /// By position: events have had the field.
    met: Vec<bool>,
}

/// What a name of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// At this position of the layout.
    Known(usize),
    /// Nothing in the schema has it: its number among such names.
    Ignored(usize),
}

/// Whether no dimension can have a name: that of the time column is taken.
pub(crate) fn is_no_column(name: &str) -> bool {
    name == TIME_COLUMN || name.is_empty()
}

/// The field that is expected at a place.
#[derive(Debug, Clone, Copy)]
struct Expected {
    /// Position, or number with [`IS_IGNORED`].
    field: u32,
    /// Bytes of the token; 0 when it has none.
    token_bytes: u32,
    /// The name as most events write it, in quotes and with the colon.
    token: u128,
    /// The bits of the token's bytes.
    token_mask: u128,
}

/// Longer names have no token.
const MAX_TOKEN_BYTES: usize = size_of::<u128>();

impl Expected {
    const NOTHING: Self = Self { field: NONE, token_bytes: 0, token: 0, token_mask: 0 };

    fn new(field: u32, name: &str) -> Self {
        let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        let token_bytes = name.len() + 3;
        if token_bytes > MAX_TOKEN_BYTES || !name.bytes().all(is_plain) {
            return Self { field, ..Self::NOTHING };
        }
        let written = format!("\"{name}\":");
        let token = written.bytes().rev().fold(0, |token, byte| token << 8 | u128::from(byte));
        let token_mask = u128::MAX >> (8 * (MAX_TOKEN_BYTES - token_bytes));
        Self { field, token_bytes: token_bytes as u32, token, token_mask }
    }
}

/// No field.
const NONE: u32 = u32::MAX;
/// Set in `expected` for fields that are ignored.
const IS_IGNORED: u32 = 1 << 31;
/// Ignored names that are told apart.
const MAX_IGNORED_NAMES: usize = 100;
/// Longer ones are not.
const MAX_IGNORED_NAME_BYTES: usize = 200;
/// Stands for ignored names beyond.
const OTHER_FIELDS: &str = "(other fields)";

impl FieldTable {
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The position of a name, which is added when it is new.
    pub(crate) fn add(&mut self, name: &str) -> usize {
        if let Some(position) = self.positions.get(name) {
            return *position as usize;
        }
        let position = self.names.len();
        self.names.push(name.into());
        self.positions.insert(name.into(), position as u32);
        position
    }

    pub(crate) fn name(&self, position: usize) -> &str {
        self.names.get(position).map_or("", AsRef::as_ref)
    }

    /// The position of a name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).map(|position| *position as usize)
    }

    /// Whether a field waits for its first value to become a dimension.
    pub(crate) fn is_pending(&self, name: &str) -> bool {
        self.position(name).is_some_and(|position| self.pending.contains(&position))
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.positions.contains_key(name)
    }

    /// Lets a field become a dimension with its first value.
    pub(crate) fn set_pending(&mut self, position: usize) {
        if !self.pending.contains(&position) {
            self.pending.push(position);
        }
    }

    /// The field is a dimension now, or will never be one.
    pub(crate) fn clear_pending(&mut self, position: usize) {
        self.pending.retain(|waiting| *waiting != position);
    }

    /// Fields that wait for their first value.
    pub(crate) fn pending(&self) -> &[usize] {
        &self.pending
    }

    /// The field that stood at this place of an event last time, if the rest of the event begins with its
    /// name in quotes and the colon; and the bytes of these.
    #[inline]
    pub(crate) fn take_expected(&self, rest: &[u8], place: usize) -> Option<(Field, usize)> {
        let expected = self.expected.get(place)?;
        let token = u128::from_le_bytes(*rest.first_chunk::<MAX_TOKEN_BYTES>()?);
        if expected.token_bytes == 0 || token & expected.token_mask != expected.token {
            return None;
        }
        let field = match expected.field & IS_IGNORED {
            0 => Field::Known(expected.field as usize),
            _ => Field::Ignored((expected.field & !IS_IGNORED) as usize),
        };
        Some((field, expected.token_bytes as usize))
    }

    /// The field that stood at this place of an event last time, if it has this name.
    #[inline]
    pub(crate) fn find_expected(&self, name: &str, place: usize) -> Option<Field> {
        let expected = self.expected.get(place)?.field as usize;
        if let Some(known) = self.names.get(expected) {
            return (known.as_ref() == name).then_some(Field::Known(expected));
        }
        let ignored = expected & !(IS_IGNORED as usize);
        let is_same = self.ignored.get(ignored).is_some_and(|known| known.as_ref() == name);
        is_same.then_some(Field::Ignored(ignored))
    }

    /// The field of this name, which is expected at this place from now on. Names that are new are
    /// ignored ones where `ignores` says so, or when no column can have them.
    pub(crate) fn find(&mut self, name: &str, place: usize, ignores: bool) -> Option<Field> {
        // Places are bounded by the limit on fields.
        if self.expected.len() <= place {
            self.expected.resize(place + 1, Expected::NOTHING);
        }
        if let Some(position) = self.meet(name) {
            self.expected[place] = Expected::new(position as u32, name);
            return Some(Field::Known(position));
        }
        let ignored = (ignores || is_no_column(name)).then(|| self.ignore(name))?;
        self.expected[place] =
            Expected::new(IS_IGNORED | ignored as u32, self.ignored_name(ignored));
        Some(Field::Ignored(ignored))
    }

    /// The position of a field that the input has.
    pub(crate) fn meet(&mut self, name: &str) -> Option<usize> {
        let position = self.position(name)?;
        if self.met.len() <= position {
            self.met.resize(self.names.len(), false);
        }
        self.met[position] = true;
        Some(position)
    }

    /// Whether the input has had a field.
    pub(crate) fn is_met(&self, position: usize) -> bool {
        self.met.get(position).copied().unwrap_or(false)
    }

    /// The number of an ignored name. The last one stands for all beyond.
    pub(crate) fn ignore(&mut self, name: &str) -> usize {
        if let Some(known) = self.ignored_positions.get(name) {
            return *known as usize;
        }
        let is_full = self.ignored.len() + 1 >= MAX_IGNORED_NAMES;
        if is_full || name.len() > MAX_IGNORED_NAME_BYTES {
            if name == OTHER_FIELDS {
                self.ignored.push(name.into());
                self.ignored_positions.insert(name.into(), self.ignored.len() as u32 - 1);
                return self.ignored.len() - 1;
            }
            return self.ignore(OTHER_FIELDS);
        }
        let number = self.ignored.len();
        self.ignored.push(name.into());
        self.ignored_positions.insert(name.into(), number as u32);
        number
    }

    pub(crate) fn ignored_name(&self, number: usize) -> &str {
        self.ignored.get(number).map_or("", AsRef::as_ref)
    }
}
