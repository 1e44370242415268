//! `proto`: from the definitions in `proto/` to the Rust and the descriptors that are committed beside
//! them, so that neither a build nor a machine needs protoc. With `--check` nothing is written and what
//! is committed must be what the definitions give.
//!
//! The committed descriptors are also what clients in the field know: the definitions may grow, but
//! nothing of what they knew may change or vanish.

mod breaking;
mod lint;

use std::path::Path;

use anyhow::{Context, bail};
use prost::Message;
use prost_types::FileDescriptorSet;

use crate::sources;

const DEFINITIONS: &str = "proto";
const GENERATED: &str = "proto/src/generated";
const PACKAGES: [&str; 3] = ["henge.v1", "avatica", "flight"];
const DESCRIPTORS: &str = "proto/src/generated/henge.v1.bin";

/// What the definitions give.
struct Built {
    /// With comments.
    set: FileDescriptorSet,
    /// Our own, without comments, as bytes.
    descriptors: Vec<u8>,
    /// Of each of the packages.
    rust: Vec<Vec<u8>>,
}

/// Writes what is generated, or compares it.
///
/// # Errors
/// When the definitions do not compile, break a rule of style, or break with what clients know; with
/// `--check` also when what is committed is not what they give.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let arguments: Vec<String> = arguments.collect();
    let is_check = match &arguments[..] {
        [] => false,
        [argument] if argument == "--check" => true,
        _ => bail!("usage: cargo xtask proto [--check]"),
    };
    let built = build()?;
    let known = std::fs::read(sources::root().join(DESCRIPTORS)).unwrap_or_default();
    let known = FileDescriptorSet::decode(&known[..]).context("reading the descriptors")?;
    let mut faults = lint::faults(&built.set);
    faults.extend(breaking::faults(&known, &built.set));
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    let rust = PACKAGES.map(|package| format!("{GENERATED}/{package}.rs"));
    let rust = rust.iter().map(String::as_str).zip(&built.rust);
    for (path, bytes) in rust.chain([(DESCRIPTORS, &built.descriptors)]) {
        let path = sources::root().join(path);
        if !is_check {
            std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        } else if std::fs::read(&path).ok().as_ref() != Some(bytes) {
            bail!("{} is not what the definitions give: run cargo xtask proto", path.display());
        }
    }
    println!("proto: {} files", built.set.file.len());
    Ok(())
}

fn build() -> anyhow::Result<Built> {
    let root = sources::root().join(DEFINITIONS);
    let files = sources::read_all(DEFINITIONS, &["proto"])?;
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true);
    for file in &files {
        compiler.open_file(Path::new(&file.path).strip_prefix(DEFINITIONS)?)?;
    }
    let set = compiler.file_descriptor_set();
    let mut bare = set.clone();
    // What is not ours is no service of ours, and its definitions are elsewhere.
    bare.file.retain(|file| file.package().starts_with("henge."));
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    Ok(Built { rust: rust_of(&set)?, descriptors: bare.encode_to_vec(), set })
}

fn rust_of(set: &FileDescriptorSet) -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = std::env::temp_dir().join(format!("henge-proto-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let generated = tonic_prost_build::configure()
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .bytes(".")
        .out_dir(&folder)
        .compile_fds(set.clone());
    let read = |package| std::fs::read(folder.join(format!("{package}.rs")));
    let rust = generated.and_then(|()| PACKAGES.into_iter().map(read).collect());
    std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    rust.context("generating Rust")
}

#[cfg(test)]
mod tests {
    use prost_types::FileDescriptorSet;
    use protox::file::{File, FileResolver};

    /// One file of definitions.
    struct Only(String);

    impl FileResolver for Only {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            File::from_source(name, &self.0)
        }
    }

    /// What such definitions give, in the package henge.v1.
    pub(super) fn set_of(definitions: &str) -> FileDescriptorSet {
        let text = format!("syntax = \"proto3\";\npackage henge.v1;\n{definitions}");
        let mut compiler = protox::Compiler::with_file_resolver(Only(text));
        compiler.include_source_info(true).open_file("henge/v1/test.proto").unwrap();
        compiler.file_descriptor_set()
    }

    #[test]
    fn what_is_committed_is_what_the_definitions_give() {
        super::run(["--check".to_owned()].into_iter()).unwrap();
    }
}
