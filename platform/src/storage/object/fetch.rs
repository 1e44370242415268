//! Fetching what a URL means to a file, for people who load data: an object of a store, with the
//! credentials of the environment, or whatever a web server gives. It is for input, not for deep storage:
//! nothing is known of the object before.

use std::path::Path;

use futures::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt};

use super::super::error::{Result, StorageError};
use super::failure::summary;
use super::open::{CONNECT_TIMEOUT, Provider};
use crate::runtime::files::{AppendedFile, write_atomically};

/// Whether a text is a URL that [`fetch_url`] understands: `http`, `https`, `s3`, `gs`, `az`.
#[must_use]
pub fn is_fetched_url(text: &str) -> bool {
    Provider::of(text).is_some() || web_address(text).is_some()
}

/// Fetches what a URL means to a file; gives its size in bytes. Credentials come from the provider's
/// variables of the environment.
///
/// # Errors
/// When the URL names nothing that can be fetched, or the connection breaks: then the file is not whole.
pub async fn fetch_url(url: &str, destination: &Path) -> Result<u64> {
    let failed = |error: &object_store::Error| {
        StorageError::Unavailable(format!("{url}: {}", summary(error)))
    };
    let (store, path) = open(url)?;
    let got = store.get(&path).await.map_err(|error| match error {
        object_store::Error::NotFound { .. } => StorageError::NotFound(url.to_owned()),
        error => failed(&error),
    })?;
    let io = |source| StorageError::io(destination, source);
    write_atomically(destination, b"").map_err(io)?;
    let mut file = AppendedFile::open(destination).map_err(io)?;
    let mut size_bytes = 0;
    let mut pieces = got.into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| failed(&error))?;
        file.append(&piece).map_err(io)?;
        size_bytes += piece.len() as u64;
    }
    Ok(size_bytes)
}

fn open(url: &str) -> Result<(Box<dyn ObjectStore>, ObjectPath)> {
    let unusable = |error: object_store::Error| {
        StorageError::Settings(format!("{url} cannot be fetched: {}", summary(&error)))
    };
    if let Some((host, path)) = web_address(url) {
        if url.contains(['?', '#']) {
            return Err(StorageError::Settings(format!(
                "{url}: addresses with ? and # are not fetched; load it by curl: curl URL | henge ingest -"
            )));
        }
        let options = ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout_disabled();
        let store = HttpBuilder::new().with_url(host).with_client_options(options).build();
        let path = ObjectPath::from_url_path(path).map_err(|error| unusable(error.into()))?;
        return Ok((Box::new(store.map_err(unusable)?), path));
    }
    let (bucket, key) =
        url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap_or_default();
    if bucket.is_empty() || key.is_empty() {
        return Err(StorageError::Settings(format!("{url} names no object of a bucket")));
    }
    let store: Box<dyn ObjectStore> = match Provider::of(url) {
        Some(Provider::S3) => Box::new(
            AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(unusable)?,
        ),
        Some(Provider::Google) => Box::new(
            GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .build()
                .map_err(unusable)?,
        ),
        Some(Provider::Azure) => Box::new(
            MicrosoftAzureBuilder::from_env()
                .with_container_name(bucket)
                .build()
                .map_err(unusable)?,
        ),
        None => return Err(StorageError::Settings(format!("{url} names no object store"))),
    };
    let path = ObjectPath::parse(key).map_err(|error| unusable(error.into()))?;
    Ok((store, path))
}

/// Scheme and host of a web address, and the path behind.
fn web_address(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let host_bytes = rest.find('/').unwrap_or(rest.len());
    let (host, path) = url.split_at(scheme.len() + 3 + host_bytes);
    Some((host, path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        assert_eq!(web_address("http://h:80/a/b.csv"), Some(("http://h:80", "a/b.csv")));
        assert_eq!(web_address("https://h"), Some(("https://h", "")));
        for url in ["s3://b/k", "gs://b/k", "az://b/k", "http://h/x"] {
            assert!(is_fetched_url(url), "{url}");
        }
        for text in ["file.csv", "ftp://h/x", "/a/b"] {
            assert!(!is_fetched_url(text), "{text}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_fetched_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (url, words) in [
            ("s3://bucket", "names no object"),
            ("http://127.0.0.1:1/a?b=c", "curl URL"),
            ("ftp://host/a", "names no object store"),
        ] {
            let error = fetch_url(url, &folder.path().join("file")).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
