//! [`Signature`]: what a statement takes and gives, as java.sql's metadata say it.

use arrow_schema::DataType;
use henge_sql::SqlColumn;

use crate::api::drivers::JdbcType;

/// What a statement takes and gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) parameters: Vec<JdbcType>,
    /// The text; none of listings.
    pub(super) sql: Option<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnInfo {
    /// Its name, which is its label, too.
    pub(super) name: String,
    pub(super) jdbc: JdbcType,
    /// The name of the type as it is shown: `COMPLEX<json>` is OTHER to Java.
    pub(super) type_name: String,
    pub(super) rep: Rep,
    /// Of an array's elements.
    pub(super) component: Option<(JdbcType, Rep)>,
    pub(super) is_nullable: bool,
}

/// As what values of a column travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rep {
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Text,
    Array,
    Object,
}

impl Rep {
    /// Of a type: times are milliseconds and days.
    pub(super) fn of(jdbc: JdbcType) -> Self {
        match jdbc.name {
            "VARCHAR" | "CHAR" => Self::Text,
            "BIGINT" | "TIMESTAMP" => Self::Long,
            "INTEGER" | "SMALLINT" | "TINYINT" | "DATE" => Self::Integer,
            "DOUBLE" | "DECIMAL" | "REAL" => Self::Double,
            "FLOAT" => Self::Float,
            "BOOLEAN" => Self::Boolean,
            "ARRAY" => Self::Array,
            _ => Self::Object,
        }
    }

    /// Avatica's name of it in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Integer => "INTEGER",
            Self::Long => "LONG",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Text => "STRING",
            Self::Array => "ARRAY",
            Self::Object => "OBJECT",
        }
    }
}

impl Signature {
    /// Of a statement.
    pub(super) fn of(sql: &str, columns: &[SqlColumn], parameters: Vec<JdbcType>) -> Self {
        let columns = columns.iter().map(ColumnInfo::of).collect();
        Self { columns, parameters, sql: Some(sql.to_owned()) }
    }
}

impl ColumnInfo {
    /// A column with values of a plain type.
    pub(super) fn plain(name: &str, type_name: &str) -> Self {
        let jdbc = JdbcType::named(type_name);
        Self {
            name: name.to_owned(),
            jdbc,
            type_name: type_name.to_owned(),
            rep: Rep::of(jdbc),
            component: None,
            is_nullable: true,
        }
    }

    fn of(column: &SqlColumn) -> Self {
        let plain = Self::plain(&column.name, &column.sql_type);
        let component = match column.field.data_type() {
            DataType::List(element) | DataType::LargeList(element) => {
                let jdbc = JdbcType::named(type_name_of(element.data_type()));
                Some((jdbc, Rep::of(jdbc)))
            }
            _ => None,
        };
        Self { component, is_nullable: column.field.is_nullable(), ..plain }
    }
}

/// The SQL type of elements; those that are arrays themselves travel as they are.
fn type_name_of(element: &DataType) -> &'static str {
    match element {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Int64 => "BIGINT",
        DataType::Float64 => "DOUBLE",
        DataType::Float32 => "FLOAT",
        DataType::Boolean => "BOOLEAN",
        _ => "OTHER",
    }
}
