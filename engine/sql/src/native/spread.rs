//! Several values of one row, printed by [`super::print`], as lists again: native queries read the values.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use datafusion::arrow::array::{AsArray, ListBuilder, StringBuilder};

use super::MULTI_VALUE;

/// The rows with lists in those columns that may hold several values and do.
pub(super) fn spread(
    schema: SchemaRef,
    rows: Vec<RecordBatch>,
) -> Result<(SchemaRef, Vec<RecordBatch>), ArrowError> {
    let holds_lists = |place: &usize| {
        rows.iter().any(|batch| {
            let texts = batch.column(*place).as_string_opt::<i32>();
            texts.is_some_and(|texts| texts.iter().flatten().any(is_list))
        })
    };
    let several = |place: &usize| schema.field(*place).metadata().contains_key(MULTI_VALUE);
    let places: Vec<usize> =
        (0..schema.fields().len()).filter(several).filter(holds_lists).collect();
    if places.is_empty() {
        return Ok((schema, rows));
    }
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().map(Arc::clone).collect();
    for place in &places {
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let field = fields[*place].as_ref().clone().with_data_type(DataType::List(item));
        fields[*place] = Arc::new(field);
    }
    let spread_schema: SchemaRef = Arc::new(Schema::new(fields));
    let batch = |batch: RecordBatch| {
        let mut columns = batch.columns().to_vec();
        for place in &places {
            columns[*place] = lists(columns[*place].as_string());
        }
        RecordBatch::try_new(Arc::clone(&spread_schema), columns)
    };
    let rows = rows.into_iter().map(batch).collect::<Result<Vec<_>, _>>()?;
    Ok((spread_schema, rows))
}

fn is_list(text: &str) -> bool {
    text.starts_with('[')
}

fn lists(texts: &StringArray) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for text in texts {
        let parts = text.filter(|text| is_list(text));
        let parts = parts.and_then(|text| serde_json::from_str::<Vec<Option<String>>>(text).ok());
        match (text, parts) {
            (None, _) => lists.append_null(),
            (_, Some(parts)) => lists.append_value(parts),
            (Some(text), None) => lists.append_value([Some(text)]),
        }
    }
    Arc::new(lists.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::print::print_lists;

    #[test]
    fn what_was_printed_becomes_lists_again() {
        let several = [(MULTI_VALUE.to_owned(), "true".to_owned())].into();
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("tags", DataType::Utf8, true).with_metadata(several),
            Field::new("text", DataType::Utf8, true),
        ]));
        let printed = StringArray::from(vec![Some(r#"["a",null]"#), Some("b"), None, Some("[x")]);
        let texts = Arc::new(printed) as ArrayRef;
        let rows =
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&texts), texts]).unwrap();
        let (spread_schema, spread_rows) = spread(schema, vec![rows.clone()]).unwrap();
        assert_eq!(spread_schema.field(1).data_type(), &DataType::Utf8);
        let again = print_lists(spread_rows[0].column(0).as_list()).unwrap();
        assert_eq!(&again, rows.column(0));
    }
}
