//! Documents, every version of each. Every function runs within the caller's transaction.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::convert::{get_u64, store_error, to_i64};
use crate::metadata::error::Result;
use crate::metadata::records::Document;

/// Keeps one version of a document.
pub(super) async fn insert(connection: &mut SqliteConnection, document: &Document) -> Result<()> {
    sqlx::query("INSERT INTO documents (kind, name, version, body_json) VALUES (?, ?, ?, ?)")
        .bind(&document.kind)
        .bind(&document.name)
        .bind(to_i64(document.version, "version of a document")?)
        .bind(&document.body_json)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

pub(super) async fn newest(
    connection: &mut SqliteConnection,
    kind: &str,
    name: &str,
) -> Result<Option<Document>> {
    let row = sqlx::query(
        "SELECT * FROM documents WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1",
    )
    .bind(kind)
    .bind(name)
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    row.map(|row| document(&row)).transpose()
}

pub(super) async fn version(
    connection: &mut SqliteConnection,
    kind: &str,
    name: &str,
    version: u64,
) -> Result<Option<Document>> {
    let row = sqlx::query("SELECT * FROM documents WHERE kind = ? AND name = ? AND version = ?")
        .bind(kind)
        .bind(name)
        .bind(to_i64(version, "version of a document")?)
        .fetch_optional(connection)
        .await
        .map_err(store_error)?;
    row.map(|row| document(&row)).transpose()
}

/// The newest version of each document of a kind, by name.
pub(super) async fn list(connection: &mut SqliteConnection, kind: &str) -> Result<Vec<Document>> {
    let rows = sqlx::query(
        "SELECT * FROM documents AS d WHERE kind = ? AND version = \
         (SELECT max(version) FROM documents WHERE kind = d.kind AND name = d.name) ORDER BY name",
    )
    .bind(kind)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.iter().map(document).collect()
}

/// Every version of every document.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Document>> {
    let rows = sqlx::query("SELECT * FROM documents ORDER BY kind, name, version")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(document).collect()
}

fn document(row: &SqliteRow) -> Result<Document> {
    let text = |column| row.try_get::<String, _>(column).map_err(store_error);
    Ok(Document {
        kind: text("kind")?,
        name: text("name")?,
        body_json: text("body_json")?,
        version: get_u64(row, "version")?,
    })
}
