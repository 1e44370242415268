//! Checks on pages before the library decodes them: it allocates by what a page says of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

/// Values of one page. A page of nulls or of one repeated value has few bytes, so that its size
/// alone bounds nothing.
const MAX_PAGE_VALUES: u32 = 64 << 20;

/// Values of the pages that one batch of a list column may need: a row is read as a whole, however
/// many pages it goes on for.
const MAX_LIST_VALUES: u64 = 32 << 20;

/// Values that pages may still bring until the next batch begins.
#[derive(Debug, Clone, Default)]
pub(super) struct ListBudget(Arc<AtomicU64>);

impl ListBudget {
    /// A new batch begins.
    pub(super) fn reset(&self) {
        self.0.store(MAX_LIST_VALUES, Ordering::Relaxed);
    }

    fn take(&self, values: u32) -> bool {
        let left = self.0.load(Ordering::Relaxed).checked_sub(u64::from(values));
        self.0.store(left.unwrap_or(0), Ordering::Relaxed);
        left.is_some()
    }
}

/// A page reader that refuses pages which promise more than they can hold.
pub(super) struct GuardedPages {
    /// For list columns.
    pub(super) budget: Option<ListBudget>,
    pub(super) inner: Box<dyn PageReader>,
    pub(super) physical_type: Type,
    pub(super) type_length: i32,
}

impl GuardedPages {
    fn check(&self, page: &Page) -> Result<()> {
        let (values, fits) = match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                (*num_values, self.holds(buf.len(), *num_values))
            }
            Page::DataPage { num_values, .. } | Page::DataPageV2 { num_values, .. } => {
                let in_budget = self.budget.as_ref().is_none_or(|b| b.take(*num_values));
                (*num_values, *num_values <= MAX_PAGE_VALUES && in_budget)
            }
        };
        if fits {
            return Ok(());
        }
        Err(ParquetError::General(format!(
            "a page promises {values} values, more than it can hold or than are taken at once"
        )))
    }

    /// Whether so many values fit into a plainly encoded dictionary of this size.
    fn holds(&self, size_bytes: usize, values: u32) -> bool {
        let least_bytes = match self.physical_type {
            Type::BOOLEAN => 1,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(self.type_length).unwrap_or(0).max(1),
        };
        values as usize <= size_bytes / least_bytes
    }
}

impl Iterator for GuardedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for GuardedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.check(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

/// Encodings of dictionary indices.
pub(super) fn is_dictionary(encoding: Encoding) -> bool {
    #[allow(deprecated, reason = "old writers' files have it")]
    let plain = Encoding::PLAIN_DICTIONARY;
    encoding == Encoding::RLE_DICTIONARY || encoding == plain
}
