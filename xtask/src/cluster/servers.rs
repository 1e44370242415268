//! The servers of others: PostgreSQL and one that speaks S3.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use super::Options;
use super::network::{command, host_of, let_in};
use super::plan::ports_of_servers;
use super::state::{Started, add};
use super::up::{launch, wait_for_port};

/// The S3 server that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum S3Kind {
    /// Moto: everything in memory.
    Moto,
    /// s3s-fs: plain files, which outlive it.
    S3s,
    /// None: a folder that all processes share.
    Folder,
}

impl FromStr for S3Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "moto" => Ok(Self::Moto),
            "s3s-fs" => Ok(Self::S3s),
            "folder" => Ok(Self::Folder),
            _ => bail!("--s3 '{text}' is none of moto, s3s-fs and folder"),
        }
    }
}

/// Deep storage as it was started.
#[derive(Debug)]
pub(super) enum Store {
    Bucket { host: String, port: u16 },
    Folder(PathBuf),
}

impl Store {
    /// Its settings.
    pub(super) fn settings(&self) -> String {
        match self {
            Self::Folder(folder) => format!("[storage]\nurl = \"file://{}\"\n", folder.display()),
            Self::Bucket { host, port } => format!(
                "[storage]\nurl = \"s3://henge\"\nendpoint = \"http://{host}:{port}\"\nallow_http = true\n\n\
                 [storage.options]\naccess_key_id = \"henge\"\nsecret_access_key = \"henge-secret\"\n"
            ),
        }
    }
}

/// Starts PostgreSQL with an empty database, or with what it had.
pub(super) fn start_postgres(options: &Options) -> Result<()> {
    let (port, _) = ports_of_servers(options);
    let host = host_of(options, "postgres");
    let programs = programs()
        .context("there is no PostgreSQL: install it (Debian: apt-get install postgresql-15)")?;
    let (folder, data) = (options.folder.join("postgres"), options.folder.join("postgres/data"));
    let is_new = !data.join("PG_VERSION").is_file();
    if is_new {
        fs::create_dir_all(&folder)?;
        // It refuses to run as root.
        if is_root() {
            succeed(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let mut init = as_postgres(options, &programs.join("initdb"));
        init.arg("-D").arg(&data).args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
            "-E",
            "UTF8",
        ]);
        succeed(init.arg("--locale=C")).context(
            "make the database; every folder above --dir must let the user postgres through",
        )?;
        let_in(options, &data)?;
    }
    let mut server = as_postgres(options, &programs.join("postgres"));
    server.arg("-D").arg(&data).arg("-p").arg(port.to_string()).arg("-k").arg(&folder);
    server.args(["-c", &format!("listen_addresses={host}"), "-c", "max_connections=200"]);
    let pid = launch(&mut server, &options.folder.join("postgres.log"))?;
    wait_for_port(options, port, "postgres", &options.folder.join("postgres.log"))?;
    // The server itself, not the one who changed the user before it.
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let pid = text.lines().next().and_then(|line| line.parse().ok()).unwrap_or(pid);
    add(&options.folder, &Started::of("postgres", pid).context("postgres ended at once")?)?;
    if is_new {
        let mut psql = Command::new(programs.join("psql"));
        psql.args(["-X", "-q", "-h", &host, "-U", "postgres", "-p", &port.to_string()]);
        // It takes connections a moment before it takes questions.
        let mut made = succeed(psql.args(["-c", "CREATE DATABASE henge"]));
        for _ in 0..50 {
            if made.is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
            made = succeed(&mut psql);
        }
        made.context("make the database 'henge'")?;
    }
    Ok(())
}

/// Starts the S3 server with an empty bucket, or with what it had.
pub(super) fn start_store(options: &Options) -> Result<Store> {
    let (_, port) = ports_of_servers(options);
    let host = host_of(options, "s3");
    let log = options.folder.join("s3.log");
    let mut server = match options.s3 {
        S3Kind::Folder => {
            let folder = options.folder.join("deep-storage");
            fs::create_dir_all(&folder)?;
            return Ok(Store::Folder(folder));
        }
        S3Kind::Moto => {
            let mut server = command(options, "s3", moto()?);
            server.args(["-H", &host, "-p", &port.to_string()]);
            server
        }
        S3Kind::S3s => {
            let folder = options.folder.join("s3");
            // A bucket is a folder.
            fs::create_dir_all(folder.join("henge"))?;
            let mut server = command(options, "s3", "s3s-fs");
            server.args(["--access-key", "henge", "--secret-key", "henge-secret"]);
            server.args(["--host", &host, "--port", &port.to_string()]).arg(folder);
            server
        }
    };
    let pid =
        launch(&mut server, &log).context("start the S3 server; --s3 folder does without one")?;
    add(&options.folder, &Started::of("s3", pid).context("the S3 server ended at once")?)?;
    wait_for_port(options, port, "s3", &log)?;
    if options.s3 == S3Kind::Moto {
        make_bucket(&host, port)?;
    }
    Ok(Store::Bucket { host, port })
}

/// The program of moto, installed beside what cargo builds when it is not there.
fn moto() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("MOTO_SERVER") {
        return Ok(program.into());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let folder = std::path::absolute(target)?.join("tools/moto");
    let program = folder.join("bin/moto_server");
    if !program.is_file() {
        println!("installing moto, once");
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        succeed(pip.args(["install", "--quiet", "moto[server,s3]==5.2.5"]))
            .context("install moto; --s3 folder does without it")?;
    }
    Ok(program)
}

fn make_bucket(host: &str, port: u16) -> Result<()> {
    let mut stream = TcpStream::connect((host, port)).context("reach the S3 server")?;
    stream.write_all(
        b"PUT /henge HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.contains(" 200 "), "make the bucket: {answer}");
    Ok(())
}

fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|programs| programs.join("postgres").is_file()).max()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn as_postgres(options: &Options, program: &Path) -> Command {
    if !is_root() {
        return command(options, "postgres", program);
    }
    // Becomes the program; `runuser` stays its parent, and would stand still with it.
    let mut command = command(options, "postgres", "setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", told.trim());
    Ok(())
}
