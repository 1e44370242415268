//! Whether the first line of a CSV or TSV file names its columns.

use super::kinds::Kind;

/// What the command line says of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderChoice {
    /// Look for it.
    Look,
    /// There is one.
    Given,
    /// There is none.
    None,
}

/// Longest name of a column that a header is believed to hold, in bytes.
const LONGEST_NAME: usize = 100;

/// True when the first line names columns: its values are texts, and a column of numbers or times
/// follows (then names may be missing or come twice, as in many tables), or, where all is text, they
/// are different texts and none comes again in its column.
pub(super) fn is_header(first: &[Option<String>], later: &[Vec<Option<String>>]) -> bool {
    let name = |value: &Option<String>| value.as_deref().map_or("", str::trim).to_owned();
    let names: Vec<String> = first.iter().map(name).collect();
    let is_name = |name: &String| name.len() <= LONGEST_NAME && Kind::of(name) == Kind::Text;
    if !names.iter().all(is_name) || names.iter().all(String::is_empty) {
        return false;
    }
    let column = |at: usize| later.iter().filter_map(move |row| row.get(at)?.as_deref());
    let differs = |at: usize| {
        let mut kinds = column(at).map(Kind::of).peekable();
        kinds.peek().is_some() && kinds.all(|kind| kind != Kind::Text)
    };
    if names.iter().enumerate().any(|(at, name)| !name.is_empty() && differs(at)) {
        return true;
    }
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let comes_again = |(at, name): (usize, &String)| column(at).any(|value| value == name);
    distinct.len() == names.len() && !names.iter().enumerate().any(comes_again)
}

#[cfg(test)]
mod tests {
    use super::is_header;

    fn looks(first: &str, later: &[&str]) -> bool {
        let row = |line: &str| -> Vec<Option<String>> {
            let values = line.split(',').map(str::to_owned);
            values.map(|value| Some(value).filter(|value| !value.is_empty())).collect()
        };
        let later: Vec<_> = later.iter().map(|line| row(line)).collect();
        is_header(&row(first), &later)
    }

    #[test]
    fn names_over_values_are_a_header_and_values_over_values_are_none() {
        assert!(looks("time,page,n", &["2026-01-01,/home,5", "2026-01-02,/,7"]));
        assert!(looks("when,n", &["1767225600,5"]));
        assert!(looks("a,b", &["x,y", "z,w"]));
        assert!(looks("a,b", &[]));
        assert!(!looks("2026-01-01,/home,5", &["2026-01-02,/,7"]));
        assert!(!looks("1767225600,x", &["1767225601,y"]));
        assert!(!looks("x,y", &["x,z", "w,y"]));
        assert!(looks(",time,n", &["0,2026-01-01,x", "1,2026-01-02,y"]));
        assert!(looks("a,a", &["1,2"]));
        assert!(!looks("a,a", &["x,y"]));
        assert!(!looks(",", &["1,2"]));
        assert!(!looks("2026-01-01,x", &[]));
    }
}
