//! What a query reads.

/// The data source of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum DataSource {
    /// One datasource by name.
    Table(String),
    /// Several datasources, read as one; a column that one of them lacks reads as null there.
    Union(Vec<String>),
}

impl DataSource {
    /// The names of the datasources that are read.
    #[must_use]
    pub fn table_names(&self) -> Vec<&str> {
        match self {
            Self::Table(name) => vec![name],
            Self::Union(names) => names.iter().map(String::as_str).collect(),
        }
    }
}
