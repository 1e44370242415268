//! How much of a source is published, as the metadata keep it by partition: the position up to which
//! all is, what reading on from there depends on, and what is published beyond it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use henge_ingest::{DiscoveredColumn, DiscoveredType};
use henge_platform::metadata::{
    PartitionAdvance, Position, SourceAdvance, SourceMark, SourceMarks,
};
use henge_types::Interval;
use serde::{Deserialize, Serialize};

use super::ahead::Ahead;
use super::known::KnownColumns;
use super::source::{Order, Partition, Positions};
use crate::error::{RealtimeError, Result};

/// How much of a source is published.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    order: Order,
    partitions: BTreeMap<Partition, PublishedPartition>,
}

#[derive(Debug, Clone, Default)]
struct PublishedPartition {
    /// `None` when nothing ever was.
    position: Option<Position>,
    state: State,
    /// The state as it was read: other versions may write the same in other words.
    stored: Option<String>,
}

/// The stored form: types by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    /// The schema that the columns belong to.
    schema_version: u64,
    /// The columns that events had brought at the position.
    columns: Vec<(String, u8)>,
    #[serde(default, skip_serializing_if = "Ahead::is_empty")]
    ahead: Ahead,
}

impl Published {
    /// As the metadata have it.
    ///
    /// # Errors
    /// When it cannot be read: which rows are published already would not be known.
    pub(crate) fn read(order: Order, marks: &SourceMarks) -> Result<Self> {
        let partition = |(name, mark): (&String, &SourceMark)| {
            PublishedPartition::read(order, mark).map(|read| (name.as_str().into(), read))
        };
        let partitions = marks.iter().map(partition).collect::<Result<_>>()?;
        Ok(Self { order, partitions })
    }

    /// How positions compare.
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// All rows up to these positions are published.
    pub(crate) fn positions(&self) -> Positions {
        let positions = self.partitions.iter();
        let position = |(name, of): (&Partition, &PublishedPartition)| {
            Some((Arc::clone(name), of.position.clone()?))
        };
        positions.filter_map(position).collect()
    }

    /// The last position of a partition of which anything is published.
    pub(crate) fn last(&self, partition: &str) -> Option<&Position> {
        let of = self.partitions.get(partition)?;
        of.state.ahead.last().or(of.position.as_ref())
    }

    /// The times of which the rows of a position are not published; `None` when none of its rows is.
    pub(crate) fn waiting_times(
        &self,
        partition: &str,
        position: &Position,
    ) -> Option<&[Interval]> {
        self.partitions.get(partition)?.state.ahead.waiting_times(position, self.order)
    }

    /// The columns that events had brought to a version of the schema at the latest of the positions;
    /// none when they belong to another one.
    pub(crate) fn columns(&self, schema_version: u64) -> Vec<DiscoveredColumn> {
        let column = |(name, code): &(String, u8)| {
            let discovered_type = DiscoveredType::from_code(*code)?;
            Some(DiscoveredColumn { name: name.clone(), discovered_type })
        };
        let states = self.partitions.values().map(|partition| &partition.state);
        let of_schema = states.filter(|state| state.schema_version == schema_version);
        // Within a version columns only come to those that are there.
        let latest = of_schema.max_by_key(|state| state.columns.len());
        latest.map_or_else(Vec::new, |state| state.columns.iter().filter_map(column).collect())
    }

    /// Of the positions after `start` up to `end` only rows of the `waiting` times are not published
    /// now. Partitions that `start` does not name begin at the `beginning`.
    pub(crate) fn settle(
        &mut self,
        start: &Positions,
        end: &Positions,
        beginning: &Position,
        waiting: &[Interval],
    ) {
        for (name, up_to) in end {
            let after = start.get(name).unwrap_or(beginning);
            if (self.order)(after, up_to) == Ordering::Less {
                let of = self.partitions.entry(Arc::clone(name)).or_default();
                of.position.get_or_insert_with(|| beginning.clone());
                of.state.ahead.settle(after, up_to, waiting, self.order);
                of.stored = None;
            }
        }
    }

    /// All is published up to these positions, where these columns are known.
    pub(crate) fn move_to(&mut self, end: &Positions, schema_version: u64, known: &KnownColumns) {
        let column =
            |column: &DiscoveredColumn| (column.name.clone(), column.discovered_type.code());
        for (name, position) in end {
            let of = self.partitions.entry(Arc::clone(name)).or_default();
            of.position = Some(position.clone());
            of.state.schema_version = schema_version;
            of.state.columns = known.discovered.iter().map(column).collect();
            of.state.ahead.forget_up_to(position, self.order);
            of.stored = None;
        }
    }

    /// A partition ends at a position: what was published of later ones is forgotten.
    pub(crate) fn forget_after(&mut self, partition: &str, end: &Position) {
        if let Some(of) = self.partitions.get_mut(partition) {
            of.state.ahead.forget_after(end, self.order);
            of.stored = None;
        }
    }

    /// What changes in the metadata from this to the next; `None` when nothing does.
    ///
    /// # Errors
    /// When a position would go back.
    pub(crate) fn advance(&self, source_id: &str, next: &Self) -> Result<Option<SourceAdvance>> {
        let mut partitions = BTreeMap::new();
        for (name, of) in &next.partitions {
            let before = self.partitions.get(name);
            if before.is_some_and(|before| before.is(of)) {
                continue;
            }
            let positions =
                before.and_then(|before| before.position.as_ref()).zip(of.position.as_ref());
            if positions
                .is_some_and(|(before, after)| (self.order)(after, before) == Ordering::Less)
            {
                return Err(RealtimeError::Unavailable(format!(
                    "partition '{name}' of source '{source_id}' would go back"
                )));
            }
            let expected = before.map(PublishedPartition::mark).unwrap_or_default();
            partitions.insert(name.to_string(), PartitionAdvance { expected, next: of.mark() });
        }
        let source_id = source_id.to_owned();
        Ok((!partitions.is_empty()).then_some(SourceAdvance { source_id, partitions }))
    }

    /// The first partition that is not where the earlier state has it, with whether it went back.
    pub(crate) fn moved_since(&self, earlier: &Self) -> Option<(Partition, bool)> {
        let names = self.partitions.keys().chain(earlier.partitions.keys());
        let stays =
            |name: &Partition| match (self.partitions.get(name), earlier.partitions.get(name)) {
                (Some(now), Some(before)) => now.is(before),
                (now, before) => now.is_none() && before.is_none(),
            };
        let moved = names.map(Arc::clone).find(|name| !stays(name))?;
        let position = |of: &Self| of.partitions.get(&moved).and_then(|of| of.position.clone());
        let went_back = match (position(earlier), position(self)) {
            (Some(before), Some(now)) => (self.order)(&now, &before) == Ordering::Less,
            (before, now) => before.is_some() && now.is_none(),
        };
        Some((moved, went_back))
    }
}

impl PublishedPartition {
    fn read(order: Order, mark: &SourceMark) -> Result<Self> {
        let unreadable = |reason: String| {
            RealtimeError::Unavailable(format!(
                "what the metadata say of a source cannot be read ({reason}): use the version that \
                 wrote it"
            ))
        };
        let position = mark.position.is_some().then(|| mark.position.clone());
        if mark.state.is_empty() {
            let (state, stored) = (State::default(), Some(String::new()));
            return Ok(Self { position, state, stored });
        }
        let state: State =
            serde_json::from_str(&mark.state).map_err(|error| unreadable(error.to_string()))?;
        if !state.ahead.is_ordered(order) {
            return Err(unreadable("ranges of positions are not in order".into()));
        }
        Ok(Self { position, state, stored: Some(mark.state.clone()) })
    }

    /// True when both say the same.
    fn is(&self, other: &Self) -> bool {
        (&self.position, &self.state) == (&other.position, &other.state)
    }

    /// As it is committed, or is to be.
    fn mark(&self) -> SourceMark {
        let state = match &self.stored {
            Some(stored) => stored.clone(),
            None => serde_json::to_string(&self.state).unwrap_or_default(),
        };
        SourceMark { position: self.position.clone().unwrap_or_default(), state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(a: &Position, b: &Position) -> Ordering {
        a.as_u64().cmp(&b.as_u64())
    }

    fn positions(list: &[(&str, u64)]) -> Positions {
        list.iter().map(|(name, number)| ((*name).into(), (*number).into())).collect()
    }

    fn marks(of: &Published) -> Vec<(String, String, String)> {
        let none = Published::read(numbers, &SourceMarks::default()).unwrap();
        let advance = none.advance("s", of).unwrap().unwrap();
        let text = |(name, advance): (String, PartitionAdvance)| {
            assert_eq!(advance.expected, SourceMark::default());
            (name, advance.next.position.to_string(), advance.next.state)
        };
        advance.partitions.into_iter().map(text).collect()
    }

    fn known() -> KnownColumns {
        let column =
            |name: &str, discovered_type| DiscoveredColumn { name: name.into(), discovered_type };
        let discovered =
            vec![column("a", DiscoveredType::Long), column("b\"", DiscoveredType::String)];
        KnownColumns { discovered, dimensions: Vec::new() }
    }

    #[test]
    fn golden_state_of_a_log() {
        let mut published = Published::read(numbers, &SourceMarks::default()).unwrap();
        published.move_to(&positions(&[("", 9)]), 3, &known());
        let state = r#"{"schemaVersion":3,"columns":[["a",0],["b\"",3]]}"#;
        assert_eq!(marks(&published), [(String::new(), "9".into(), state.into())]);
        let waiting = [Interval { start_ms: -5, end_ms: 7 }];
        let (start, end) = (positions(&[("", 9)]), positions(&[("", 20)]));
        published.settle(&start, &end, &0.into(), &waiting);
        let state =
            r#"{"schemaVersion":3,"columns":[["a",0],["b\"",3]],"ahead":[[9,20,[[-5,7]]]]}"#;
        assert_eq!(marks(&published), [(String::new(), "9".into(), state.into())]);
        let mark = SourceMark { position: 9.into(), state: state.into() };
        let read = Published::read(numbers, &[(String::new(), mark)].into()).unwrap();
        assert_eq!(read.moved_since(&published), None);
        assert_eq!((read.columns(3), read.columns(4)), (known().discovered, Vec::new()));
        assert_eq!(read.last("").and_then(Position::as_u64), Some(20));
        assert_eq!(read.waiting_times("", &10.into()), Some(&waiting[..]));
        let broken = SourceMark { position: 1.into(), state: state[1..].into() };
        assert!(Published::read(numbers, &[(String::new(), broken)].into()).is_err());
    }

    /// States of the first versions are empty, and have to be expected as they are.
    #[test]
    fn what_was_read_is_expected_word_for_word() {
        let mark = SourceMark { position: 7.into(), state: String::new() };
        let read = Published::read(numbers, &[(String::new(), mark.clone())].into()).unwrap();
        let mut next = read.clone();
        assert_eq!(read.advance("s", &next).unwrap(), None);
        next.move_to(&positions(&[("", 8)]), 1, &known());
        let advance = read.advance("s", &next).unwrap().unwrap();
        assert_eq!(advance.partitions[""].expected, mark);
        assert!(next.advance("s", &read).is_err(), "positions never go back");
    }

    #[test]
    fn i_03_partitions_move_by_themselves_and_only_those_that_moved_are_written() {
        let mut published = Published::read(numbers, &SourceMarks::default()).unwrap();
        published.move_to(&positions(&[("a", 5), ("b", 7)]), 1, &known());
        let mut next = published.clone();
        let (start, end) =
            (positions(&[("a", 5), ("b", 7)]), positions(&[("a", 5), ("b", 9), ("c", 3)]));
        next.settle(&start, &end, &0.into(), &[]);
        let advance = published.advance("s", &next).unwrap().unwrap();
        assert_eq!(advance.partitions.keys().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(advance.partitions["c"].next.position, 0.into());
        assert_eq!(next.waiting_times("c", &3.into()), Some(&[][..]));
        assert_eq!(next.moved_since(&published), Some(("b".into(), false)));
        let none = Published::read(numbers, &SourceMarks::default()).unwrap();
        assert_eq!(none.moved_since(&published), Some(("a".into(), true)));
    }
}
