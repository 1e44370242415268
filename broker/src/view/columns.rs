//! The columns of a datasource's used segments, from the schemas that the metadata keep. Many
//! segments have the same few schemas: each is read once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use henge_types::ColumnType;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

#[derive(Debug, Deserialize)]
struct Schema {
    columns: Vec<SchemaColumn>,
}

/// A column as a segment's schema has it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct SchemaColumn {
    pub(crate) name: String,
    pub(crate) column_type: ColumnType,
    /// True when rows of the segment may have several values.
    #[serde(default)]
    pub(crate) multi_value: bool,
}

/// Names a schema by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SchemaKey(u64);

#[derive(Debug, Clone)]
struct Counted {
    segments: usize,
    /// `None` when the schema cannot be read.
    columns: Option<Arc<[SchemaColumn]>>,
}

/// The types that a column has, with the number of schemas that say so.
type Types = Vec<(ColumnType, usize)>;

/// The schemas of used segments, with how many have each, and what they say together.
#[derive(Debug, Clone, Default)]
pub(crate) struct UsedColumns {
    schemas: Arc<HashMap<SchemaKey, Counted>>,
    types: Arc<HashMap<String, Types>>,
}

impl UsedColumns {
    /// One more segment has this schema.
    pub(super) fn add(&mut self, schema_json: &str) -> SchemaKey {
        let key = SchemaKey(xxh3_64(schema_json.as_bytes()));
        let schemas = Arc::make_mut(&mut self.schemas);
        if let Some(counted) = schemas.get_mut(&key) {
            counted.segments += 1;
            return key;
        }
        let schema = serde_json::from_str::<Schema>(schema_json).ok();
        let columns: Option<Arc<[SchemaColumn]>> = schema.map(|schema| schema.columns.into());
        schemas.insert(key, Counted { segments: 1, columns: columns.clone() });
        let all = Arc::make_mut(&mut self.types);
        for column in columns.iter().flat_map(|columns| columns.iter()) {
            let types = all.entry(column.name.clone()).or_default();
            match types.iter_mut().find(|(known, _)| *known == column.column_type) {
                Some((_, schemas)) => *schemas += 1,
                None => types.push((column.column_type.clone(), 1)),
            }
        }
        key
    }

    /// One segment less has it.
    pub(super) fn remove(&mut self, key: SchemaKey) {
        let schemas = Arc::make_mut(&mut self.schemas);
        let Some(counted) = schemas.get_mut(&key) else { return };
        counted.segments -= 1;
        if counted.segments > 0 {
            return;
        }
        let columns = schemas.remove(&key).and_then(|counted| counted.columns);
        let all = Arc::make_mut(&mut self.types);
        for column in columns.iter().flat_map(|columns| columns.iter()) {
            let Some(types) = all.get_mut(&column.name) else { continue };
            for (known, schemas) in types.iter_mut() {
                *schemas -= usize::from(*known == column.column_type);
            }
            types.retain(|(_, schemas)| *schemas > 0);
            if types.is_empty() {
                all.remove(&column.name);
            }
        }
    }

    /// False when there may be columns that are not known here.
    #[must_use]
    pub(crate) fn are_known(&self) -> bool {
        self.schemas.values().all(|counted| counted.columns.is_some())
    }

    /// The types that segments have a column in; none when no segment has it.
    pub(crate) fn types_of(&self, name: &str) -> impl Iterator<Item = &ColumnType> {
        self.types.get(name).into_iter().flatten().map(|(column_type, _)| column_type)
    }

    /// The lists of columns that segments have, each once: the longest first, so that what comes early has
    /// nearly all.
    pub(crate) fn lists(&self) -> Vec<&[SchemaColumn]> {
        let known = self
            .schemas
            .iter()
            .filter_map(|(key, counted)| Some((key, counted.columns.as_deref()?)));
        let mut lists: Vec<(&SchemaKey, &[SchemaColumn])> = known.collect();
        lists.sort_unstable_by_key(|(key, columns)| (Reverse(columns.len()), **key));
        lists.into_iter().map(|(_, columns)| columns).collect()
    }

    /// The columns' names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(columns: &[(&str, &str)]) -> String {
        let columns = columns.iter().map(|(name, column_type)| {
            serde_json::json!({"name": name, "column_type": column_type, "role": "dimension"})
        });
        serde_json::json!({"columns": columns.collect::<Vec<_>>()}).to_string()
    }

    fn types(columns: &UsedColumns, name: &str) -> Vec<String> {
        columns.types_of(name).map(ToString::to_string).collect()
    }

    #[test]
    fn columns_are_known_as_long_as_a_segment_has_them() {
        let mut columns = UsedColumns::default();
        let a = schema(&[("__time", "LONG"), ("a", "LONG")]);
        let b = schema(&[("__time", "LONG"), ("a", "DOUBLE"), ("b", "STRING")]);
        let keys = [columns.add(&a), columns.add(&a), columns.add(&b)];
        assert!(keys[0] == keys[1] && keys[0] != keys[2] && columns.are_known());
        assert_eq!(types(&columns, "a"), ["LONG", "DOUBLE"]);
        assert_eq!(types(&columns, "b"), ["STRING"]);
        assert_eq!(types(&columns, "c"), Vec::<String>::new());
        columns.remove(keys[0]);
        columns.remove(keys[2]);
        assert_eq!(types(&columns, "a"), ["LONG"]);
        assert_eq!(columns.names().count(), 2);
        columns.remove(keys[1]);
        assert_eq!(columns.names().count(), 0);
    }

    #[test]
    fn schemas_that_cannot_be_read_hold_any_column() {
        let mut columns = UsedColumns::default();
        let unread = columns.add("{}");
        assert!(!columns.are_known());
        columns.remove(unread);
        assert!(columns.are_known());
    }
}
