//! Ending what was started, the last first.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::state::{Started, read, write};
use super::{Options, network};

/// Time for a process to end in order; then it is killed.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is asked to.
    InOrder,
    /// It learns nothing of it.
    Killed,
}

/// Ends exactly what `up` started.
pub(super) fn run(options: &Options) -> Result<()> {
    let started = read(&options.folder)?;
    let running: Vec<&Started> = started.iter().rev().filter(|process| process.runs()).collect();
    // Those of Henge first and all at once, then what they stand on.
    let (servers, nodes): (Vec<&Started>, Vec<&Started>) =
        running.iter().partition(|process| ["postgres", "s3"].contains(&process.name.as_str()));
    end(&nodes, Ending::InOrder)?;
    end(&servers, Ending::InOrder)?;
    network::down(options);
    write(&options.folder, &[])?;
    println!("ended {} processes; their files are in {}", running.len(), options.folder.display());
    Ok(())
}

/// Says what runs.
pub(super) fn status(options: &Options) -> Result<()> {
    for process in read(&options.folder)? {
        let state = if process.runs() { "runs" } else { "ended" };
        println!("{:16} {:>8} {state}", process.name, process.pid);
    }
    Ok(())
}

/// Ends one process.
pub(super) fn end_one(options: &Options, name: &str, ending: Ending) -> Result<()> {
    let started = read(&options.folder)?;
    let found = started.iter().find(|process| process.name == name && process.runs());
    let process =
        found.with_context(|| format!("no '{name}' runs: `cluster status` lists them"))?;
    end(&[process], ending)
}

fn end(processes: &[&Started], ending: Ending) -> Result<()> {
    for process in processes {
        let name = match ending {
            Ending::Killed => "-KILL",
            // PostgreSQL ends at once, waiting for no client, by SIGINT.
            Ending::InOrder if process.name == "postgres" => "-INT",
            Ending::InOrder => "-TERM",
        };
        signal(name, process)?;
    }
    let until = Instant::now() + PATIENCE;
    while processes.iter().any(|process| process.runs()) {
        if Instant::now() > until {
            for process in processes.iter().filter(|process| process.runs()) {
                eprintln!("{} does not end: killed", process.name);
                signal("-KILL", process)?;
            }
        }
        sleep(LOOK_EVERY);
    }
    Ok(())
}

fn signal(name: &str, process: &Started) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.arg(name).arg(process.pid.to_string());
    kill.status().with_context(|| format!("signal {}", process.name))?;
    Ok(())
}
