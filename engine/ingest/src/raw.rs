//! The values of one event before the schema gives them types. Buffers live as long as the parser:
//! reading an event allocates nothing once they have grown.

/// A piece of text: of the body, or of the arena of decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    length: u32,
    in_arena: bool,
}

impl Span {
    /// Bodies are limited so that positions fit.
    pub(crate) fn of_body(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32, in_arena: false }
    }

    pub(crate) fn of_arena(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32, in_arena: true }
    }

    pub(crate) fn length(self) -> usize {
        self.length as usize
    }

    /// The text.
    #[inline]
    pub(crate) fn text<'t>(self, body: &'t str, arena: &'t str) -> &'t str {
        let start = self.start as usize;
        let source = if self.in_arena { arena } else { body };
        source.get(start..start + self.length as usize).unwrap_or_default()
    }
}

/// A value as JSON gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Raw {
    /// The field is not there.
    Missing,
    Null,
    Bool(bool),
    Long(i64),
    Double(f64),
    /// A number that neither an `i64` nor a finite double holds.
    HugeNumber(Span),
    /// A decimal with more digits than the double next to it has.
    LongDecimal(Span),
    Text(Span),
    /// Scalars (or texts of what is nested), in `EventBuffer::items`.
    List {
        first: u32,
        count: u32,
    },
    /// An object, as its JSON text.
    Json(Span),
}

impl Raw {
    pub(crate) fn is_null(self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }

    /// The double next to a decimal of many digits.
    pub(crate) fn nearest_double(self, body: &str, arena: &str) -> Self {
        match self {
            Self::LongDecimal(span) => {
                span.text(body, arena).parse().map_or(Self::HugeNumber(span), Self::Double)
            }
            other => other,
        }
    }
}

/// A field the schema does not know, met while dimensions are discovered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnknownField {
    pub(crate) name: Span,
    pub(crate) value: Raw,
}

/// Everything read from one event.
#[derive(Debug, Default)]
pub(crate) struct EventBuffer {
    /// One per known field.
    pub(crate) fields: Vec<Raw>,
    /// Elements of lists.
    pub(crate) items: Vec<Raw>,
    /// Decoded and computed text.
    pub(crate) arena: String,
    /// Fields that may become dimensions.
    pub(crate) unknown: Vec<UnknownField>,
    /// Results of transforms.
    pub(crate) computed: Vec<Raw>,
    /// Fields with a value that the schema has nowhere, by number.
    pub(crate) ignored: Vec<(usize, Raw)>,
}

impl EventBuffer {
    /// Forgets the last event.
    pub(crate) fn clear(&mut self, field_count: usize) {
        self.fields.clear();
        self.fields.resize(field_count, Raw::Missing);
        self.items.clear();
        self.arena.clear();
        self.unknown.clear();
        self.computed.clear();
        self.ignored.clear();
    }

    /// The elements of a list.
    pub(crate) fn list(&self, first: u32, count: u32) -> &[Raw] {
        let first = first as usize;
        self.items.get(first..first + count as usize).unwrap_or_default()
    }

    /// Stores text and returns where it is.
    pub(crate) fn keep(&mut self, text: &str) -> Span {
        self.keep_with(|arena| arena.push_str(text))
    }

    /// Stores what is appended to the arena and returns where it is.
    pub(crate) fn keep_with(&mut self, append: impl FnOnce(&mut String)) -> Span {
        let start = self.arena.len();
        append(&mut self.arena);
        Span::of_arena(start, self.arena.len())
    }
}
