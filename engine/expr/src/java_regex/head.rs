//! Patterns whose groups are decided by the beginning of the text: neighbours in a sorted dictionary
//! (addresses of one host) most often share it, and need not be searched again.

use memchr::{memchr, memchr3};
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache as States, DFA};
use regex_automata::{Anchored, Input};

use super::translate;

/// `.*$` at the end of a pattern takes all of a text that has no line terminator.
const REST: &str = ".*$";

/// An anchored pattern without alternatives at its top, as far as it looks at single bytes.
#[derive(Debug)]
pub(crate) struct Head {
    dfa: DFA,
    takes_rest: bool,
}

/// What one thread remembers of a head.
#[derive(Debug)]
pub(crate) struct Cache {
    states: States,
    last_ending: Option<Ending>,
}

/// How far the automaton looked beyond what decides when it ended behind two states; most texts end
/// behind the same two.
#[derive(Debug, Clone, Copy)]
struct Ending {
    /// How often states had been forgotten: they are numbered anew then.
    generation: usize,
    before: LazyStateID,
    last: LazyStateID,
    looked_ahead_bytes: usize,
}

/// The beginning of a text, and whether a match begins with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decided {
    /// Every text that begins with these bytes, and has no line terminator in what follows, has the
    /// same groups.
    pub(crate) bytes: usize,
    /// True when the pattern is found.
    pub(crate) matched: bool,
}

impl Head {
    /// The head of a pattern; `None` for one whose match may depend on all of the text.
    pub(crate) fn of(pattern: &str, limit_bytes: usize) -> Option<Self> {
        let inside = pattern.strip_prefix('^')?;
        let plain_groups = inside.replace("(?:", "(").replace("(?<", "(");
        let may_differ = inside.starts_with(['*', '+', '?', '{'])
            || ["|", "(?", "\\Q", "(=", "(!"].iter().any(|found| plain_groups.contains(found));
        if may_differ {
            return None;
        }
        let cut = pattern.strip_suffix(REST).filter(|head| !head.ends_with('\\'));
        let translation = translate::translate(cut.unwrap_or(pattern)).ok()?;
        let config = DFA::config().cache_capacity(limit_bytes);
        let dfa = DFA::builder().configure(config).build(&translation.pattern).ok()?;
        Some(Self { dfa, takes_rest: cut.is_some() })
    }

    /// True when a match covers all of the text.
    pub(crate) fn takes_rest(&self) -> bool {
        self.takes_rest
    }

    pub(crate) fn new_cache(&self) -> Cache {
        Cache { states: self.dfa.create_cache(), last_ending: None }
    }

    /// What decides where the groups of a text are; `None` when more than its beginning does.
    pub(crate) fn decided(&self, cache: &mut Cache, text: &str) -> Option<Decided> {
        let input = Input::new(text).anchored(Anchored::Yes);
        // The states before the last two bytes, and the one behind them.
        let start = self.dfa.start_state_forward(&mut cache.states, &input).ok()?;
        let (mut before, mut last, mut state);
        (last, state) = (start, start);
        let mut matched = false;
        for (at, byte) in text.bytes().enumerate() {
            (before, last) = (last, state);
            state = self.step(&mut cache.states, state, byte)?;
            if !state.is_tagged() {
                continue;
            }
            // A match is known one byte behind its end.
            matched |= state.is_match();
            if state.is_dead() {
                let looked_ahead_bytes = self.looked_ahead_bytes(cache, before, last)?;
                let decided = Decided { bytes: at + 1 - looked_ahead_bytes, matched };
                // The rest begins somewhere in the bytes that were looked at.
                let line = if self.takes_rest { 0 } else { decided.bytes };
                let bytes = text.as_bytes();
                let is_line = bytes.len() > decided.bytes && is_one_line(&bytes[line..]);
                return is_line.then_some(decided);
            }
            if state.is_quit() {
                return None;
            }
        }
        None
    }

    /// Bytes before the end of the automaton that decide nothing.
    fn looked_ahead_bytes(
        &self,
        cache: &mut Cache,
        before: LazyStateID,
        last: LazyStateID,
    ) -> Option<usize> {
        let Cache { states, last_ending } = cache;
        let generation = states.clear_count();
        if let Some(known) = last_ending
            && (known.generation, known.before, known.last) == (generation, before, last)
        {
            return Some(known.looked_ahead_bytes);
        }
        let looked_ahead_bytes = match last.is_match() && self.ends_at(states, last)? {
            true => 1 + usize::from(self.ends_behind(states, before)?),
            false => 0,
        };
        *last_ending = Some(Ending { generation, before, last, looked_ahead_bytes });
        Some(looked_ahead_bytes)
    }

    /// The state that a byte leads to; `None` when the states so far were forgotten to make room.
    #[inline]
    fn step(&self, states: &mut States, state: LazyStateID, byte: u8) -> Option<LazyStateID> {
        let forgotten = states.clear_count();
        let next = self.dfa.next_state(states, state, byte).ok()?;
        (states.clear_count() == forgotten).then_some(next)
    }

    /// True when no byte leads on from a state.
    fn ends_at(&self, states: &mut States, state: LazyStateID) -> Option<bool> {
        for unit in self.dfa.byte_classes().representatives(0..=255) {
            let next = self.step(states, state, unit.as_u8()?)?;
            if !next.is_dead() {
                return Some(false);
            }
        }
        Some(true)
    }

    /// True when every byte leads from a state to the end of a match.
    fn ends_behind(&self, states: &mut States, state: LazyStateID) -> Option<bool> {
        let mut known = None;
        for unit in self.dfa.byte_classes().representatives(0..=255) {
            let next = self.step(states, state, unit.as_u8()?)?;
            if known == Some(next) {
                continue;
            }
            if !next.is_match() || !self.ends_at(states, next)? {
                return Some(false);
            }
            known = Some(next);
        }
        Some(true)
    }
}

/// True when something is left, and no line terminator in it: all of them begin with one of these bytes.
pub(crate) fn is_one_line(rest: &[u8]) -> bool {
    !rest.is_empty() && memchr3(b'\n', b'\r', 0xC2, rest).or_else(|| memchr(0xE2, rest)).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(pattern: &str, text: &str) -> Option<(usize, bool)> {
        let head = Head::of(pattern, 1 << 20)?;
        let decided = head.decided(&mut head.new_cache(), text)?;
        Some((decided.bytes, decided.matched))
    }

    #[test]
    fn no_more_is_looked_at_than_decides() {
        let host = "^https?://(?:www[.])?([^/]+)/.*$";
        assert_eq!(decided(host, "https://www.a.example/b?c"), Some((22, true)));
        assert_eq!(decided(host, "ftp://a.example/b"), Some((1, false)));
        assert_eq!(decided("^(ab*c|d)", "abbbd"), None);
        assert_eq!(decided("^a(b*c)?", "abbbdxy"), Some((5, true)));
        assert_eq!(decided("^a+", "aaab rest"), Some((4, true)));
        assert_eq!(decided("^a+", "aaaa"), None);
    }

    #[test]
    fn line_terminators_and_what_may_look_further_are_left_alone() {
        let host = "^http://([^/]+)/.*$";
        for text in
            ["http://a/b\nc", "http://a/b\r", "http://a/\u{85}", "http://a/", "http://a/\u{2028}x"]
        {
            assert_eq!(decided(host, text), None, "{text:?}");
        }
        for pattern in ["a.*$", "^a|b", "^(?s)a.*$", "^a\\.*$x", "^*a", "^\\Qa.*$"] {
            assert!(Head::of(pattern, 1 << 20).is_none(), "{pattern}");
        }
        // An escaped point takes no rest.
        assert!(!Head::of("^a\\.*$", 1 << 20).unwrap().takes_rest());
    }
}
