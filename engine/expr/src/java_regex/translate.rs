//! A pattern of Java's, rewritten for the engine.

use super::class::{bracketed, char_text, class, skip_blanks};
use super::escape::{Escape, escape};
use super::flags::{Flags, line_terminators};
use super::{Groups, PatternError};

pub(super) type Result<T> = std::result::Result<T, PatternError>;

/// Groups and classes inside of each other. Reading them recurses.
pub(super) const MAX_DEPTH: usize = 100;

/// What becomes of a pattern.
#[derive(Debug)]
pub(super) struct Translation {
    /// For all texts, or for those that do not end in `\r\n`.
    pub(super) pattern: String,
    /// For texts that end in `\r\n`, when that matters.
    pub(super) before_crlf: Option<String>,
    pub(super) groups: Groups,
}

/// A place in a pattern.
#[derive(Debug)]
pub(super) struct Cursor {
    chars: Vec<char>,
    /// The next character.
    pub(super) at: usize,
}

impl Cursor {
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn peek_second(&self) -> Option<char> {
        self.chars.get(self.at + 1).copied()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Takes a text if it comes next.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        let end = self.at + text.chars().count();
        let is_next =
            self.chars.get(self.at..end).is_some_and(|next| next.iter().copied().eq(text.chars()));
        if is_next {
            self.at = end;
        }
        is_next
    }

    pub(super) fn error(&self, at: usize, message: &str) -> PatternError {
        PatternError::Syntax { position: at + 1, message: message.to_owned() }
    }
}

/// Stands for the final line terminator in the translation until it is known which texts it is for.
const TERMINATOR: &str = "\u{0}terminator\u{0}";
const TERMINATOR_GROUP: &str = "(?:(\u{0}terminator\u{0})?\\z)";

/// Line terminators that the engine does not know: what it calls a line ends in `\n` and `\r`.
const RARE_TERMINATORS: &str = r"[\x{85}\x{2028}\x{2029}]";

/// What a part of a pattern asks of what stands beside it.
#[derive(Debug, Default, Clone, Copy)]
struct Edge {
    /// Where a `$` is that may be the last thing it matches.
    dollar: Option<usize>,
    /// Where a look-ahead is, whose text is no part of the match: it must be the last thing.
    look_ahead: Option<usize>,
    /// Where a `^` by line is behind which it may match nothing.
    caret: Option<usize>,
    /// It may match no character.
    may_be_empty: bool,
    /// It never matches a character.
    is_anchor: bool,
}

impl Edge {
    const ANCHOR: Self =
        Self { dollar: None, look_ahead: None, caret: None, may_be_empty: true, is_anchor: true };

    /// The edge of either.
    fn or(self, other: Self) -> Self {
        Self {
            dollar: self.dollar.or(other.dollar),
            look_ahead: self.look_ahead.or(other.look_ahead),
            caret: self.caret.or(other.caret),
            may_be_empty: self.may_be_empty || other.may_be_empty,
            is_anchor: self.is_anchor && other.is_anchor,
        }
    }
}

struct Translator {
    cursor: Cursor,
    out: String,
    groups: Groups,
    /// Groups of the translation so far, the whole match included.
    group_count: usize,
    has_terminator: bool,
}

/// Rewrites a pattern.
pub(super) fn translate(pattern: &str) -> Result<Translation> {
    let cursor = Cursor { chars: pattern.chars().collect(), at: 0 };
    let groups = Groups { of_pattern: vec![0], ..Groups::default() };
    let mut translator =
        Translator { cursor, out: String::new(), groups, group_count: 1, has_terminator: false };
    let edge = translator.alternatives(&mut Flags::default(), 0, false)?;
    let cursor = &translator.cursor;
    if cursor.peek().is_some() {
        return Err(cursor.error(cursor.at, "a ) without its ("));
    }
    if let Some(caret) = edge.caret {
        let message = "'^' by line, under (?m), needs something behind it that matches a character";
        return Err(cursor.error(caret, message));
    }
    let Translator { out, groups, has_terminator, .. } = translator;
    let single = bracketed(line_terminators(Flags::default()), false);
    let before_crlf = has_terminator.then(|| out.replace(TERMINATOR, r"\r\n"));
    Ok(Translation { pattern: out.replace(TERMINATOR, &single), before_crlf, groups })
}

impl Translator {
    /// Alternatives up to `)` or the end. Flags set inside count from there to the end of the group.
    /// `preceded` says that something may have been matched before.
    fn alternatives(&mut self, flags: &mut Flags, depth: usize, preceded: bool) -> Result<Edge> {
        let mut edge = self.sequence(flags, depth, preceded)?;
        while self.cursor.peek() == Some('|') {
            self.cursor.take();
            self.out.push('|');
            edge = edge.or(self.sequence(flags, depth, preceded)?);
        }
        Ok(edge)
    }

    /// What stands one behind the other.
    fn sequence(&mut self, flags: &mut Flags, depth: usize, mut preceded: bool) -> Result<Edge> {
        let mut edge = Edge { may_be_empty: true, ..Edge::default() };
        loop {
            skip_blanks(&mut self.cursor, *flags);
            let at = self.cursor.at;
            let Some(next) = self.cursor.peek().filter(|c| !matches!(c, '|' | ')')) else {
                return Ok(edge);
            };
            self.cursor.take();
            let start = self.out.len();
            let mut element = self.element(next, at, flags, depth, preceded)?;
            if self.out.len() == start {
                // Flags, or an empty quote.
                continue;
            }
            if let Some(dollar) = edge.dollar.filter(|_| element.dollar != Some(at)) {
                return Err(self.cursor.error(
                    dollar,
                    "'$' (or \\Z) with more of the pattern behind it is not supported; \
                     use \\z for the very end, or move it to the end",
                ));
            }
            let end = self.out.len();
            element.may_be_empty |= self.quantifier(*flags)?;
            let repeated = element.look_ahead.filter(|_| self.out.len() > end);
            if let Some(at) = edge.look_ahead.or(repeated) {
                let message = "look-ahead with more of the pattern behind it is not supported";
                return Err(self.cursor.error(at, message));
            }
            edge.look_ahead = element.look_ahead;
            preceded |= !element.is_anchor;
            edge.dollar = element.dollar;
            edge.caret = element.caret.or(edge.caret.filter(|_| element.may_be_empty));
            edge.may_be_empty &= element.may_be_empty;
        }
    }

    /// One element whose first character was taken.
    fn element(
        &mut self,
        first: char,
        at: usize,
        flags: &mut Flags,
        depth: usize,
        preceded: bool,
    ) -> Result<Edge> {
        match first {
            '(' => return self.group(at, flags, depth, preceded),
            '[' => {
                let class = class(&mut self.cursor, *flags, depth + 1)?;
                match flags.ignores_case && flags.unicode_case {
                    true => self.out.push_str(&format!("(?i:{class})")),
                    false => self.out.push_str(&class),
                }
            }
            '.' if flags.dot_all => self.out.push_str("(?s:.)"),
            '.' => self.out.push_str(&bracketed(line_terminators(*flags), true)),
            '^' if flags.by_line => return self.start_of_line(at, *flags, preceded),
            '^' => {
                self.out.push_str(r"\A");
                return Ok(Edge::ANCHOR);
            }
            '$' => return Ok(self.end_of_text(at, *flags, flags.by_line)),
            '*' | '+' | '?' => {
                let message = format!("'{first}' with nothing before it to repeat");
                return Err(self.cursor.error(at, &message));
            }
            '{' => return Err(self.cursor.error(at, "'{' with nothing before it; write \\{")),
            '\\' => return self.escaped(at, *flags),
            other => self.literal(other, *flags),
        }
        Ok(Edge::default())
    }

    /// The end of the text, or before a final (by line: any) line terminator. Where the engine does
    /// not know that terminator, a group of its own holds it.
    fn end_of_text(&mut self, at: usize, flags: Flags, by_line: bool) -> Edge {
        match (by_line, flags.unix_lines) {
            (true, true) => {
                self.out.push_str("(?m:$)");
                return Edge::ANCHOR;
            }
            (true, false) => self.out.push_str(&format!("(?:(?Rm:$)|({RARE_TERMINATORS}))")),
            (false, true) => self.out.push_str(r"(?:(\n)?\z)"),
            (false, false) => {
                self.out.push_str(TERMINATOR_GROUP);
                self.has_terminator = true;
            }
        }
        self.groups.terminators.push(self.group_count);
        self.group_count += 1;
        Edge { dollar: Some(at), ..Edge::ANCHOR }
    }

    /// The beginning of the text or behind any line terminator. Java has no line where the text
    /// ends, so something must follow.
    fn start_of_line(&mut self, at: usize, flags: Flags, preceded: bool) -> Result<Edge> {
        if flags.unix_lines {
            self.out.push_str("(?m:^)");
        } else if preceded {
            let message = "'^' by line, under (?m), with more of the pattern before it is not \
                           supported; match \\R instead";
            return Err(self.cursor.error(at, message));
        } else {
            self.out.push_str(&format!("(?:(?Rm:^)|({RARE_TERMINATORS}))"));
            self.groups.starts.push(self.group_count);
            self.group_count += 1;
        }
        Ok(Edge { caret: Some(at), ..Edge::ANCHOR })
    }

    fn literal(&mut self, c: char, flags: Flags) {
        let text = char_text(c);
        match (flags.ignores_case, flags.unicode_case) {
            // Java sees the dotless and the dotted one as cases of i too.
            (true, true) if "iI\u{131}\u{130}".contains(c) => {
                self.out.push_str("[iI\\x{131}\\x{130}]");
            }
            (true, true) => self.out.push_str(&format!("(?i:{text})")),
            (true, false) if c.is_ascii_alphabetic() => {
                let (lower, upper) = (c.to_ascii_lowercase(), c.to_ascii_uppercase());
                self.out.extend(['[', lower, upper, ']']);
            }
            _ => self.out.push_str(&text),
        }
    }

    fn escaped(&mut self, at: usize, flags: Flags) -> Result<Edge> {
        match escape(&mut self.cursor, flags)? {
            Escape::Char(c) => self.literal(c, flags),
            Escape::Class(inside, negated) => self.out.push_str(&bracketed(&inside, negated)),
            Escape::Quote => self.quote(flags)?,
            Escape::Other('R') => {
                self.out.push_str(r"(?:\r\n|[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}])");
            }
            Escape::Other(letter) => return self.anchor(letter, at, flags),
        }
        Ok(Edge::default())
    }

    /// An escape that matches a place.
    fn anchor(&mut self, letter: char, at: usize, flags: Flags) -> Result<Edge> {
        match letter {
            'A' => self.out.push_str(r"\A"),
            'z' => self.out.push_str(r"\z"),
            'Z' => return Ok(self.end_of_text(at, flags, false)),
            _ if self.cursor.peek() == Some('{') => {
                return Err(self.cursor.error(at, "\\b{…} is not supported"));
            }
            bound if flags.unicode_classes => self.out.extend(['\\', bound]),
            'b' => self.out.push_str(r"(?-u:\b)"),
            _ => self.out.push_str(r"(?-u:\B)"),
        }
        Ok(Edge::ANCHOR)
    }

    /// `\Q…\E`. A quantifier behind it belongs to its last character.
    fn quote(&mut self, flags: Flags) -> Result<()> {
        while !self.cursor.takes("\\E") {
            match self.cursor.take() {
                Some(c) => self.literal(c, flags),
                None => break,
            }
        }
        Ok(())
    }

    /// A group behind its `(`, or flags for the rest of the one around it.
    fn group(
        &mut self,
        at: usize,
        flags: &mut Flags,
        depth: usize,
        preceded: bool,
    ) -> Result<Edge> {
        if depth >= MAX_DEPTH {
            return Err(self.cursor.error(at, "nested too deep"));
        }
        let mut inner = *flags;
        if !self.cursor.takes("?") {
            self.capture(None);
        } else if self.cursor.takes("<=") || self.cursor.takes("<!") {
            return Err(self.cursor.error(at, "look-behind is not supported"));
        } else if self.cursor.takes("=") {
            return self.look_ahead(at, inner, depth);
        } else if self.cursor.takes("!") {
            return Err(self.cursor.error(at, "negative look-ahead is not supported"));
        } else if self.cursor.takes(">") {
            return Err(self.cursor.error(at, "atomic groups (?>…) are not supported"));
        } else if self.cursor.takes("<") {
            let name = self.group_name(at)?;
            self.capture(Some(name));
        } else {
            self.read_flags(at, &mut inner)?;
            if self.cursor.take() == Some(')') {
                *flags = inner;
                return Ok(Edge::default());
            }
            self.out.push_str("(?:");
        }
        let edge = self.alternatives(&mut inner, depth + 1, preceded)?;
        if !self.cursor.takes(")") {
            return Err(self.cursor.error(at, "a ( without its )"));
        }
        self.out.push(')');
        Ok(Edge { is_anchor: false, ..edge })
    }

    /// `(?=…)` at the end of a pattern, behind its `(?=`: a group whose text is cut off the match.
    fn look_ahead(&mut self, at: usize, mut flags: Flags, depth: usize) -> Result<Edge> {
        self.groups.terminators.push(self.group_count);
        self.group_count += 1;
        self.out.push('(');
        let captured = self.groups.of_pattern.len();
        self.alternatives(&mut flags, depth + 1, true)?;
        if !self.cursor.takes(")") {
            return Err(self.cursor.error(at, "a ( without its )"));
        }
        if self.groups.of_pattern.len() > captured {
            let message = "look-ahead with a group in it is not supported; write (?:…) for it";
            return Err(self.cursor.error(at, message));
        }
        self.out.push(')');
        Ok(Edge { look_ahead: Some(at), ..Edge::ANCHOR })
    }

    fn capture(&mut self, name: Option<String>) {
        if let Some(name) = name {
            self.groups.names.push((name, self.groups.of_pattern.len()));
        }
        self.groups.of_pattern.push(self.group_count);
        self.group_count += 1;
        self.out.push('(');
    }

    fn group_name(&mut self, at: usize) -> Result<String> {
        let mut name = String::new();
        loop {
            match self.cursor.take() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c.is_ascii_alphabetic() => name.push(c),
                Some(c) if c.is_ascii_digit() && !name.is_empty() => name.push(c),
                _ => {
                    let message = "a group's name has letters and digits only: (?<name>…)";
                    return Err(self.cursor.error(at, message));
                }
            }
        }
        if self.groups.names.iter().any(|(known, _)| *known == name) {
            return Err(self.cursor.error(at, &format!("there is another group '{name}'")));
        }
        Ok(name)
    }

    /// `idmsuxU-idmsuxU` up to `:` or `)`, which stays.
    fn read_flags(&mut self, at: usize, flags: &mut Flags) -> Result<()> {
        let mut on = true;
        loop {
            match self.cursor.peek() {
                Some(':' | ')') => return Ok(()),
                Some('-') if on => on = false,
                Some(letter) if flags.set(letter, on).is_some() => {}
                _ => {
                    let message = "unknown group (?…: flags are i, d, m, s, u, x and U";
                    return Err(self.cursor.error(at, message));
                }
            }
            self.cursor.take();
        }
    }

    /// A quantifier, if there is one. Answers whether it allows nothing at all.
    fn quantifier(&mut self, flags: Flags) -> Result<bool> {
        skip_blanks(&mut self.cursor, flags);
        let at = self.cursor.at;
        let allows_nothing = match self.cursor.peek() {
            Some(sign @ ('*' | '+' | '?')) => {
                self.cursor.take();
                self.out.push(sign);
                sign != '+'
            }
            Some('{') => {
                self.cursor.take();
                let counts = self.counts(at)?;
                self.out.push_str(&counts);
                counts[1..].trim_start_matches('0').starts_with([',', '}'])
            }
            _ => return Ok(false),
        };
        if self.cursor.takes("?") {
            self.out.push('?');
        } else if self.cursor.peek() == Some('+') {
            let message = "possessive quantifiers (*+, ++, ?+, {…}+) are not supported";
            return Err(self.cursor.error(at, message));
        }
        if matches!(self.cursor.peek(), Some('*' | '+' | '?' | '{')) {
            return Err(self.cursor.error(self.cursor.at, "a quantifier behind a quantifier"));
        }
        Ok(allows_nothing)
    }

    fn counts(&mut self, at: usize) -> Result<String> {
        let mut text = String::from("{");
        loop {
            match self.cursor.take() {
                Some('}') if text.len() > 1 => break,
                Some(',') if text.len() > 1 && !text.contains(',') => text.push(','),
                Some(digit) if digit.is_ascii_digit() => text.push(digit),
                _ => {
                    let message = "a count is {n}, {n,} or {n,m}; write \\{ for a brace";
                    return Err(self.cursor.error(at, message));
                }
            }
        }
        text.push('}');
        Ok(text)
    }
}
