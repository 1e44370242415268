//! Sending files to a server that does not read this machine's disk.

use std::fs::File;
use std::io::Read;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use henge_platform::runtime::random;
use serde_json::{Value, json};

use super::inputs::Source;
use crate::cmd::http::Client;
use crate::cmd::output::{counted, say, size};

/// Bytes of a part, below what servers take in one request.
const PART_BYTES: u64 = 4 << 20;
/// How often a part is sent that may or may not have arrived.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Whether the server of a URL reads the files of this machine: when the URL means this machine.
pub(super) fn is_here(base_url: &str) -> bool {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Sends files; gives the input source that means them.
///
/// # Errors
/// When a file cannot be read, or the server does not take it.
pub(super) fn send(client: &Client, sources: &[Source]) -> Result<Value> {
    let mut files = Vec::with_capacity(sources.len());
    let mut total_bytes = 0;
    for source in sources {
        let (file, bytes) =
            send_one(client, source).with_context(|| format!("send {}", source.name))?;
        files.push(file);
        total_bytes += bytes;
    }
    let count = counted(files.len() as u64, "file");
    say(format!("Sent {count} of {} to {}", size(total_bytes), client.base_url()))?;
    Ok(json!({ "type": "uploaded", "files": files }))
}

fn send_one(client: &Client, source: &Source) -> Result<(Value, u64)> {
    let mut file = File::open(&source.path)?;
    let upload = format!("{:016x}{:016x}", random::<u64>(), random::<u64>());
    let (mut parts, mut total_bytes) = (0_u64, 0);
    loop {
        let mut part = Vec::new();
        (&mut file).take(PART_BYTES).read_to_end(&mut part)?;
        if part.is_empty() && parts > 0 {
            break;
        }
        send_part(client, &format!("/v1/uploads/{upload}/{parts}"), &part)?;
        parts += 1;
        total_bytes += part.len() as u64;
        if (part.len() as u64) < PART_BYTES {
            break;
        }
    }
    Ok((json!({ "name": source.name, "upload": upload, "parts": parts }), total_bytes))
}

fn send_part(client: &Client, path: &str, part: &[u8]) -> Result<()> {
    let mut attempt = 1;
    loop {
        match client.post_bytes(path, part) {
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() && attempt < ATTEMPTS => {
                sleep(PAUSE * attempt);
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::fake_server::FakeServer;

    #[test]
    fn servers_of_this_machine_read_its_files() {
        for url in ["http://127.0.0.1:8888", "http://localhost", "http://[::1]:80"] {
            assert!(is_here(url), "{url}");
        }
        for url in ["http://10.0.0.7:8888", "http://druid.example", "http://localhost.example"] {
            assert!(!is_here(url), "{url}");
        }
    }

    #[test]
    fn what_the_server_does_not_take_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "t\n1\n").unwrap();
        let source = Source { name: "a.csv".to_owned(), path, is_temporary: false };
        let server = FakeServer::start();
        let error = send(&server.client(), &[source]).unwrap_err();
        assert!(error.to_string().starts_with("send a.csv"), "{error:#}");
    }
}
