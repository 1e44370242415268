//! Several values of one row as Druid's SQL prints them: one value bare, several as a JSON list.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, ListArray, StringArray};
use arrow_schema::{ArrowError, DataType};
use datafusion::arrow::array::{AsArray, StringBuilder};
use datafusion::arrow::compute::cast;
use serde_json::Value;

/// A list of anything as text. A null alone is null, no value is an empty list.
pub(super) fn print_lists(lists: &ListArray) -> Result<ArrayRef, ArrowError> {
    let values = cast(lists.values(), &DataType::Utf8)?;
    let values: &StringArray = values.as_string();
    let mut printed = StringBuilder::with_capacity(lists.len(), lists.len() * 8);
    let offsets = lists.value_offsets();
    for row in 0..lists.len() {
        let (first, end) = (offset(offsets[row]), offset(offsets[row + 1]));
        match end - first {
            _ if lists.is_null(row) => printed.append_null(),
            1 => printed.append_option(values.is_valid(first).then(|| values.value(first))),
            _ => printed.append_value(json_list(values, first, end)),
        }
    }
    Ok(Arc::new(printed.finish()))
}

fn offset(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

fn json_list(values: &StringArray, first: usize, end: usize) -> String {
    let value = |row: usize| match values.is_valid(row) {
        true => Value::from(values.value(row)),
        false => Value::Null,
    };
    Value::Array((first..end).map(value).collect()).to_string()
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{ListBuilder, StringBuilder};

    use super::*;

    #[test]
    fn one_value_is_bare_and_several_are_a_json_list() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a")]);
        lists.append_value([Some("a"), None, Some("say \"b\"")]);
        lists.append_value([None::<&str>]);
        lists.append_value(Vec::<Option<&str>>::new());
        lists.append_null();
        let printed = print_lists(&lists.finish()).unwrap();
        let printed: Vec<Option<&str>> = printed.as_string::<i32>().iter().collect();
        let list = r#"["a",null,"say \"b\""]"#;
        assert_eq!(printed, [Some("a"), Some(list), None, Some("[]"), None]);
    }
}
