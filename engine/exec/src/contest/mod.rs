//! Which groups can be in the answer of a ranking, when nodes sent some of theirs and bounds of the rest.
//!
//! A group's value lies between what was sent of it and that with the bounds of the nodes that did not send
//! it. If so many groups surely have some value as the answer wants, no group that cannot reach it is in the
//! answer; when the bounds of all nodes together do not reach it, no group that nobody sent is. What can and
//! was not sent by all is asked for by its keys.

mod measure;
mod open;
mod tally;

pub use open::OpenGroups;

use henge_scan::Result;
use henge_types::narrow::narrow;
use henge_vector::Column;

use self::measure::Measure;
use self::tally::Tally;
use crate::context::ExecContext;
use crate::merge::numbers_of;
use crate::partial::GroupedPartial;
use crate::ranking::{LeftOut, Number, Ranking};

/// More groups than this are not asked for by their keys, nor keys of more bytes.
const MOST_OPEN: usize = 1 << 16;
const MOST_OPEN_BYTES: usize = 16 << 20;

/// What came of one node.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The groups, each once.
    pub groups: GroupedPartial,
    /// What bounds the groups that were left out; `None` when none was.
    pub left_out: Option<LeftOut>,
}

/// What is known of the answer.
#[derive(Debug)]
pub enum Outcome {
    /// These groups hold all that can be in the answer, with those that are open.
    Settled {
        /// One contribution an entry. What is of open groups is of entries that left nothing out.
        groups: Vec<GroupedPartial>,
        /// Groups of which the entries that left some out have not said all; `None` when there are none.
        open: Option<OpenGroups>,
    },
    /// Groups that nobody sent can be in the answer.
    Unproven {
        /// The value that the answer's last has at least, where that is known.
        from: Option<Number>,
    },
}

/// Finds the groups that can be in the answer.
///
/// # Errors
/// Cancellation, and keys of different types.
pub fn settle(ranking: &Ranking, entries: Vec<Entry>, ctx: &ExecContext) -> Result<Outcome> {
    let all_are = |is_wanted: fn(&Column) -> bool| {
        entries
            .iter()
            .filter(|entry| entry.groups.group_count() > 0)
            .all(|entry| entry.groups.states.get(ranking.aggregator).is_some_and(is_wanted))
    };
    if all_are(|column| matches!(column, Column::Long(_))) {
        return settle_by::<i128>(ranking, entries, ctx);
    }
    if all_are(|column| matches!(column, Column::Double(_))) {
        return settle_by::<f64>(ranking, entries, ctx);
    }
    Ok(Outcome::Unproven { from: None })
}

fn settle_by<T: Measure>(
    ranking: &Ranking,
    entries: Vec<Entry>,
    ctx: &ExecContext,
) -> Result<Outcome> {
    let (groups, left_out): (Vec<GroupedPartial>, Vec<Option<LeftOut>>) =
        entries.into_iter().map(|entry| (entry.groups, entry.left_out)).unzip();
    let (numbers, limit) = numbers_of(&groups, ctx)?;
    let Some(mut tally) = Tally::<T>::of(ranking, &left_out, limit) else {
        return Ok(Outcome::Unproven { from: None });
    };
    for ((groups, numbers), left_out) in groups.iter().zip(&numbers).zip(&left_out) {
        ctx.cancel.check()?;
        let Some(states) = groups.states.get(ranking.aggregator) else { continue };
        tally.add(T::values(states, ranking.is_smallest_first), numbers, left_out.as_ref());
    }
    let Some(bar) = tally.bar() else { return Ok(Outcome::Unproven { from: None }) };
    if tally.may_be_unseen(bar) {
        return Ok(Outcome::Unproven { from: bar.number() });
    }
    let standing = tally.standing(bar);
    let open = open_groups(&groups, &numbers, &standing);
    let open_bytes: usize = open.iter().map(GroupedPartial::memory_bytes).sum();
    let open_count: usize = open.iter().map(GroupedPartial::group_count).sum();
    if open_count > MOST_OPEN || open_bytes > MOST_OPEN_BYTES {
        return Ok(Outcome::Unproven { from: None });
    }
    let kept = groups.iter().zip(&numbers).zip(&left_out).map(|((groups, numbers), left_out)| {
        let is_kept = |standing: Standing| match standing {
            Standing::Out => false,
            Standing::Open => left_out.is_none(),
            Standing::Known => true,
        };
        picked(groups, numbers, |number| is_kept(standing[number as usize]))
    });
    let groups = kept.collect();
    let open = (open_count > 0).then(|| OpenGroups::of(open));
    Ok(Outcome::Settled { groups, open })
}

/// How a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is not in the answer.
    Out,
    /// It may be, and some entry has not said what it has of it.
    Open,
    /// It may be, and all is known of it.
    Known,
}

/// The keys of the open groups, each once.
fn open_groups(
    groups: &[GroupedPartial],
    numbers: &[Vec<u32>],
    standing: &[Standing],
) -> Vec<GroupedPartial> {
    let mut is_taken = vec![false; standing.len()];
    let of_entry = |(groups, numbers): (&GroupedPartial, &Vec<u32>)| {
        let keys = GroupedPartial { states: Vec::new(), ..groups.clone() };
        picked(&keys, numbers, |number| {
            let number = number as usize;
            standing[number] == Standing::Open && !std::mem::replace(&mut is_taken[number], true)
        })
    };
    let all = groups.iter().zip(numbers).map(of_entry);
    all.filter(|keys| keys.group_count() > 0).collect()
}

/// The groups whose numbers are wanted.
fn picked(
    groups: &GroupedPartial,
    numbers: &[u32],
    mut is_wanted: impl FnMut(u32) -> bool,
) -> GroupedPartial {
    let all = (0..narrow(numbers.len())).zip(numbers);
    let wanted: Vec<u32> = all.filter(|(_, n)| is_wanted(**n)).map(|(group, _)| group).collect();
    groups.pick(&wanted)
}

#[cfg(test)]
mod tests;
