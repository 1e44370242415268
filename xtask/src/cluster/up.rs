//! Starting everything, and waiting until it answers.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Options;
use super::network::{self, command, host_of};
use super::plan::{Node, TOKEN, nodes, ports_of_servers, settings, settings_file};
use super::servers::{start_postgres, start_store};
use super::state::{Started, add, read};

/// Time for a process to answer.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts the cluster and prints its addresses.
pub(super) fn run(options: &Options) -> Result<()> {
    let running = read(&options.folder)?.into_iter().find(Started::runs);
    if let Some(process) = running {
        bail!("{} runs already: `cargo xtask cluster down` ends it", process.name);
    }
    ensure!(
        options.binary.is_file(),
        "there is no '{}': `cargo build --release` makes it",
        options.binary.display()
    );
    if options.is_fresh && options.folder.is_dir() {
        forget(&options.folder)?;
    }
    fs::create_dir_all(&options.folder)?;
    network::up(options)?;
    start_postgres(options)?;
    let store = start_store(options)?;
    fs::write(settings_file(&options.folder), settings(options, &store))?;
    let nodes = nodes(options);
    // In any order: each waits for what it needs.
    for node in &nodes {
        start(options, node)?;
    }
    for node in &nodes {
        wait_until_ready(options, node)?;
    }
    print(options, &nodes);
    Ok(())
}

/// Removes what an earlier cluster kept; a folder that a disk is mounted on stays, empty.
fn forget(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            fs::remove_file(&path).with_context(|| format!("remove '{}'", path.display()))?;
        } else if let Err(error) = fs::remove_dir_all(&path) {
            let is_empty = fs::read_dir(&path)?.next().is_none();
            ensure!(is_empty, "remove the earlier cluster: '{}': {error}", path.display());
        }
    }
    Ok(())
}

/// Starts a process again that ended, as it was; returns when it answers.
pub(super) fn start_again(options: &Options, name: &str) -> Result<()> {
    let runs = read(&options.folder)?.iter().any(|process| process.name == name && process.runs());
    ensure!(!runs, "{name} runs already");
    match name {
        "postgres" => start_postgres(options),
        "s3" => start_store(options).map(drop),
        name => {
            let nodes = nodes(options);
            let node = nodes.iter().find(|node| node.name == name);
            let node = node.with_context(|| format!("there is no '{name}' in this cluster"))?;
            start(options, node)?;
            wait_until_ready(options, node)
        }
    }
}

fn start(options: &Options, node: &Node) -> Result<()> {
    let mut command = command(options, node.name, &options.binary);
    command
        .arg("server")
        .arg("--config")
        .arg(settings_file(&options.folder))
        .args(["--roles", node.role, "--node", node.name, "--port", &node.port.to_string()])
        .arg("--data-dir")
        .arg(node.folder(options))
        .env("HENGE_HOST", &node.host)
        .env("HENGE_CLUSTER__ZONE", node.zone);
    if options.has_tiers {
        let (tier, priority) = node.tier();
        command.env("HENGE_HISTORICAL__TIER", tier).env("HENGE_HISTORICAL__PRIORITY", priority);
    }
    let pid = launch(&mut command, &log_of(options, node))?;
    let started = Started::of(node.name, pid);
    let log = log_of(options, node);
    let started = started.with_context(|| format!("{} ended: see {}", node.name, log.display()))?;
    add(&options.folder, &started)
}

fn log_of(options: &Options, node: &Node) -> std::path::PathBuf {
    options.folder.join(format!("{}.log", node.name))
}

/// Starts a process that goes on when this one ends; gives its id.
pub(super) fn launch(command: &mut Command, log: &Path) -> Result<u32> {
    use std::os::unix::process::CommandExt as _;
    let file = File::options().create(true).append(true).open(log);
    let file = file.with_context(|| format!("open '{}'", log.display()))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        // Ctrl-C in this terminal is not meant for it.
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    Ok(child.id())
}

/// Waits until somebody listens on a port.
pub(super) fn wait_for_port(options: &Options, port: u16, name: &str, log: &Path) -> Result<()> {
    let host = host_of(options, name);
    wait(name, log, || TcpStream::connect((host.as_str(), port)).is_ok())
}

fn wait_until_ready(options: &Options, node: &Node) -> Result<()> {
    wait(node.name, &log_of(options, node), || is_ready(node).unwrap_or(false))
}

fn wait(name: &str, log: &Path, is_there: impl Fn() -> bool) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !is_there() {
        ensure!(
            Instant::now() < until,
            "{name} is not there after {} s: see {}",
            PATIENCE.as_secs(),
            log.display()
        );
        sleep(LOOK_EVERY);
    }
    Ok(())
}

fn is_ready(node: &Node) -> Result<bool> {
    let address: SocketAddr = format!("{}:{}", node.host, node.port).parse()?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!(
        "GET /status/ready HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n",
        node.host
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

fn print(options: &Options, nodes: &[Node]) {
    let (postgres, s3) = ports_of_servers(options);
    for node in nodes {
        println!("{:14} {}  zone {}", node.name, node.url(), node.zone);
    }
    println!("postgres       {}:{postgres}", host_of(options, "postgres"));
    if options.s3 != super::servers::S3Kind::Folder {
        println!("s3             http://{}:{s3}", host_of(options, "s3"));
    }
    network::say(options);
    println!("logs and files {}", options.folder.display());
    println!("the front door is {}; `cargo xtask cluster down` ends it all", nodes[0].url());
}
