//! The functions of the language, for those who write expressions.

use crate::functions::{Arrays, Function, Returns, TABLES};
use crate::types::ExprType;

/// What a function is given and what comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// What it is about.
    pub subject: &'static str,
    /// Its name in lower case.
    pub name: &'static str,
    /// Fewest arguments.
    pub fewest: usize,
    /// Most arguments; `usize::MAX` is as many as one likes.
    pub most: usize,
    /// The type of its result, in words.
    pub result: String,
}

/// Takes functions of each element of arrays: `map((x) -> x + 1, array)`.
const OVER_ARRAYS: [(&str, usize, usize, &str); 7] = [
    ("map", 2, 2, "an array"),
    ("cartesian_map", 2, usize::MAX, "an array"),
    ("filter", 2, 2, "the array, shortened"),
    ("fold", 3, 3, "what the function gives"),
    ("cartesian_fold", 3, usize::MAX, "what the function gives"),
    ("any", 2, 2, "LONG"),
    ("all", 2, 2, "LONG"),
];

/// All functions, by subject.
#[must_use]
pub fn signatures() -> Vec<Signature> {
    let plain = TABLES.into_iter().flat_map(|(subject, table)| {
        table.iter().map(move |function| Signature {
            subject,
            name: function.name,
            fewest: function.min,
            most: function.max,
            result: result(function),
        })
    });
    let over_arrays = OVER_ARRAYS.into_iter().map(|(name, fewest, most, result)| Signature {
        subject: "Functions of elements",
        name,
        fewest,
        most,
        result: result.to_owned(),
    });
    plain.chain(over_arrays).collect()
}

fn result(function: &Function) -> String {
    let of_elements = function.arrays != Arrays::No;
    match function.returns {
        Returns::Type(returned) => type_name(returned).to_owned(),
        Returns::Number => "LONG, or DOUBLE when an argument is no LONG".to_owned(),
        Returns::Widest => "the widest type of the arguments".to_owned(),
        Returns::First if of_elements => "the array, changed".to_owned(),
        Returns::First => "the first argument's type".to_owned(),
        Returns::FirstAsArray => "an array of the first argument's type".to_owned(),
        Returns::FirstElement => "an element of the first argument".to_owned(),
        Returns::Named(position) => format!("what argument {} names", position + 1),
    }
}

/// As expressions write it.
fn type_name(named: ExprType) -> &'static str {
    match named {
        ExprType::Long => "LONG",
        ExprType::Double => "DOUBLE",
        ExprType::String => "STRING",
        ExprType::LongArray => "ARRAY<LONG>",
        ExprType::DoubleArray => "ARRAY<DOUBLE>",
        ExprType::StringArray => "ARRAY<STRING>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::apply::Apply;

    #[test]
    fn names_are_there_once_and_are_known() {
        let all = signatures();
        let mut names: Vec<&str> = all.iter().map(|signature| signature.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!((names.len(), count > 100), (count, true));
        for (name, _, _, _) in OVER_ARRAYS {
            assert!(Apply::find(name).is_some(), "{name}");
        }
    }
}
