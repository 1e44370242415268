//! Java's inline flags.

/// What flags are on at a place of a pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `i`: letters of ASCII (with `u`: all) match in either case.
    pub(super) ignores_case: bool,
    /// `m`: `^` and `$` at lines.
    pub(super) by_line: bool,
    /// `s`: `.` matches line terminators.
    pub(super) dot_all: bool,
    /// `d`: only `\n` ends lines.
    pub(super) unix_lines: bool,
    /// `u`: `i` beyond ASCII.
    pub(super) unicode_case: bool,
    /// `x`: blanks and comments are left out.
    pub(super) comments: bool,
    /// `U`: classes beyond ASCII, and `u`.
    pub(super) unicode_classes: bool,
}

impl Flags {
    /// Turns a flag on or off; `None` when there is none of that letter.
    pub(super) fn set(&mut self, letter: char, on: bool) -> Option<()> {
        match letter {
            'i' => self.ignores_case = on,
            'm' => self.by_line = on,
            's' => self.dot_all = on,
            'd' => self.unix_lines = on,
            'u' => self.unicode_case = on,
            'x' => self.comments = on,
            'U' => {
                self.unicode_classes = on;
                self.unicode_case = on;
            }
            _ => return None,
        }
        Some(())
    }
}

/// What ends a line, as the inside of a class.
pub(super) fn line_terminators(flags: Flags) -> &'static str {
    if flags.unix_lines { r"\n" } else { r"\n\r\x{85}\x{2028}\x{2029}" }
}
