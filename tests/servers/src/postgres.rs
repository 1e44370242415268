//! PostgreSQL: a server of the tests' own, which they may stop, kill and start again.

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// Ends the server and removes its folder once this process is gone, whatever ended it: then nobody holds the
/// other end of its input any more.
const WATCH: &str = "trap '' INT TERM HUP; cat > /dev/null; \
    pid=$(head -1 \"$1/own/data/postmaster.pid\" 2> /dev/null) && kill -CONT \"$pid\" && kill -QUIT \"$pid\"; \
    rm -rf \"$1\"";

/// What a process can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Stand still, with all connections open.
    Stop,
    /// Go on.
    Continue,
    /// Be gone.
    Kill,
}

/// A server at work.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
    watch: Child,
}

impl Postgres {
    /// The one server of a test binary; `None` where there is no PostgreSQL, which is said.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A server of one's own; `None` where there is no PostgreSQL, which is said.
    ///
    /// # Panics
    /// When there is one and it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            // Past the capture of a test's output: a test that does nothing must not look like one that passed.
            let line = b"SKIPPED, there is no PostgreSQL here: tests of metadata on PostgreSQL\n";
            std::io::stderr().write_all(line).unwrap();
            return None;
        };
        let folder = tempfile::Builder::new().prefix("henge-postgres-").tempdir().unwrap();
        run(Command::new("chmod").arg("711").arg(folder.path()));
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&own));
        }
        let data = own.join("data");
        let mut init = as_postgres(&programs.join("initdb"));
        init.arg("-D").arg(&data).args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
            "-E",
            "UTF8",
        ]);
        run(init.arg("--locale=C"));
        let mut watch = Command::new("sh");
        watch
            .args(["-c", WATCH, "watch"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let watch = watch.spawn().unwrap();
        let port = free_port();
        let server = Self { folder, programs, port, databases: AtomicU32::new(0), watch };
        server.resume();
        Some(server)
    }

    /// Where it listens, on the loopback interface.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a new, empty database.
    ///
    /// # Panics
    /// When the server does not make it.
    pub fn new_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgresql://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL in a database, as another program would; gives what it answers.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p"]);
        psql.arg(self.port.to_string()).args(["-U", "postgres", "-d", database, "-c", sql]);
        run(&mut psql)
    }

    /// Tells all of the server's processes something.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
            Signal::Kill => "-KILL",
        };
        let server = self.pid().unwrap();
        let mut kill = Command::new("kill");
        kill.arg(name).arg(server.to_string());
        // Some may end meanwhile.
        kill.args(children(server).iter().map(ToString::to_string)).stderr(Stdio::null());
        kill.status().unwrap();
        if signal == Signal::Kill {
            while Path::new(&format!("/proc/{server}")).exists() {
                std::thread::yield_now();
            }
            // Its number may be that of another process by the time it is started again.
            let _ = fs::remove_file(self.data().join("postmaster.pid"));
        }
    }

    /// Ends it as an operator does, waiting for nobody.
    ///
    /// # Panics
    /// When it does not run.
    pub fn stop(&self) {
        let mut stop = as_postgres(&self.programs.join("pg_ctl"));
        run(stop.arg("-D").arg(self.data()).args(["-m", "fast", "-w", "stop"]));
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&self) {
        let own = self.folder.path().join("own");
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 \
             -c shared_buffers=32MB -c max_wal_size=64MB",
            self.port,
            own.display()
        );
        let mut start = as_postgres(&self.programs.join("pg_ctl"));
        start.arg("-D").arg(self.data()).arg("-l").arg(own.join("log")).args(["-w", "-o"]);
        run(start.arg(options).arg("start"));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("own/data")
    }

    fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its input ends, so it does its work.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

/// Where the programs of the newest PostgreSQL are.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|folder| folder.join("postgres").exists()).max()
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).trim() == "0"
}

/// A program as the user that it wants to be run by: not root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The processes that a process started.
fn children(parent: u32) -> Vec<u32> {
    let parent_of = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name, which may hold anything, come its state and its parent.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let processes = fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// Runs a program to its end; gives what it says.
fn run(command: &mut Command) -> String {
    // No pipe for what a started server inherits: reading it would never end.
    let log = tempfile::tempfile().unwrap();
    let mut said = log.try_clone().unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let status = command.status().unwrap();
    let mut text = String::new();
    said.rewind().unwrap();
    said.read_to_string(&mut text).unwrap();
    assert!(status.success(), "{command:?}: {status}: {text}");
    text
}
