//! The fields of a Parquet file as a `flattenSpec` has them: its own, and values from within them.

use henge_ingest::TableFields;
use henge_query::ingest::{FlattenField, FlattenSpec};
use henge_tabular::{ParquetField, ParquetTable};

/// The fields of a file that have to be read so that these are there, in their order.
pub(super) fn read_of(
    table: &ParquetTable,
    wanted: Vec<String>,
    spec: &FlattenSpec,
) -> Vec<String> {
    if spec.is_plain() {
        return wanted;
    }
    let mut read = if spec.use_field_discovery { wanted } else { Vec::new() };
    let roots: Vec<&str> = match spec.roots() {
        Some(roots) => roots,
        None => table.fields().iter().map(|field| field.name.as_str()).collect(),
    };
    for root in roots {
        if !read.iter().any(|known| known == root) {
            read.push(root.to_owned());
        }
    }
    read
}

/// The columns of a file, with those that have fields within.
pub(super) fn columns_of(table: &ParquetTable, names: Vec<String>) -> TableFields {
    let is_nested =
        |name: &String| table.fields().iter().any(|field| field.name == *name && field.is_nested());
    TableFields::new(names).with_json(is_nested)
}

/// What a name stands for in a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named<'a> {
    /// A field of the file as it is.
    Field(&'a ParquetField),
    /// Something within fields.
    Within,
    Nothing,
}

/// Finds a name: what the spec makes goes before a field of the file's own.
pub(super) fn named<'a>(table: &'a ParquetTable, name: &str, spec: &FlattenSpec) -> Named<'a> {
    for made in spec.fields.iter().rev().filter(|made| made.name == name) {
        if let Some(field) = whole_field(table, made) {
            return Named::Field(field);
        }
        if table.needs_within(&made.steps).is_some() {
            return Named::Within;
        }
    }
    match own_field(table, name).filter(|_| spec.use_field_discovery) {
        Some(field) => Named::Field(field),
        None => Named::Nothing,
    }
}

/// The field of a file that another one is, whole and under another name or the same.
pub(super) fn whole_field<'a>(
    table: &'a ParquetTable,
    made: &FlattenField,
) -> Option<&'a ParquetField> {
    let root = made.root().filter(|_| made.steps.len() == 1)?;
    own_field(table, root)
}

fn own_field<'a>(table: &'a ParquetTable, name: &str) -> Option<&'a ParquetField> {
    table.fields().iter().find(|field| field.name == name)
}
