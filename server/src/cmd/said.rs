//! Who changes something, and why: options of commands, and what the history gets.

use clap::Args;

/// Who and why, for the history.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Said {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Who, for the history.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "")]
    author: String,
}

impl Said {
    /// As Druid's clients say it.
    pub(crate) fn headers(&self) -> [(&'static str, String); 2] {
        [
            ("X-Druid-Author", in_a_header(&self.author)),
            ("X-Druid-Comment", in_a_header(&self.comment)),
        ]
    }
}

/// Headers are one line.
fn in_a_header(text: &str) -> String {
    text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
