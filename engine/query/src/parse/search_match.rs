//! What a search looks for: in search queries, in filters, in extraction functions.

use super::bounded_list;
use super::extraction::quoted;
use super::ordering::regex;
use crate::error::Result;
use crate::node::Node;
use crate::query::SearchMatch;

/// `{"type":"contains"}` and its kin.
pub(super) fn search_match(node: &Node<'_>) -> Result<SearchMatch> {
    const SUPPORTED: &[&str] = &["contains", "insensitive_contains", "fragment", "regex", "all"];
    // Druid's documents spell case_sensitive, its code reads caseSensitive.
    let case_sensitive = || -> Result<bool> {
        let documented = node.boolean_or("case_sensitive", false)?;
        node.boolean_or("caseSensitive", documented)
    };
    let value = || node.require("value", "give the text to look for")?.scalar_text();
    match node.type_name(SUPPORTED)? {
        "all" => Ok(SearchMatch::All),
        "contains" => {
            Ok(SearchMatch::Contains { value: value()?, case_sensitive: case_sensitive()? })
        }
        "insensitive_contains" => {
            Ok(SearchMatch::Contains { value: value()?, case_sensitive: false })
        }
        "fragment" => {
            node.require("values", "give a list of texts to look for")?;
            Ok(SearchMatch::Fragment {
                values: bounded_list(node, "values", |node| node.scalar_text())?,
                case_sensitive: case_sensitive()?,
            })
        }
        "regex" => {
            let pattern = node.require("pattern", "give a regular expression")?;
            regex(&pattern).map(SearchMatch::Regex)
        }
        other => Err(node.bad_type("search query", other, SUPPORTED, &[])),
    }
}

impl SearchMatch {
    /// The test of a value that a text of an expression stands for, as an expression. Null is found by
    /// no search that looks for something.
    pub(super) fn test_of(&self, value: &str) -> String {
        let contains = |part: &str, case_sensitive: bool| {
            let function = if case_sensitive { "contains_string" } else { "icontains_string" };
            format!("{function}({value}, {})", quoted(part, '\''))
        };
        match self {
            Self::All => format!("notnull({value})"),
            Self::Contains { value: part, case_sensitive } => contains(part, *case_sensitive),
            Self::Fragment { values, .. } if values.is_empty() => format!("notnull({value})"),
            Self::Fragment { values, case_sensitive } => {
                let tests: Vec<_> =
                    values.iter().map(|part| contains(part, *case_sensitive)).collect();
                tests.join(" && ")
            }
            Self::Regex(regex) => {
                format!("regexp_like({value}, {})", quoted(regex.as_str(), '\''))
            }
        }
    }
}
