//! What cargo does not do for the workspace: checks (`cargo xtask layers | tidy | coverage-ids | docs-queries | proto`), the
//! measurements (`cargo xtask bench-peers | bench-dial`), a cluster to try things on (`cargo xtask cluster`) and
//! what is handed out (`cargo xtask dist`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people to run")]

mod bench_dial;
mod bench_peers;
mod cluster;
mod coverage_ids;
mod dist;
mod docs_queries;
mod files;
mod layers;
mod proto;
mod rooms;
mod rust;
mod sources;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask <command>

  layers        fail when a package, or a room of one, uses what it may not use
  tidy          fail on what is too long, missing module docs and leftover markers
  coverage-ids  fail when docs/requirements.md does not list the tests that quote each id; `--write` writes it
  proto         write what the definitions in proto/ give, after checking their style and that clients can go on;
                `--check` compares instead
  docs-queries  write docs/queries.md from what the parser does; `--check` compares instead
  dist          a release program without its debug information, that beside it, manual pages and completions;
                `dist --help` lists options
  bench-peers   time Henge beside DuckDB, ClickHouse and DataFusion; `bench-peers --help` lists options
  bench-dial    time Henge under limits of memory, in each form of its segments; `bench-dial --help` lists options
  cluster       a whole cluster on this machine: `up`, `status`, `down`; `cluster --help` lists options";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let outcome = match command.as_str() {
        "layers" => layers::run(),
        "tidy" => tidy::run(),
        "coverage-ids" => coverage_ids::run(std::env::args().skip(2)),
        "proto" => proto::run(std::env::args().skip(2)),
        "docs-queries" => docs_queries::run(std::env::args().skip(2)),
        "dist" => dist::run(std::env::args().skip(2)),
        "cluster" => cluster::run(std::env::args().skip(2)),
        "bench-dial" => bench_dial::run(std::env::args().skip(2)),
        "bench-peers" => bench_peers::run(std::env::args().skip(2)),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("unknown command '{command}'\n\n{HELP}");
            return ExitCode::FAILURE;
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
