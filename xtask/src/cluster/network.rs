//! A network for each process, so that two of them can be cut off from each other while both live: a namespace
//! a process, with one address on a bridge. Needs root and `ip` of iproute2.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Options;
use super::plan::{NODES, TOKEN};

/// The first address of a process; those before are for people and the bridge.
const FIRST: u16 = 10;

/// Where a process answers.
pub(super) fn host_of(options: &Options, name: &str) -> String {
    if options.has_network { address(options, FIRST + place(name)) } else { "127.0.0.1".into() }
}

/// All addresses of the cluster, as PostgreSQL writes them.
pub(super) fn range(options: &Options) -> String {
    format!("{}/24", address(options, 0))
}

/// The command that runs a program as a process of the cluster.
pub(super) fn command(options: &Options, name: &str, program: impl AsRef<OsStr>) -> Command {
    if !options.has_network {
        return Command::new(program);
    }
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace(options, name)]).arg(program);
    command
}

/// Makes the networks of all processes.
pub(super) fn up(options: &Options) -> Result<()> {
    if !options.has_network {
        return Ok(());
    }
    down(options);
    let bridge = bridge(options);
    ip(&["link", "add", &bridge, "type", "bridge"])
        .context("make a network for each process, which root may; without --network it is one")?;
    ip(&["addr", "add", &format!("{}/24", address(options, 1)), "dev", &bridge])?;
    ip(&["link", "set", &bridge, "up"])?;
    for name in names() {
        connect(options, &bridge, name)?;
    }
    Ok(())
}

/// Takes them away again.
pub(super) fn down(options: &Options) {
    if !options.has_network {
        return;
    }
    // What is not there was taken away before.
    for name in names() {
        let _ = ip(&["netns", "del", &namespace(options, name)]);
        let _ = ip(&["link", "del", &outer(options, name)]);
    }
    let _ = ip(&["link", "del", &bridge(options)]);
}

/// What clients have to say, where there is something.
pub(super) fn say(options: &Options) {
    if options.has_network {
        println!("clients say    Authorization: Bearer {TOKEN}");
        println!("networks       ip netns exec {} …", namespace(options, "NAME"));
    }
}

fn connect(options: &Options, bridge: &str, name: &str) -> Result<()> {
    let (namespace, outer) = (namespace(options, name), outer(options, name));
    let address = format!("{}/24", host_of(options, name));
    ip(&["netns", "add", &namespace])?;
    ip(&["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
    ip(&["link", "set", &outer, "master", bridge, "up"])?;
    ip(&["-n", &namespace, "addr", "add", &address, "dev", "eth0"])?;
    ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
    ip(&["-n", &namespace, "link", "set", "lo", "up"])
}

fn names() -> impl Iterator<Item = &'static str> {
    NODES.iter().map(|(name, _, _)| *name).chain(["postgres", "s3"])
}

fn place(name: &str) -> u16 {
    names().position(|known| known == name).unwrap_or_default() as u16
}

/// Two clusters on one machine have ports that differ.
fn address(options: &Options, last: u16) -> String {
    format!("10.201.{}.{last}", options.base_port % 256)
}

fn bridge(options: &Options) -> String {
    format!("henge{}", options.base_port)
}

/// The end of a process's wire that is on the bridge.
fn outer(options: &Options, name: &str) -> String {
    format!("{}v{}", bridge(options), place(name))
}

fn namespace(options: &Options, name: &str) -> String {
    format!("{}-{name}", bridge(options))
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("run 'ip' of iproute2")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), told.trim());
    Ok(())
}

/// Lets PostgreSQL answer those who are not on its own address.
pub(super) fn let_in(options: &Options, data: &Path) -> Result<()> {
    use std::io::Write as _;
    if !options.has_network {
        return Ok(());
    }
    let mut rules = std::fs::File::options().append(true).open(data.join("pg_hba.conf"))?;
    writeln!(rules, "host all all {} trust", range(options)).context("write pg_hba.conf")
}
