//! Runs seeds and prints what happened.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use henge_simulation::{Counts, Options, run};

/// Runs the cluster on one simulated thread, seed by seed.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  henge-simulation --seeds 100\n  henge-simulation --seed 17 --log"
)]
struct Arguments {
    /// First seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Simulated seconds with faults, a seed.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run every seed twice and compare what was logged.
    #[arg(long)]
    twice: bool,
    /// Print the servers' log.
    #[arg(long)]
    log: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let options =
        Options { faults_for: Duration::from_secs(arguments.seconds), prints: arguments.log };
    let (mut all, mut reached, mut failed) = (Counts::default(), BTreeMap::new(), Vec::new());
    for seed in arguments.seed..arguments.seed + arguments.seeds {
        let outcome = run(seed, options)?;
        println!(
            "seed {seed}: {} lines, trace {:016x}, {} violations",
            outcome.lines,
            outcome.digest,
            outcome.counts.violations.len()
        );
        for violation in &outcome.counts.violations {
            println!("  {violation}");
        }
        if !outcome.counts.violations.is_empty() {
            failed.push(seed);
        }
        if arguments.twice && run(seed, options)?.digest != outcome.digest {
            println!("  a second run was another one");
            failed.push(seed);
        }
        all.add(&outcome.counts);
        for (place, count) in outcome.reached {
            *reached.entry(place).or_insert(0) += count;
        }
    }
    print_counts("what happened", &all.counts);
    print_counts("what the servers said", &reached);
    if !failed.is_empty() {
        bail!("{} violations, seeds {failed:?}", all.violations.len());
    }
    Ok(())
}

fn print_counts(title: &str, counts: &BTreeMap<String, u64>) {
    println!("\n{title}:");
    for (name, count) in counts {
        println!("{count:>10}  {name}");
    }
}
