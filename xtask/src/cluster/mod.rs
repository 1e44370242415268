//! `cargo xtask cluster`: a whole cluster on this machine, with the servers of others that it stands on.

mod down;
mod network;
mod plan;
mod servers;
mod state;
mod up;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use down::Ending;

const HELP: &str = "\
usage: cargo xtask cluster up [options]     start PostgreSQL, an S3 server and nine processes of Henge
       cargo xtask cluster status [options] say what runs
       cargo xtask cluster down [options]   end exactly those, by their process ids
       cargo xtask cluster stop NAME [options]    end one of them in order
       cargo xtask cluster kill NAME [options]    kill one of them
       cargo xtask cluster start NAME [options]   start one again that ended: a node, postgres or s3

options:
  --dir DIR          where everything is kept (default: target/cluster); kept by `down`
  --binary FILE      the program (default: target/release/henge, else target/debug/henge)
  --base-port PORT   the first broker's port; the others follow, ten apart (default: 8888)
  --s3 KIND          moto (installed with pip when it is missing), s3s-fs (on the PATH, keeps its files) or folder
                     (no S3 at all, a folder that all share); default: moto
  --replicas N       copies of each segment (default: 2)
  --network          each process in a network of its own, to be cut off from others; wants root and `ip`
  --tiers            historical-1 and -2 are the tier hot, asked first, and historical-3 is cold
  --fresh            forget what an earlier cluster in DIR had

examples:
  cargo xtask cluster up --fresh && curl -s http://127.0.0.1:8888/status/ready
  cargo xtask cluster down";

/// What the command was told.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) binary: PathBuf,
    pub(crate) base_port: u16,
    pub(crate) s3: servers::S3Kind,
    pub(crate) replicas: u32,
    pub(crate) is_fresh: bool,
    pub(crate) has_network: bool,
    pub(crate) has_tiers: bool,
}

/// Runs the command.
///
/// # Errors
/// When something cannot be started or ended; the error says what and where its log is.
pub(crate) fn run(mut args: impl Iterator<Item = String>) -> Result<()> {
    let command = args.next().unwrap_or_default();
    if ["", "help", "--help", "-h"].contains(&command.as_str()) {
        println!("{HELP}");
        return Ok(());
    }
    if ["start", "stop", "kill"].contains(&command.as_str()) {
        let name = args.next().with_context(|| format!("'cluster {command}' needs a name"))?;
        let options = parse(args)?;
        return match command.as_str() {
            "start" => up::start_again(&options, &name),
            "stop" => down::end_one(&options, &name, Ending::InOrder),
            _ => down::end_one(&options, &name, Ending::Killed),
        };
    }
    let options = parse(args)?;
    match command.as_str() {
        "up" => up::run(&options),
        "status" => down::status(&options),
        "down" => down::run(&options),
        _ => bail!("unknown command 'cluster {command}'\n\n{HELP}"),
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let target = std::path::absolute(target).context("find the target folder")?;
    let release = target.join("release/henge");
    let binary = if release.is_file() { release } else { target.join("debug/henge") };
    let mut options = Options {
        folder: target.join("cluster"),
        binary,
        base_port: 8888,
        s3: servers::S3Kind::Moto,
        replicas: 2,
        is_fresh: false,
        has_network: false,
        has_tiers: false,
    };
    while let Some(name) = args.next() {
        if name == "--fresh" {
            options.is_fresh = true;
            continue;
        }
        if name == "--network" {
            options.has_network = true;
            continue;
        }
        if name == "--tiers" {
            options.has_tiers = true;
            continue;
        }
        let value = args.next().with_context(|| format!("option '{name}' has no value"))?;
        match name.as_str() {
            "--dir" => options.folder = std::path::absolute(value)?,
            "--binary" => options.binary = std::path::absolute(value)?,
            "--base-port" => options.base_port = value.parse().context("--base-port")?,
            "--s3" => options.s3 = value.parse()?,
            "--replicas" => options.replicas = value.parse().context("--replicas")?,
            _ => bail!("unknown option '{name}'\n\n{HELP}"),
        }
    }
    Ok(options)
}
