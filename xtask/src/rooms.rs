//! `layers`, within packages: the top folders and files of a package's source are rooms on floors, and
//! a room uses only what lies on lower floors. So no two rooms lean on each other.
//!
//! The floors stand in `lib.rs`, where modules are declared floor by floor with a blank line between;
//! the paths that start with `crate`, `super` and `self` are what was built. Tests may use what they
//! like.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, File, Item, UseTree, Visibility};

use crate::rust::{self, Used};
use crate::sources::{self, Source};

/// The packages that are houses of rooms, by the folders of their sources.
const HOUSES: [&str; 6] = [
    "engine/scan/src",
    "engine/aggregate/src",
    "engine/exec/src",
    "engine/inline/src",
    "engine/segment/src",
    "realtime-node/src",
];

/// What is defined in `lib.rs` itself.
const ROOT: &str = "lib.rs";

/// The rooms of a package.
struct House {
    /// The folder of its source.
    source: &'static str,
    /// Rooms by floor, the ground floor first.
    floors: Vec<Vec<String>>,
}

/// A file of a package.
struct Module {
    file: Source,
    path: Vec<String>,
    syntax: File,
}

/// An arrow from a room to another, with the first place that draws it.
type Arrows = BTreeMap<(String, String), String>;

/// What is wrong with the arrows between rooms, and how many there are.
pub(crate) fn check() -> anyhow::Result<(Vec<String>, usize)> {
    let (mut faults, mut count) = (Vec::new(), 0);
    for source in HOUSES {
        let modules = read(source)?;
        let root = modules.iter().find(|module| module.path.is_empty());
        let house = House { source, floors: root.map(floors).unwrap_or_default() };
        let arrows = arrows(&modules);
        count += arrows.len();
        faults.extend(house.faults(&arrows));
    }
    Ok((faults, count))
}

/// The modules that `lib.rs` declares, without those of tests: a blank line begins the next floor.
fn floors(root: &Module) -> Vec<Vec<String>> {
    let lines: Vec<&str> = root.file.text.lines().collect();
    let mut floors: Vec<Vec<String>> = Vec::new();
    let mut last_line = 0;
    for item in &root.syntax.items {
        let Item::Mod(room) = item else { continue };
        if room.attrs.iter().any(rust::is_for_tests) {
            continue;
        }
        let line = room.ident.span().start().line;
        let is_apart = lines[last_line..line].iter().any(|line| line.trim().is_empty());
        match floors.last_mut().filter(|_| !is_apart) {
            Some(floor) => floor.push(room.ident.to_string()),
            None => floors.push(vec![room.ident.to_string()]),
        }
        last_line = line;
    }
    floors
}

impl House {
    fn faults(&self, arrows: &Arrows) -> Vec<String> {
        let up = arrows.iter().filter(|((from, to), _)| self.floor(to) >= self.floor(from));
        let source = self.source;
        let fault = |((from, to), place): (&(String, String), &String)| {
            format!("{source}: '{from}' may not use '{to}', which is no floor below: {place}")
        };
        up.map(fault).collect()
    }

    /// The floor of a room; whatever is defined in `lib.rs` is above all.
    fn floor(&self, room: &str) -> Option<usize> {
        match room {
            ROOT => Some(self.floors.len()),
            room => self.floors.iter().position(|floor| floor.iter().any(|known| known == room)),
        }
    }
}

/// The files below a folder that are no tests.
fn read(source: &str) -> anyhow::Result<Vec<Module>> {
    let mut modules = Vec::new();
    for Source { path: file, text } in sources::read_all(source, &["rs"])? {
        let path = module_path(file.strip_prefix(source).unwrap_or(&file));
        let syntax = rust::parse(&file, &text)?;
        modules.push(Module { file: Source { path: file, text }, path, syntax });
    }
    let tests: Vec<Vec<String>> = modules.iter().flat_map(test_modules).collect();
    modules.retain(|module| !tests.iter().any(|test| module.path.starts_with(test)));
    Ok(modules)
}

/// The files below a folder that are no tests.
pub(crate) fn files_of(source: &str) -> anyhow::Result<Vec<Source>> {
    Ok(read(source)?.into_iter().map(|module| module.file).collect())
}

fn module_path(file: &str) -> Vec<String> {
    let stem = file.trim_start_matches('/').trim_end_matches(".rs");
    let mut path: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|name| name == "mod" || name == "lib") {
        path.pop();
    }
    path
}

fn test_modules(module: &Module) -> Vec<Vec<String>> {
    let is_test = |attributes: &[Attribute]| attributes.iter().any(rust::is_for_tests);
    let declared = module.syntax.items.iter().filter_map(|item| match item {
        Item::Mod(item) if item.content.is_none() && is_test(&item.attrs) => Some(&item.ident),
        _ => None,
    });
    declared.map(|name| module.path.iter().cloned().chain([name.to_string()]).collect()).collect()
}

fn room_of(module: &Module) -> Option<&str> {
    module.path.first().map(String::as_str)
}

fn arrows(modules: &[Module]) -> Arrows {
    let rooms: BTreeSet<&str> = modules.iter().filter_map(room_of).collect();
    let handed_on: BTreeMap<String, Vec<String>> =
        modules.iter().filter(|module| module.path.is_empty()).flat_map(handed_on).collect();
    let mut arrows = Arrows::new();
    for module in modules {
        let Some(from) = room_of(module) else { continue };
        for Used { path, line } in rust::uses(&module.syntax, &module.path) {
            let Some(first) = path.first() else { continue };
            let to = match handed_on.get(first).and_then(|path| path.first()) {
                _ if rooms.contains(first.as_str()) => first,
                Some(room) => room,
                None => ROOT,
            };
            if to != from {
                let place = || format!("{}:{line} names {}", module.file.path, path.join("::"));
                arrows.entry((from.to_owned(), to.to_owned())).or_insert_with(place);
            }
        }
    }
    arrows
}

/// The names that `lib.rs` hands on from its modules, with where they come from.
fn handed_on(root: &Module) -> Vec<(String, Vec<String>)> {
    fn collect(tree: &UseTree, before: &[String], names: &mut Vec<(String, Vec<String>)>) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => collect(&path.tree, &with(&path.ident), names),
            UseTree::Name(name) => names.push((name.ident.to_string(), with(&name.ident))),
            UseTree::Rename(name) => names.push((name.rename.to_string(), with(&name.ident))),
            UseTree::Glob(_) => {}
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| collect(tree, before, names));
            }
        }
    }
    let mut names = Vec::new();
    for item in &root.syntax.items {
        match item {
            Item::Use(item) if !matches!(item.vis, Visibility::Inherited) => {
                collect(&item.tree, &[], &mut names);
            }
            _ => {}
        }
    }
    for (_, path) in &mut names {
        path.retain(|name| name != "crate" && name != "self");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{Arrows, House, Module, ROOT, floors, module_path};
    use crate::rust;
    use crate::sources::Source;

    const LIB: &str = "\
//! Docs.

mod ground;

mod left;
/// Docs of a room belong to it.
pub mod right;

mod top;

pub use top::Thing;

#[cfg(test)]
mod tests;
";

    fn house() -> House {
        let syntax = rust::parse("lib.rs", LIB).unwrap();
        let file = Source { path: "it/src/lib.rs".into(), text: LIB.into() };
        let root = Module { file, path: Vec::new(), syntax };
        House { source: "it/src", floors: floors(&root) }
    }

    fn faults(arrows: &[(&str, &str)]) -> Vec<String> {
        let arrow = |(from, to): &(&str, &str)| (((*from).into(), (*to).into()), "there".into());
        house().faults(&arrows.iter().map(arrow).collect::<Arrows>())
    }

    #[test]
    fn a_blank_line_between_modules_begins_a_floor() {
        assert_eq!(house().floors, [vec!["ground"], vec!["left", "right"], vec!["top"]]);
    }

    #[test]
    fn arrows_run_down() {
        assert_eq!(faults(&[("top", "left"), ("left", "ground"), ("top", "ground")]), [""; 0]);
        for wrong in [("left", "right"), ("ground", "left"), ("left", "top"), ("top", ROOT)] {
            assert_eq!(faults(&[wrong]).len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn files_are_modules() {
        for (file, path) in
            [("/lib.rs", ""), ("/a.rs", "a"), ("/a/mod.rs", "a"), ("/a/b.rs", "a::b")]
        {
            assert_eq!(module_path(file).join("::"), path);
        }
    }
}
