//! The columns that a server announces of a segment. Many segments have the same few lists of them: the
//! registry keeps each list once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use henge_types::ColumnType;
use xxhash_rust::xxh3::xxh3_64;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedColumn {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub column_type: ColumnType,
}

/// The columns that rows of a segment may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedSchema {
    columns: Vec<AnnouncedColumn>,
    key: u64,
}

impl AnnouncedSchema {
    /// These columns.
    #[must_use]
    pub fn new(columns: Vec<AnnouncedColumn>) -> Self {
        let mut text = String::new();
        for AnnouncedColumn { name, column_type } in &columns {
            text.push_str(&format!("{}:{name}:{column_type};", name.len()));
        }
        Self { columns, key: xxh3_64(text.as_bytes()) }
    }

    /// Columns by name and type.
    #[must_use]
    pub fn of<'n>(columns: impl IntoIterator<Item = (&'n str, ColumnType)>) -> Self {
        let column =
            |(name, column_type): (&str, _)| AnnouncedColumn { name: name.into(), column_type };
        Self::new(columns.into_iter().map(column).collect())
    }

    /// The columns, each name once.
    #[must_use]
    pub fn columns(&self) -> &[AnnouncedColumn] {
        &self.columns
    }

    /// Names the list by its content.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.key
    }

    /// The type of a column; `None` when no row has it.
    #[must_use]
    pub fn column_type(&self, name: &str) -> Option<&ColumnType> {
        let column = self.columns.iter().find(|column| &*column.name == name);
        column.map(|column| &column.column_type)
    }

    /// The same columns and those of `more` that are new.
    #[must_use]
    pub fn grown(&self, more: &[AnnouncedColumn]) -> Self {
        let new = more.iter().filter(|column| self.column_type(&column.name).is_none());
        Self::new(self.columns.iter().chain(new).cloned().collect())
    }
}

/// Lists by their keys, as long as somebody holds them.
#[derive(Debug, Default)]
pub(super) struct SharedSchemas {
    known: HashMap<u64, Weak<AnnouncedSchema>>,
}

impl SharedSchemas {
    /// The list that everybody holds who has the same columns.
    pub(super) fn share(&mut self, schema: &Arc<AnnouncedSchema>) -> Arc<AnnouncedSchema> {
        let known = self.known.get(&schema.key).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| known == schema) {
            return known;
        }
        if self.known.len() == self.known.capacity() {
            self.known.retain(|_, schema| schema.strong_count() > 0);
        }
        self.known.insert(schema.key, Arc::downgrade(schema));
        Arc::clone(schema)
    }
}
