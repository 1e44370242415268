//! `henge completions`: what a shell needs to complete the command line.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

/// Options of `henge completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge completions bash > ~/.local/share/bash-completion/completions/henge
  henge completions zsh > ~/.zfunc/_henge
  henge completions fish > ~/.config/fish/completions/henge.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Runs the command, for the command line `line`.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(args: &CompletionsArgs, line: &mut Command) -> Result<ExitCode> {
    stdout().lock().write_all(&script(args.shell, line))?;
    Ok(ExitCode::SUCCESS)
}

/// In memory first: the generators panic when nobody reads any more.
fn script(shell: Shell, line: &mut Command) -> Vec<u8> {
    let name = line.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, line, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, ValueEnum};

    use super::*;

    #[test]
    fn every_shell_completes_commands_and_options() {
        for shell in Shell::value_variants() {
            let mut line = crate::cmd::Command::command();
            let script = String::from_utf8(script(*shell, &mut line)).unwrap();
            for word in ["ingest", "decommission", "data-dir"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
