//! Documents, every version of each. Every function runs within the caller's transaction.

use super::convert::to_i64;
use super::database::Connection;
use super::manifests;
use super::statement::Row;
use crate::metadata::error::Result;
use crate::metadata::manifest::Manifest;
use crate::metadata::records::Document;
use crate::metadata::rules::check_version;

/// Sets a document and gives its version; the same body again keeps the version.
pub(super) async fn put(
    connection: &mut Connection,
    kind: String,
    name: String,
    body_json: String,
) -> Result<u64> {
    let newest = newest(connection, &kind, &name).await?;
    if let Some(newest) = newest.as_ref().filter(|newest| newest.body_json == body_json) {
        return Ok(newest.version);
    }
    let version = newest.map_or(1, |newest| newest.version + 1);
    add(connection, Document { kind, name, body_json, version }).await
}

/// Sets a document whose newest version is `expected`, and gives the new one.
pub(super) async fn swap(
    connection: &mut Connection,
    (kind, name, expected): (String, String, u64),
    body_json: String,
) -> Result<u64> {
    let current = newest(connection, &kind, &name).await?.map_or(0, |newest| newest.version);
    check_version(&kind, &name, expected, current)?;
    add(connection, Document { kind, name, body_json, version: current + 1 }).await
}

async fn add(connection: &mut Connection, document: Document) -> Result<u64> {
    let version = document.version;
    insert(connection, &document).await?;
    let change = Manifest { documents: vec![document], ..Manifest::default() };
    manifests::enqueue(connection, change).await?;
    Ok(version)
}

/// Keeps one version of a document.
pub(super) async fn insert(connection: &mut Connection, document: &Document) -> Result<()> {
    connection
        .statement("INSERT INTO documents (kind, name, version, body_json) VALUES ($1, $2, $3, $4)")
        .bind(&document.kind)
        .bind(&document.name)
        .bind(to_i64(document.version, "version of a document")?)
        .bind(&document.body_json)
        .execute()
        .await?;
    Ok(())
}

pub(super) async fn newest(
    connection: &mut Connection,
    kind: &str,
    name: &str,
) -> Result<Option<Document>> {
    let row = connection
        .statement(
            "SELECT * FROM documents WHERE kind = $1 AND name = $2 ORDER BY version DESC LIMIT 1",
        )
        .bind(kind)
        .bind(name)
        .fetch_optional()
        .await?;
    row.map(|row| document(&row)).transpose()
}

pub(super) async fn version(
    connection: &mut Connection,
    kind: &str,
    name: &str,
    version: u64,
) -> Result<Option<Document>> {
    let row = connection
        .statement("SELECT * FROM documents WHERE kind = $1 AND name = $2 AND version = $3")
        .bind(kind)
        .bind(name)
        .bind(to_i64(version, "version of a document")?)
        .fetch_optional()
        .await?;
    row.map(|row| document(&row)).transpose()
}

/// Versions below one, the newest first.
pub(super) async fn below(
    connection: &mut Connection,
    (kind, name): (&str, &str),
    below: u64,
    limit: usize,
) -> Result<Vec<Document>> {
    let rows = connection
        .statement(
            "SELECT * FROM documents WHERE kind = $1 AND name = $2 AND version < $3 \
             ORDER BY version DESC LIMIT $4",
        )
        .bind(kind)
        .bind(name)
        .bind(i64::try_from(below).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all()
        .await?;
    rows.iter().map(document).collect()
}

/// The newest version of each document of a kind, by name.
pub(super) async fn list(connection: &mut Connection, kind: &str) -> Result<Vec<Document>> {
    let rows = connection
        .statement(
            "SELECT * FROM documents AS d WHERE kind = $1 AND version = \
         (SELECT max(version) FROM documents WHERE kind = d.kind AND name = d.name) ORDER BY name",
        )
        .bind(kind)
        .fetch_all()
        .await?;
    rows.iter().map(document).collect()
}

/// Every version of every document.
pub(super) async fn all(connection: &mut Connection) -> Result<Vec<Document>> {
    let rows = connection
        .statement("SELECT * FROM documents ORDER BY kind, name, version")
        .fetch_all()
        .await?;
    rows.iter().map(document).collect()
}

fn document(row: &Row) -> Result<Document> {
    let text = |column| row.text(column);
    Ok(Document {
        kind: text("kind")?,
        name: text("name")?,
        body_json: text("body_json")?,
        version: row.u64("version")?,
    })
}
