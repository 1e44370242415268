//! `layers`, within packages: the top folders and files of a package's source are rooms on floors, and
//! a room uses only what lies on lower floors. So no two rooms lean on each other.
//!
//! The tables are the design, the paths that start with `crate`, `super` and `self` are what was built.
//! Tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, File, Item, UseTree, Visibility};

use crate::rust::{self, Used};
use crate::sources::{self, Source};

/// The rooms of a package.
struct House {
    /// The folder of its source.
    source: &'static str,
    /// Rooms by floor, the ground floor first.
    floors: &'static [&'static [&'static str]],
    /// Arrows that run up or along a floor for now.
    back: &'static [(&'static str, &'static str)],
}

/// What is defined in `lib.rs` itself.
const ROOT: &str = "lib.rs";

const HOUSES: [House; 5] = [SCAN, AGGREGATE, EXEC, SEGMENT, REALTIME_NODE];

const SCAN: House = House {
    source: "engine/scan/src",
    floors: &[
        &["error", "selection", "id_table", "wide_table"],
        &["cancel", "id_test", "key_space", "packed_keys"],
        &["node"],
        &["column"],
        &["filter"],
        &["batch", "selected_rows", "dimension"],
    ],
    back: &[],
};

const AGGREGATE: House = House {
    source: "engine/aggregate/src",
    floors: &[
        &["table", "group_marks", "number", "distinct_keys"],
        &["kernels"],
        &["accumulator", "fold", "scatter", "carry", "merged"],
        &["numeric", "function"],
        &["sketch"],
        &["functions"],
        &["aggregator"],
        &["set"],
    ],
    back: &[],
};

const EXEC: House = House {
    source: "engine/exec/src",
    floors: &[
        &["extent", "bucket_starts", "data_ranges", "scan_bound", "value_order"],
        &["memory", "partial_rows"],
        &["partial"],
        &["encoded", "top_cut", "first_cut", "group_sink"],
        &["context"],
        &["grouper", "derived_keys"],
        &["rows"],
        &["merge"],
        &["projection"],
        &["run"],
        &["build_projection", "finalise"],
        &["spill"],
        &["gather"],
    ],
    back: &[],
};

const SEGMENT: House = House {
    source: "engine/segment/src",
    floors: &[
        &["error", "simd"],
        &["block", "format", "text_search"],
        &["packed", "options"],
        &["encoding", "view"],
        &["number", "dictionary", "bitmap", "metric"],
        &["writer"],
        &["reader"],
        &["merge", "rewrite", "transcode", "inspect", "verify"],
    ],
    back: &[],
};

const REALTIME_NODE: House = House {
    source: "realtime-node/src",
    floors: &[
        &["error", "merging", "odd_times", "priority", "index_memory"],
        &["options", "commit"],
        &["sink"],
        &["serving", "uptime"],
        &["shared"],
        &["placing", "publication", "release", "letters"],
        &["ingest"],
        &["push"],
        &["task"],
        &["node"],
        &["query", "api"],
    ],
    back: &[],
};

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
    for house in &HOUSES {
        let modules = read(house.source)?;
        let rooms: BTreeSet<&str> = modules.iter().filter_map(room_of).collect();
        let arrows = arrows(&modules, &rooms);
        count += arrows.len();
        faults.extend(house.faults(&rooms, &arrows));
    }
    Ok((faults, count))
}

impl House {
    fn faults(&self, rooms: &BTreeSet<&str>, arrows: &Arrows) -> Vec<String> {
        let source = self.source;
        let mut faults = Vec::new();
        for room in rooms.iter().filter(|room| self.floor(room).is_none()) {
            faults.push(format!("{source}: give '{room}' a floor in xtask/src/rooms.rs"));
        }
        for room in self.floors.iter().copied().flatten().filter(|room| !rooms.contains(*room)) {
            faults.push(format!("{source}: '{room}' is gone, strike it from xtask/src/rooms.rs"));
        }
        let is_back = |from: &str, to: &str| self.floor(to) >= self.floor(from);
        for ((from, to), place) in arrows {
            let is_known = self.back.contains(&(from, to));
            if is_back(from, to) && !is_known {
                faults.push(format!(
                    "{source}: '{from}' may not use '{to}', which is no floor below: {place}"
                ));
            }
        }
        for (from, to) in self.back {
            if !arrows.keys().any(|(f, t)| f == from && t == to && is_back(from, to)) {
                faults.push(format!(
                    "{source}: '{from}' no longer uses '{to}', strike it from xtask/src/rooms.rs"
                ));
            }
        }
        faults
    }

    /// The floor of a room; whatever is defined in `lib.rs` is above all.
    fn floor(&self, room: &str) -> Option<usize> {
        match room {
            ROOT => Some(self.floors.len()),
            room => self.floors.iter().position(|floor| floor.contains(&room)),
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

fn arrows(modules: &[Module], rooms: &BTreeSet<&str>) -> Arrows {
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
    use std::collections::BTreeSet;

    use super::{Arrows, House, ROOT, module_path};

    const HOUSE: House = House {
        source: "it/src",
        floors: &[&["ground"], &["left", "right"], &["top"]],
        back: &[("ground", "top")],
    };

    fn faults(arrows: &[(&str, &str)]) -> Vec<String> {
        let rooms: BTreeSet<&str> = HOUSE.floors.iter().copied().flatten().copied().collect();
        let arrow = |(from, to): &(&str, &str)| (((*from).into(), (*to).into()), "there".into());
        HOUSE.faults(&rooms, &arrows.iter().map(arrow).collect::<Arrows>())
    }

    #[test]
    fn arrows_run_down() {
        let known = ("ground", "top");
        assert_eq!(
            faults(&[known, ("top", "left"), ("left", "ground"), ("top", "ground")]),
            [""; 0]
        );
        for wrong in [("left", "right"), ("ground", "left"), ("left", "top"), ("top", ROOT)] {
            assert_eq!(faults(&[known, wrong]).len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn tables_hold_what_is_there_and_nothing_else() {
        assert!(faults(&[])[0].contains("no longer uses"));
        let rooms: BTreeSet<&str> = ["ground", "left", "right", "attic"].into();
        let faults = HOUSE.faults(&rooms, &Arrows::new());
        assert_eq!(faults.len(), 3);
        assert!(faults[0].contains("give 'attic' a floor"));
        assert!(faults[1].contains("'top' is gone"));
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
