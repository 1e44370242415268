//! What a column has to hold where the spec leaves its type open: by the type in the file and, where
//! that alone would be too narrow or too wide, by the values, from statistics or by reading them.

use henge_ingest::DiscoveredType;
use henge_query::ingest::WideNumbers;
use parquet::file::statistics::Statistics;

use super::schema::{Kind, ParquetField};
use super::{ParquetTable, WantedField};
use crate::batch::Values;
use crate::error::Result;

/// Whole numbers up to here are exact as doubles.
const EXACT_IN_DOUBLE: i64 = 1 << 53;

impl ParquetField {
    /// What people should know of a column that has to hold this.
    #[must_use]
    pub fn note(&self, needs: DiscoveredType) -> Option<String> {
        let name = &self.name;
        match (self.kind, needs) {
            (Kind::Nested, _) => Some(format!(
                "column '{name}' holds structs, maps or lists of them: each is kept as JSON text"
            )),
            (Kind::UnsignedLong, DiscoveredType::String) => Some(format!(
                "column '{name}' has whole numbers above 2^63 - 1 and is kept as text; set uint64 \
                 of the inputFormat (--uint64) to decimal for the nearest DOUBLE"
            )),
            (Kind::UnsignedLong, DiscoveredType::Double) => Some(format!(
                "column '{name}' has whole numbers above 2^63 - 1: each is the nearest DOUBLE"
            )),
            (Kind::Decimal(_), DiscoveredType::String) => Some(format!(
                "column '{name}' has decimals of more digits than a DOUBLE holds and is kept as \
                 text; declare it as double for the nearest one"
            )),
            _ => None,
        }
    }
}

impl ParquetTable {
    /// What a column for a field has to hold.
    ///
    /// # Errors
    /// When the values have to be looked at and the file is damaged.
    pub fn needs(&self, field: &ParquetField, wide: WideNumbers) -> Result<DiscoveredType> {
        Ok(match field.kind {
            _ if field.is_list => DiscoveredType::String,
            Kind::Bool | Kind::UnsignedInt | Kind::Days => DiscoveredType::Long,
            Kind::Timestamp(_) | Kind::Int96 => DiscoveredType::Long,
            Kind::Float16 | Kind::Float | Kind::Double => DiscoveredType::Double,
            Kind::Text | Kind::Binary | Kind::Uuid | Kind::Interval | Kind::Nested => {
                DiscoveredType::String
            }
            // Without statistics they may be as large as they like: only a decimal column in
            // another file would make a difference.
            Kind::Long => match self.statistics_range(field) {
                Some((low, high)) if low >= -EXACT_IN_DOUBLE && high <= EXACT_IN_DOUBLE => {
                    DiscoveredType::Long
                }
                _ => DiscoveredType::WideLong,
            },
            Kind::UnsignedLong => match self.has_wide_numbers(field)? {
                false => DiscoveredType::WideLong,
                true => match wide {
                    WideNumbers::Text => DiscoveredType::String,
                    WideNumbers::Decimal => DiscoveredType::Double,
                    WideNumbers::Long => DiscoveredType::WideLong,
                },
            },
            Kind::Decimal(_) if self.has_long_decimals(field)? => DiscoveredType::String,
            Kind::Decimal(_) => DiscoveredType::Double,
        })
    }

    /// The smallest and the largest value of a column of INT32 or INT64, as signed numbers; `None`
    /// where statistics do not tell.
    fn statistics_range(&self, field: &ParquetField) -> Option<(i64, i64)> {
        let mut range: Option<(i64, i64)> = None;
        for group in self.metadata.row_groups() {
            let (low, high) = match group.columns().get(field.leaf)?.statistics()? {
                Statistics::Int64(values) => (*values.min_opt()?, *values.max_opt()?),
                Statistics::Int32(values) => {
                    (i64::from(*values.min_opt()?), i64::from(*values.max_opt()?))
                }
                _ => return None,
            };
            range = Some(range.map_or((low, high), |(l, h)| (l.min(low), h.max(high))));
        }
        range
    }

    /// Whether one of a column of unsigned numbers is above 2^63 - 1.
    fn has_wide_numbers(&self, field: &ParquetField) -> Result<bool> {
        // Statistics of unsigned columns are ordered as unsigned numbers: a largest value that is
        // negative when it is read as signed is a wide one.
        if let Some((low, high)) = self.statistics_range(field) {
            return Ok(low < 0 || high < 0);
        }
        self.any_batch(field, |values| matches!(values, Values::Text { .. }))
    }

    /// Whether one of a column of decimals has more digits than a double holds.
    fn has_long_decimals(&self, field: &ParquetField) -> Result<bool> {
        /// Any number of so many digits is exact enough in a double to be read back.
        const DIGITS_OF_A_DOUBLE: usize = 15;
        let schema = self.metadata.file_metadata().schema_descr();
        let precision = usize::try_from(schema.column(field.leaf).type_precision()).unwrap_or(0);
        if precision <= DIGITS_OF_A_DOUBLE {
            return Ok(false);
        }
        if let Some((low, high)) = self.statistics_range(field) {
            let most = 10_i64.pow(DIGITS_OF_A_DOUBLE as u32);
            return Ok(low <= -most || high >= most);
        }
        let is_long = |text: &str| {
            let digits = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
            digits.count() > DIGITS_OF_A_DOUBLE
        };
        self.any_batch(field, |values| match values {
            Values::Text { texts, .. } => texts.iter().any(is_long),
            _ => false,
        })
    }

    /// Whether the values of one batch of a column are such. Filler values of null rows count, and
    /// are zero or empty.
    fn any_batch(&self, field: &ParquetField, is_such: impl Fn(&Values) -> bool) -> Result<bool> {
        let wanted = WantedField { name: field.name.clone(), as_text: true };
        let mut reader = self.clone().read(&[wanted], false);
        while let Some(batch) = reader.next_batch()? {
            if batch.columns.first().is_some_and(|column| is_such(&column.values)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
