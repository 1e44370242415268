//! What shows that a long statement is at work.

use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::super::output::grouped;

/// A statement that is answered sooner shows nothing.
const SHOWN_AFTER: Duration = Duration::from_millis(700);
const TICK: Duration = Duration::from_millis(100);

/// A line on the terminal with the time and the rows that came; none where nobody looks.
#[derive(Debug)]
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Begins.
    pub(super) fn begin() -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let line = |state: &ProgressState, out: &mut dyn Write| {
            if state.elapsed() >= SHOWN_AFTER {
                let seconds = state.elapsed().as_secs_f64();
                // A terminal that is gone has nothing to be shown.
                let _ =
                    write!(out, "{seconds:.1} s, {} rows; Ctrl-C stops it", grouped(state.pos()));
            }
        };
        let Ok(style) = ProgressStyle::with_template("{line}") else { return Self(None) };
        let bar = ProgressBar::new_spinner().with_style(style.with_key("line", line));
        bar.enable_steady_tick(TICK);
        Self(Some(bar))
    }

    /// A row came.
    pub(super) fn row(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
