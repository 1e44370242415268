//! Page views as rows of the write-optimised index.

use henge_types::ValueRef;

use super::{PageView, TEXT_FIELD_COUNT, TEXT_FIELDS, Texts};

/// Values of one row beside its time: the texts, then the metrics.
const VALUE_COUNT: usize = TEXT_FIELD_COUNT + 3;

/// Rows whose texts lie one behind the other, as a parser leaves them.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    views: Vec<PageView>,
    text: String,
    /// Where each text ends; nulls end where they start.
    ends: Vec<usize>,
}

impl Rows {
    /// The rows of some views.
    #[must_use]
    pub fn new(views: impl IntoIterator<Item = PageView>, texts: &Texts) -> Self {
        let mut rows = Self { ends: vec![0], ..Self::default() };
        for view in views {
            for field in TEXT_FIELDS {
                rows.text.push_str(texts.get(field, view.text_id(field)).unwrap_or_default());
                rows.ends.push(rows.text.len());
            }
            rows.views.push(view);
        }
        rows
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Bytes of the rows' values: the texts, and eight for each number.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.text.len() + self.len() * 4 * size_of::<i64>()
    }

    /// Each row's time and its values in the order of the index: dimensions, then metrics.
    pub fn iter(&self) -> impl Iterator<Item = (i64, [ValueRef<'_>; VALUE_COUNT])> {
        let texts = self.ends.windows(TEXT_FIELD_COUNT + 1).step_by(TEXT_FIELD_COUNT);
        self.views.iter().zip(texts).map(|(view, ends)| (view.time_ms, self.values(view, ends)))
    }

    fn values<'a>(&'a self, view: &PageView, ends: &[usize]) -> [ValueRef<'a>; VALUE_COUNT] {
        let mut values = [ValueRef::Null; VALUE_COUNT];
        let numbers = [
            ValueRef::Long(view.duration_ms),
            ValueRef::Long(view.bytes),
            ValueRef::Double(view.revenue),
        ];
        values[TEXT_FIELD_COUNT..].copy_from_slice(&numbers);
        for (field, value) in values[..TEXT_FIELD_COUNT].iter_mut().enumerate() {
            if view.texts[field] != 0 {
                *value = ValueRef::String(&self.text[ends[field]..ends[field + 1]]);
            }
        }
        values
    }
}
