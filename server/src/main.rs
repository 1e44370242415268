//! `henge`: the command line.

mod cmd;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command = cmd::Command::parse();
    match command.run() {
        Ok(code) => code,
        Err(error) => {
            cmd::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
