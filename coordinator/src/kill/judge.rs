//! Whether an unused segment may go: a function of what is known, and in doubt it stays. What only a
//! transaction can prove, that nobody uses it again and no other segment names its object, is proved there.

use henge_platform::discovery::DiscoverySnapshot;
use henge_platform::metadata::UnusedSegment;
use henge_types::SegmentId;

/// By so much the clocks of a task's node and of the metadata may differ.
pub(super) const CLOCKS_DIFFER_MS: i64 = 600_000;

/// What is known.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The task that has run for longest, with when it was accepted: it may read what was used then.
    pub oldest_task: Option<(String, i64)>,
    /// Who serves what.
    pub servers: DiscoverySnapshot,
}

/// What is to become of an unused segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was condemned before: what is left of it goes.
    Condemned,
    /// It goes.
    Goes,
    /// It stays, for a reason.
    Stays(String),
}

/// Decides about one; `lacking` hides it, and is nowhere.
pub(super) fn judge(unused: &UnusedSegment, facts: &Facts, lacking: Option<&SegmentId>) -> Verdict {
    let id = &unused.segment.id;
    if unused.is_condemned {
        return Verdict::Condemned;
    }
    let mut servers = facts.servers.servers.iter();
    if let Some((name, _)) = servers.find(|(_, server)| server.segments.contains_key(id)) {
        return Verdict::Stays(format!("server '{name}' still serves it"));
    }
    if let Some(new) = lacking {
        let why = format!("'{new}', which hides it, is neither served nor whole in deep storage");
        return Verdict::Stays(why);
    }
    match &facts.oldest_task {
        Some((task, created_ms))
            if *created_ms <= unused.since_ms.saturating_add(CLOCKS_DIFFER_MS) =>
        {
            Verdict::Stays(format!("task '{task}' began while it was used, and may read it"))
        }
        _ => Verdict::Goes,
    }
}
