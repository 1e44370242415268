//! `cargo xtask dist`: what is handed to somebody else. The program without its debug information, that beside it, and
//! what it says of itself: completions and manual pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::sources;

const HELP: &str = "\
usage: cargo xtask dist [--binary FILE]

  Builds the program for release and lays out target/dist/henge: bin/henge, bin/henge.debug (which debuggers find
  by the name and checksum in bin/henge), share/man, completions, the unit of systemd, the licence.

  --binary FILE  take this program instead of building one";

/// Where completions of a shell lie below `share`, by the shell's name.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/henge"),
    ("zsh", "zsh/site-functions/_henge"),
    ("fish", "fish/vendor_completions.d/henge.fish"),
];

/// Runs it with the words behind `dist`.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let words: Vec<String> = words.collect();
    let built = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => build()?,
        ["--binary", file] => PathBuf::from(file),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            return Ok(());
        }
        _ => bail!("unknown option\n\n{HELP}"),
    };
    let root = target_folder().join("dist").join("henge");
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("remove {}", root.display()))?;
    }
    let program = split(&built, &root.join("bin"))?;
    describe(&program, &root.join("share"))?;
    for (from, to) in
        [("packaging/henge.service", "lib/systemd/system/henge.service"), ("LICENSE", "LICENSE")]
    {
        copy(&sources::root().join(from), &root.join(to))?;
    }
    println!("{} is laid out", root.display());
    Ok(())
}

/// Where cargo builds, as a whole path: objcopy runs in another folder, and whoever runs this may be in any.
fn target_folder() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR");
    let folder = folder.map_or_else(|| sources::root().join("target"), PathBuf::from);
    std::path::absolute(&folder).unwrap_or(folder)
}

/// The release build.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    must(Command::new(cargo).args(["build", "--release", "--package", "henge-server"]))?;
    Ok(target_folder().join("release").join("henge"))
}

/// Copies a program without its debug information, and that into a file beside it.
fn split(built: &Path, folder: &Path) -> Result<PathBuf> {
    let (program, debug) = (folder.join("henge"), folder.join("henge.debug"));
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    must(objcopy().arg("--version").stdout(Stdio::null())).context("objcopy is of binutils")?;
    must(objcopy().arg("--only-keep-debug").arg(built).arg(&debug))?;
    // The symbols of functions stay: backtraces name them.
    must(objcopy().arg("--strip-debug").arg(built).arg(&program))?;
    // It notes the name without a folder.
    must(objcopy().current_dir(folder).args(["--add-gnu-debuglink=henge.debug", "henge"]))?;
    for file in [built, &program, &debug] {
        let bytes = fs::metadata(file).with_context(|| format!("see {}", file.display()))?.len();
        println!("{:>8.1} MB  {}", bytes as f64 / 1e6, file.display());
    }
    Ok(program)
}

fn objcopy() -> Command {
    Command::new("objcopy")
}

/// What the program writes of itself.
fn describe(program: &Path, share: &Path) -> Result<()> {
    let pages = share.join("man").join("man1");
    must(Command::new(program).args(["man", "--dir"]).arg(&pages))?;
    for (shell, place) in COMPLETIONS {
        let place = share.join(place);
        parent(&place)?;
        let file = fs::File::create(&place).with_context(|| format!("make {}", place.display()))?;
        must(Command::new(program).args(["completions", shell]).stdout(Stdio::from(file)))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    parent(to)?;
    fs::copy(from, to).with_context(|| format!("copy {}", from.display()))?;
    Ok(())
}

fn parent(file: &Path) -> Result<()> {
    let folder = file.parent().context("a file in no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))
}

/// Runs a command that has to do well.
fn must(command: &mut Command) -> Result<()> {
    let said = format!("{command:?}");
    let done = command.status().with_context(|| format!("run {said}"))?;
    ensure!(done.success(), "{said} ended with {done}");
    Ok(())
}
