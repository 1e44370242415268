//! Where events start, and where to go on after a broken one.
//!
//! A body is objects one after the other (in lines or not), lists of objects, or both. After a broken
//! event reading goes on behind its closing bracket or, when that comes first (or never), at the next
//! line that begins with a bracket: so a truncated line costs itself and nothing else. Every byte is
//! looked at a bounded number of times, whatever the body.

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// An object starts here.
    Event(usize),
    /// Something that is no event; reading goes on behind it.
    Broken { start: usize, problem: Problem },
    /// Nothing.
    End,
}

/// What stands where an event should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// JSON of another kind.
    NotAnObject(&'static str),
    /// No JSON, or JSON where it does not belong.
    Syntax(&'static str),
}

/// Walks over the events of a body.
#[derive(Debug)]
pub(crate) struct Frames<'b> {
    bytes: &'b [u8],
    at: usize,
    list: ListState,
    /// The next line that begins with a bracket, when it was looked for already.
    next_line: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListState {
    /// Outside of a list.
    None,
    /// Behind `[`.
    Start,
    /// Behind an element.
    Element,
    /// Behind a broken element: what separates it is gone with it, perhaps.
    Recovered,
}

impl<'b> Frames<'b> {
    pub(crate) fn new(text: &'b str, at: usize) -> Self {
        Self { bytes: text.as_bytes(), at, list: ListState::None, next_line: None }
    }

    /// Where an event starts, by its index.
    pub(crate) fn start_of(mut self, index: u64) -> Option<usize> {
        for _ in 0..index {
            match self.next() {
                Frame::Event(start) => self.recover(start),
                Frame::Broken { .. } => {}
                Frame::End => return None,
            }
            if self.list == ListState::Recovered {
                self.list = ListState::Element;
            }
        }
        match self.next() {
            Frame::Event(start) | Frame::Broken { start, .. } => Some(start),
            Frame::End => None,
        }
    }

    /// Where reading goes on.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn next(&mut self) -> Frame {
        loop {
            self.skip_blanks();
            let Some(&byte) = self.bytes.get(self.at) else { return self.end() };
            if self.list == ListState::None {
                match byte {
                    b'{' => return Frame::Event(self.at),
                    b'[' => {
                        self.at += 1;
                        self.list = ListState::Start;
                    }
                    other => return self.broken(problem(other, "expected '{' or '['")),
                }
                continue;
            }
            match (self.list, byte) {
                (_, b']') => {
                    self.at += 1;
                    self.list = ListState::None;
                }
                (ListState::Element | ListState::Recovered, b',') => {
                    let comma = self.at;
                    self.at += 1;
                    self.skip_blanks();
                    if self.bytes.get(self.at) == Some(&b']') {
                        let problem = Problem::Syntax("a comma before the end of the list");
                        return Frame::Broken { start: comma, problem };
                    }
                    self.list = ListState::Start;
                }
                (ListState::Element, _) => {
                    return self.broken(Problem::Syntax("expected ',' or ']' after an event"));
                }
                (_, b'{') => return Frame::Event(self.at),
                (_, b'[') => return self.broken(Problem::NotAnObject("a list")),
                (_, other) => return self.broken(problem(other, "expected '{'")),
            }
        }
    }

    /// The event was read up to (not including) `end`.
    pub(crate) fn accept(&mut self, end: usize) {
        self.at = end;
        if self.list != ListState::None {
            self.list = ListState::Element;
        }
    }

    /// The event at `start` is broken: finds where to go on.
    pub(crate) fn recover(&mut self, start: usize) {
        let line = self.next_line_start(start + 1);
        let range_end = line.unwrap_or(self.bytes.len());
        let end = match self.bytes.get(start) {
            Some(b'{' | b'[') => balanced_end(&self.bytes[..range_end], start),
            _ => self.junk_end(start, range_end),
        };
        self.at = end.unwrap_or(range_end).max(start + 1);
        if self.list != ListState::None {
            self.list = ListState::Recovered;
        }
    }

    fn broken(&mut self, problem: Problem) -> Frame {
        let start = self.at;
        self.recover(start);
        Frame::Broken { start, problem }
    }

    fn end(&mut self) -> Frame {
        if self.list == ListState::None {
            return Frame::End;
        }
        self.list = ListState::None;
        let problem = Problem::Syntax("the list is not closed: expected ']'");
        Frame::Broken { start: self.at, problem }
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// Junk ends with its line; in a list also before what may end an element.
    fn junk_end(&self, start: usize, range_end: usize) -> Option<usize> {
        let in_list = self.list != ListState::None;
        let range = &self.bytes[start..range_end];
        let mut in_string = false;
        let mut escaped = false;
        for (offset, byte) in range.iter().enumerate() {
            match byte {
                b'\n' => return Some(start + offset),
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = !in_string,
                b',' | b']' if in_list && !in_string && offset > 0 => return Some(start + offset),
                _ => {}
            }
        }
        None
    }

    /// The first line at or after `from` that begins with a bracket.
    fn next_line_start(&mut self, from: usize) -> Option<usize> {
        if let Some(known) = self.next_line
            && known >= from
        {
            return Some(known).filter(|known| *known < self.bytes.len());
        }
        let rest = self.bytes.get(from..).unwrap_or_default();
        let starts = |pair: &[u8]| pair[0] == b'\n' && matches!(pair[1], b'{' | b'[');
        let found = rest.windows(2).position(starts).map(|offset| from + offset + 1);
        self.next_line = Some(found.unwrap_or(self.bytes.len()));
        found
    }
}

fn problem(byte: u8, otherwise: &'static str) -> Problem {
    match byte {
        b'"' => Problem::NotAnObject("a string"),
        b'-' | b'0'..=b'9' => Problem::NotAnObject("a number"),
        b't' | b'f' | b'n' => Problem::NotAnObject("a word"),
        _ => Problem::Syntax(otherwise),
    }
}

/// The end of the bracket that opens at `start`; `None` when brackets or strings do not close.
fn balanced_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut kinds = 0_u128;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                kinds = kinds << 1 | u128::from(*byte == b'{');
            }
            b'}' | b']' => {
                // Beyond 128 levels the kinds are forgotten; such events are refused anyway.
                let matches = (kinds & 1 == 1) == (*byte == b'}');
                if !matches && depth <= 128 {
                    return None;
                }
                depth -= 1;
                kinds >>= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'"' => at = string_end(bytes, at)?,
            _ => {}
        }
    }
    None
}

/// The end of a string whose content starts at `at`; `None` when a line break or the end comes first.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'\n' => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where events are found when those that contain `BAD` are broken.
    fn walk(text: &str) -> Vec<String> {
        let mut frames = Frames::new(text, 0);
        let mut seen = Vec::new();
        loop {
            match frames.next() {
                Frame::End => return seen,
                Frame::Broken { start, .. } => seen.push(format!("broken at {start}")),
                Frame::Event(start) => {
                    let end = balanced_end(text.as_bytes(), start);
                    match end.filter(|end| !text[start..*end].contains("BAD")) {
                        Some(end) => {
                            seen.push(text[start..end].to_owned());
                            frames.accept(end);
                        }
                        None => {
                            frames.recover(start);
                            seen.push(format!("bad {start}..{}", frames.position()));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_truncated_line_costs_only_itself() {
        let seen = walk("{\"a\":1}\n{\"a\":BAD\n{\"a\":3}\n{\"a\":\"BAD\n{\"a\":5}");
        assert_eq!(seen, ["{\"a\":1}", "bad 8..17", "{\"a\":3}", "bad 25..35", "{\"a\":5}"]);
    }

    #[test]
    fn a_broken_element_costs_only_itself() {
        let seen = walk(r#"[{"a":1},{"a":BAD},{"a":"]"}, 7, {"a":4}] {"a":5}"#);
        let expected =
            [r#"{"a":1}"#, "bad 9..18", r#"{"a":"]"}"#, "broken at 30", r#"{"a":4}"#, r#"{"a":5}"#];
        assert_eq!(seen, expected);
    }

    #[test]
    fn h_10_separators_are_strict() {
        assert_eq!(walk("[{},]"), ["{}", "broken at 3"]);
        assert_eq!(walk("[{} {}]"), ["{}", "broken at 4"]);
        assert_eq!(walk("[{}"), ["{}", "broken at 3"]);
        assert_eq!(walk("{},{}\n{}"), ["{}", "broken at 2", "{}"]);
        assert_eq!(walk("// no\n{}"), ["broken at 0", "{}"]);
        assert_eq!(walk("[{}]]\n{}"), ["{}", "broken at 4", "{}"]);
    }

    #[test]
    fn h_03_broken_bodies_are_passed_in_linear_time() {
        let broken = |text: &str| {
            let mut frames = Frames::new(text, 0);
            let mut count = 0;
            loop {
                match frames.next() {
                    Frame::End => return count,
                    Frame::Event(start) => frames.recover(start),
                    Frame::Broken { .. } => {}
                }
                count += 1;
            }
        };
        assert_eq!(broken(&"[".repeat(100_000)), 2);
        assert_eq!(broken(&"{\"a\":".repeat(100_000)), 1);
        assert_eq!(broken(&"{\"a\":[\n".repeat(100_000)), 100_000);
        assert_eq!(broken(&"{\"a\":BAD}".repeat(100_000)), 100_000);
        assert_eq!(broken(&format!("[{}", "{\"a\":BAD},".repeat(100_000))), 100_001);
    }
}
