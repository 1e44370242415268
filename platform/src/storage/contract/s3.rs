//! Deep storage on S3, as moto plays it: a server that these tests start on a free port and end by its
//! pid. It is taken from `MOTO_SERVER`, or from the path; without one the tests say so and do nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::config::{Secret, StorageConfig};

/// A server in a process of its own, which ends with this value.
struct Moto {
    server: Child,
    endpoint: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Moto {
    /// Starts a server that takes any credentials.
    fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let program = std::env::var("MOTO_SERVER").unwrap_or_else(|_| "moto_server".into());
        let mut command = Command::new(&program);
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.envs(variables.iter().copied());
        let mut server = match command.spawn() {
            Ok(server) => server,
            Err(error) => {
                eprintln!(
                    "SKIPPED: no S3 server: '{program}': {error}; pip install 'moto[server,s3]==5.2.5' \
                     and set MOTO_SERVER to its moto_server"
                );
                return None;
            }
        };
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let endpoint = loop {
            let line = lines.next().expect("the server ended before it listened").unwrap();
            if let Some(at) = line.find("http://127.0.0.1:") {
                break line[at..].split_whitespace().next().unwrap().to_owned();
            }
        };
        // It logs every request: somebody has to read on, or it stops.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { server, endpoint })
    }

    fn config(&self, url: &str) -> StorageConfig {
        let options = [("access_key_id", "key"), ("secret_access_key", "hush")];
        StorageConfig {
            url: url.into(),
            endpoint: self.endpoint.clone(),
            region: "us-east-1".into(),
            allow_http: true,
            options: options.map(|(name, value)| (name.to_owned(), Secret::from(value))).into(),
        }
    }

    /// Makes a bucket. It is no object, so no client of objects does it.
    fn make_bucket(&self, bucket: &str) {
        let host = self.endpoint.trim_start_matches("http://");
        let mut connection = TcpStream::connect(host).unwrap();
        let close = "Content-Length: 0\r\nConnection: close";
        write!(connection, "PUT /{bucket} HTTP/1.1\r\nHost: {host}\r\n{close}\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn storage(&self, url: &str, options: TransferOptions) -> ObjectDeepStorage {
        self.make_bucket("bucket");
        ObjectDeepStorage::open(&self.config(url), options).unwrap()
    }
}

/// Little patience, for what fails for good.
fn impatient() -> TransferOptions {
    let short = std::time::Duration::from_millis(10);
    let retry = RetryPolicy { attempts: 3, first_wait: short, ..RetryPolicy::default() };
    TransferOptions { retry, ..TransferOptions::default() }
}

#[tokio::test]
async fn s3() {
    let Some(moto) = Moto::start() else { return };
    let storage = moto.storage("s3://bucket/a/prefix", TransferOptions::default());
    storage.reach().await.unwrap();
    contract(&storage).await;
    let neighbour = moto.storage("s3://bucket/a/pre", TransferOptions::default());
    assert!(neighbour.list("odd").await.unwrap().is_empty());
    assert!(!neighbour.exists("once").await.unwrap());
}

/// F-38: three parts of the least size that S3 takes, put together, read back, and replaced.
#[tokio::test]
async fn s3_in_parts() {
    let Some(moto) = Moto::start() else { return };
    let options = TransferOptions { part_bytes: 5 << 20, ..TransferOptions::default() };
    let storage = moto.storage("s3://bucket", options);
    let directory = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..11_000_000_u32).map(|number| (number % 253) as u8).collect();
    let pushed = storage.push("large", file_of(directory.path(), &content)).await.unwrap();
    assert_eq!(pushed, checksum_bytes(&content));
    storage.check("large", pushed).await.unwrap();
    storage.push("large", file_of(directory.path(), &content)).await.unwrap();
    let other = file_of(directory.path(), &content[1..]);
    assert!(matches!(storage.push("large", other.clone()).await, Err(StorageError::Conflict(_))));
    let mended = storage.overwrite("large", other).await.unwrap();
    storage.pull("large", mended, &directory.path().join("pulled")).await.unwrap();
}

/// More than one page.
#[tokio::test]
async fn s3_lists_page_by_page() {
    let Some(moto) = Moto::start() else { return };
    let storage = moto.storage("s3://bucket/pages", TransferOptions::default());
    let keys: Vec<String> = (0..1_050).map(|number| format!("many/{number:04}")).collect();
    for some in keys.chunks(50) {
        let pushes = some.iter().map(|key| storage.push(key, payload("x")));
        futures::future::try_join_all(pushes).await.unwrap();
    }
    let listed = storage.list("many").await.unwrap();
    assert_eq!(listed.into_iter().map(|object| object.key).collect::<Vec<_>>(), keys);
}

/// What is wrong is named, with the bucket and what to do; "unknown" is never "empty".
#[tokio::test]
async fn s3_errors_name_the_bucket_and_the_fix() {
    let Some(moto) = Moto::start() else { return };
    let nowhere = ObjectDeepStorage::open(&moto.config("s3://nowhere/p"), impatient()).unwrap();
    for error in [
        nowhere.reach().await.unwrap_err(),
        nowhere.push("k", payload("x")).await.unwrap_err(),
        nowhere.read("k").await.unwrap_err(),
        nowhere.head("k").await.unwrap_err(),
        nowhere.list("k").await.unwrap_err(),
    ] {
        let told = error.to_string();
        assert_eq!(error.class(), ErrorClass::Unavailable, "{told}");
        assert!(told.contains("object store s3://nowhere/p at http://127.0.0.1"), "{told}");
        assert!(told.contains("there is no such bucket: create it"), "{told}");
        assert!(!told.contains("hush"), "{told}");
    }
    let config = StorageConfig { endpoint: "http://127.0.0.1:1".into(), ..moto.config("s3://b") };
    let away = ObjectDeepStorage::open(&config, impatient()).unwrap();
    let told = away.push("k", payload("x")).await.unwrap_err().to_string();
    assert!(told.contains("at http://127.0.0.1:1: PUT of 'k' failed 3 times"), "{told}");
    assert!(told.contains("Connection refused"), "{told}");
}

#[tokio::test]
async fn s3_credentials_that_are_refused_are_named() {
    // Knows no user at all, and asks from the first request on.
    let asks = [("INITIAL_NO_AUTH_ACTION_COUNT", "0")];
    let Some(moto) = Moto::start_with(&asks) else { return };
    let storage = ObjectDeepStorage::open(&moto.config("s3://bucket"), impatient()).unwrap();
    for error in [storage.reach().await.unwrap_err(), storage.read("k").await.unwrap_err()] {
        let told = error.to_string();
        assert!(told.contains("does not take these credentials: see [storage.options]"), "{told}");
        assert!(!told.contains("hush"), "{told}");
    }
}
