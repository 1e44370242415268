//! Reading Rust files with a parser: their functions, and the paths by which modules use each other.

use std::collections::BTreeSet;

use anyhow::Context;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, File, Item, Meta, Path, Token, UseTree};

/// Parses a file; `name` is for the error.
pub(crate) fn parse(name: &str, text: &str) -> anyhow::Result<File> {
    syn::parse_file(text).with_context(|| format!("parsing {name}"))
}

/// A function of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The number of its first line, from 1; attributes and docs come before.
    pub(crate) line: usize,
    /// How many lines it has from there.
    pub(crate) lines: usize,
    /// True when a test attribute precedes it.
    pub(crate) is_test: bool,
}

/// All functions that have a body, nested ones too, in order.
pub(crate) fn functions(file: &File) -> Vec<Function> {
    let mut found = Functions(Vec::new());
    found.visit_file(file);
    found.0.sort_by_key(|function| function.line);
    found.0
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, attributes: &[Attribute], body: &Block) {
        let line = signature.span().start().line;
        self.0.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: body.span().end().line + 1 - line,
            is_test: attributes.iter().any(is_test_attribute),
        });
    }
}

impl Functions {
    /// Functions in the tokens of a macro, such as those of `proptest!`, which have arguments of their
    /// own kind.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut is_test = false;
        let mut open: Option<(String, usize)> = None;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match (&token, tokens.peek()) {
                (TokenTree::Punct(hash), Some(TokenTree::Group(attribute)))
                    if hash.as_char() == '#' =>
                {
                    let path = attribute
                        .stream()
                        .into_iter()
                        .take_while(|token| !matches!(token, TokenTree::Group(_)));
                    is_test |= path.last().is_some_and(|name| name.to_string() == "test");
                }
                (TokenTree::Ident(word), Some(TokenTree::Ident(name))) if word == "fn" => {
                    open = Some((name.to_string(), word.span().start().line));
                }
                (TokenTree::Group(body), _) if body.delimiter() == Delimiter::Brace => {
                    if let Some((name, line)) = open.take() {
                        let lines = body.span_close().end().line + 1 - line;
                        self.0.push(Function { name, line, lines, is_test });
                    }
                    is_test = false;
                    self.add_tokens(body.stream());
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.attrs, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.attrs, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add(&item.sig, &item.attrs, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

fn is_test_attribute(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
}

/// A path that names something of the same crate, from its root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Used {
    /// The names of the path, without `crate`.
    pub(crate) path: Vec<String>,
    /// The number of its line.
    pub(crate) line: usize,
}

/// The paths into its own crate that a file of the module `module` uses outside of tests, by `crate`,
/// `super` and `self`.
pub(crate) fn uses(file: &File, module: &[String]) -> BTreeSet<Used> {
    let mut found = Uses { module: module.to_vec(), found: BTreeSet::new() };
    found.visit_file(file);
    found.found
}

struct Uses {
    module: Vec<String>,
    found: BTreeSet<Used>,
}

impl Uses {
    /// Adds a path if it is one into this crate.
    fn add(&mut self, path: &[String], span: Span) {
        let mut from = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self") => self.module.clone(),
            Some("super") => self.module.split_last().map_or(vec![], |(_, above)| above.to_vec()),
            _ => return,
        };
        let rest = &path[1..];
        let ups = rest.iter().take_while(|name| *name == "super").count();
        from.truncate(from.len().saturating_sub(ups));
        from.extend(rest[ups..].iter().filter(|name| *name != "self").cloned());
        self.found.insert(Used { path: from, line: span.start().line });
    }

    fn add_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Name(name) => self.add(&with(name.ident.to_string()), name.ident.span()),
            UseTree::Rename(name) => self.add(&with(name.ident.to_string()), name.ident.span()),
            UseTree::Glob(glob) => self.add(before, glob.span()),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(tree, before));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // The value `self`, and the scope of `pub(crate)`, name nothing.
        if names.len() > 1 {
            self.add(&names, path.span());
        }
        visit::visit_path(self, path);
    }

    /// Arguments of macros are read where they are a list of expressions, as those of the standard
    /// library are.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let list = Punctuated::<syn::Expr, Token![,]>::parse_terminated;
        if let Ok(arguments) = call.parse_body_with(list) {
            arguments.iter().for_each(|argument| self.visit_expr(argument));
        }
        visit::visit_macro(self, call);
    }
}

/// `#[cfg(test)]`, alone or among other conditions.
pub(crate) fn is_for_tests(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.tokens.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Function, functions, parse, uses};

    const FILE: &str = "\
//! Docs.
use crate::{one::A, two::{self, B as C}};

pub(crate) const fn first() -> u8 { 1 }

impl Thing {
    /// Does.
    pub async fn second(
        &self,
    ) -> super::other::Kind {
        assert!(crate::three::is(self), \"{}\", super::super::four::D);
    }
}

#[cfg(test)]
mod tests {
    use crate::never::E;

    proptest! {
        #[test]
        fn h_04_any(a in any::<u8>()) {
            assert!(a > 0);
        }
    }

    #[test]
    #[should_panic]
    // A comment between.
    fn h_03_third() {
        fn helper() {}
    }

    #[tokio::test(flavor = \"current_thread\")]
    async fn fourth() {
    }
}
";

    #[test]
    fn functions_have_names_lengths_and_test_marks() {
        let function = |name: &str, line, lines, is_test| Function {
            name: name.to_owned(),
            line,
            lines,
            is_test,
        };
        assert_eq!(
            functions(&parse("a file", FILE).unwrap()),
            [
                function("first", 4, 1, false),
                function("second", 8, 5, false),
                function("h_04_any", 21, 3, true),
                function("h_03_third", 29, 3, true),
                function("helper", 30, 1, false),
                function("fourth", 34, 2, true),
            ]
        );
    }

    #[test]
    fn paths_of_the_crate_are_found_wherever_they_stand() {
        let module = ["a".to_owned(), "b".to_owned()];
        let used = uses(&parse("a file", FILE).unwrap(), &module);
        let mut paths: Vec<String> = used.iter().map(|used| used.path.join("::")).collect();
        paths.sort();
        assert_eq!(paths, ["a::other::Kind", "four::D", "one::A", "three::is", "two", "two::B"]);
    }
}
