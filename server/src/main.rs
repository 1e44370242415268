//! `henge`: the command line.

mod cmd;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    henge_platform::runtime::allocator::bound_arenas();
    let command = cmd::Command::parse();
    match command.run() {
        Ok(code) => code,
        Err(error) => {
            cmd::print_error(&error);
            cmd::exit_code_of(&error)
        }
    }
}
