//! What the server says of itself and of its types.

use arrow_flight::error::Result;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlSupportedCaseSensitivity,
    SqlSupportedTransaction, XdbcDataType,
};

use crate::api::drivers::{JdbcType, KNOWN_TYPES};

/// Of Arrow's format, whose columns are written.
const ARROW_VERSION: &str = "59.3";

/// What the server says of itself.
///
/// # Errors
/// Never for what is here.
pub(super) fn server() -> Result<SqlInfoData> {
    let mut infos = SqlInfoDataBuilder::new();
    infos.append(SqlInfo::FlightSqlServerName, "Henge");
    infos.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    infos.append(SqlInfo::FlightSqlServerArrowVersion, ARROW_VERSION);
    infos.append(SqlInfo::FlightSqlServerReadOnly, true);
    infos.append(SqlInfo::FlightSqlServerSql, true);
    infos.append(SqlInfo::FlightSqlServerSubstrait, false);
    infos.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    infos.append(SqlInfo::FlightSqlServerCancel, true);
    infos.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    infos.append(SqlInfo::FlightSqlServerStatementTimeout, 0_i32);
    infos.append(SqlInfo::FlightSqlServerTransactionTimeout, 0_i32);
    infos.append(SqlInfo::SqlDdlCatalog, false);
    infos.append(SqlInfo::SqlDdlSchema, false);
    infos.append(SqlInfo::SqlDdlTable, false);
    // Names are as they are written, with quotes and without.
    let as_written = SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32;
    infos.append(SqlInfo::SqlIdentifierCase, as_written);
    infos.append(SqlInfo::SqlQuotedIdentifierCase, as_written);
    infos.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    infos.append(SqlInfo::SqlAllTablesAreSelectable, true);
    infos.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedLow as i32);
    infos.append(SqlInfo::SqlSearchStringEscape, "\\");
    infos.append(SqlInfo::SqlSupportsColumnAliasing, true);
    infos.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    infos.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    infos.append(SqlInfo::SqlSupportsLikeEscapeClause, true);
    infos.append(SqlInfo::SqlSchemaTerm, "schema");
    infos.append(SqlInfo::SqlCatalogTerm, "catalog");
    infos.append(SqlInfo::SqlCatalogAtStart, true);
    infos.append(SqlInfo::SqlCorrelatedSubqueriesSupported, true);
    infos.append(SqlInfo::SqlBatchUpdatesSupported, false);
    infos.append(SqlInfo::SqlSavepointsSupported, false);
    infos.append(SqlInfo::SqlNamedParametersSupported, false);
    infos.build()
}

/// The types that ODBC has numbers for.
///
/// # Errors
/// Never for what is here.
pub(super) fn types() -> Result<XdbcTypeInfoData> {
    let mut builder = XdbcTypeInfoDataBuilder::new();
    for jdbc in KNOWN_TYPES {
        if let Some(data_type) = number_of(jdbc) {
            builder.append(info_of(jdbc, data_type));
        }
    }
    builder.build()
}

fn number_of(jdbc: JdbcType) -> Option<XdbcDataType> {
    match jdbc.name {
        // What ODBC calls a bit.
        "BOOLEAN" => Some(XdbcDataType::XdbcBit),
        _ => XdbcDataType::try_from(jdbc.id).ok(),
    }
}

fn info_of(jdbc: JdbcType, data_type: XdbcDataType) -> XdbcTypeInfo {
    let quote = matches!(jdbc.name, "VARCHAR" | "CHAR").then(|| "'".to_owned());
    let is_number = jdbc.class_name.starts_with("java.lang.") && quote.is_none();
    XdbcTypeInfo {
        type_name: jdbc.name.to_owned(),
        data_type,
        column_size: (jdbc.precision > 0).then_some(jdbc.precision),
        literal_prefix: quote.clone(),
        case_sensitive: quote.is_some(),
        literal_suffix: quote,
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        unsigned_attribute: is_number.then_some(false),
        local_type_name: Some(jdbc.name.to_owned()),
        sql_data_type: data_type,
        num_prec_radix: is_number.then_some(10),
        ..XdbcTypeInfo::default()
    }
}
