//! Roll-up against a naive model: a map from time and dimensions to metrics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use henge_index::{AddOutcome, DimensionSchema, IndexSchema, WriteIndex};
use henge_segment::SegmentView;
use henge_sketch::{HllSketch, Sketch};
use henge_types::{HllType, Value, ValueRef};
use proptest::prelude::*;
use support::{NO_LIMITS, highest, people, rows, segment_id};

/// An event in the terms of the test.
#[derive(Debug, Clone)]
struct Event {
    time_ms: i64,
    text: Option<u8>,
    tags: Vec<Option<u8>>,
    code: Option<i64>,
    ratio: Option<u8>,
    late: Option<u8>,
    amount: Option<i64>,
    level: Option<u8>,
}

fn event() -> impl Strategy<Value = Event> {
    let small = || prop::option::of(0..3_u8);
    let tags = prop::collection::vec(small(), 0..4);
    let code = prop::option::of(-1..2_i64);
    let amount = prop::option::of(-5..5_i64);
    (0..3_000_i64, small(), tags, code, small(), small(), amount, small()).prop_map(
        |(time_ms, text, tags, code, ratio, late, amount, level)| Event {
            time_ms,
            text,
            tags,
            code,
            ratio,
            late,
            amount,
            level,
        },
    )
}

fn word(value: u8) -> String {
    // Descending text for ascending numbers, so that ids and text sort differently.
    format!("w{}", 9 - value)
}

fn schema(rollup: bool) -> IndexSchema {
    support::schema(rollup, vec![highest(), people()])
}

fn add(index: &mut WriteIndex, event: &Event) -> AddOutcome {
    let words: Vec<String> = (0..3).map(word).collect();
    let text = |value: Option<u8>| value.map(|value| words[usize::from(value)].as_str());
    let single = |value: Option<u8>| text(value).map_or(ValueRef::Null, ValueRef::String);
    let long = |value: Option<i64>| value.map_or(ValueRef::Null, ValueRef::Long);
    let double = |value: Option<u8>| {
        value.map_or(ValueRef::Null, |value| ValueRef::Double(f64::from(value) - 1.0))
    };
    let tags: Vec<Option<&str>> = event.tags.iter().map(|tag| text(*tag)).collect();
    let mut values =
        vec![single(event.text), ValueRef::Multi(&tags), long(event.code), double(event.ratio)];
    if index.dimensions().len() == 5 {
        values.push(single(event.late));
    }
    values.push(ValueRef::Null);
    values.push(long(event.amount));
    values.push(double(event.level));
    values.push(double(event.level));
    values.push(double(event.level));
    index.add(event.time_ms, &values).unwrap()
}

/// The dimensions of an event as they are stored.
fn dimensions(event: &Event, has_late: bool) -> Vec<Value> {
    let text = |value: Option<u8>| value.map_or(Value::Null, |value| Value::String(word(value)));
    let mut tags: Vec<Option<String>> = event.tags.iter().map(|tag| tag.map(word)).collect();
    tags.sort();
    tags.dedup();
    let tags = match &*tags {
        [] | [None] => Value::Null,
        [Some(tag)] => Value::String(tag.clone()),
        _ => Value::Multi(tags),
    };
    let code = event.code.map_or(Value::Null, Value::Long);
    let ratio = event.ratio.map_or(Value::Null, |value| Value::Double(f64::from(value) - 1.0));
    let late = if has_late { text(event.late) } else { Value::Null };
    vec![text(event.text), tags, code, ratio, late]
}

#[derive(Default)]
struct State {
    count: i64,
    amount: Option<i64>,
    lowest: Option<f64>,
    highest: Option<f64>,
    people: Option<HllSketch>,
}

impl State {
    fn add(&mut self, event: &Event) {
        self.count += 1;
        if let Some(amount) = event.amount {
            *self.amount.get_or_insert(0) += amount;
        }
        if let Some(level) = event.level.map(|level| f64::from(level) - 1.0) {
            self.lowest = Some(self.lowest.map_or(level, |lowest| lowest.min(level)));
            self.highest = Some(self.highest.map_or(level, |highest| highest.max(level)));
            let empty = || HllSketch::new(10, HllType::Hll4).unwrap();
            self.people.get_or_insert_with(empty).update_f64(level);
        }
    }

    fn values(&self) -> Vec<Value> {
        vec![
            Value::Long(self.count),
            self.amount.map_or(Value::Null, Value::Long),
            self.lowest.map_or(Value::Null, Value::Double),
            self.highest.map_or(Value::Null, |highest| Value::Float(highest as f32)),
            self.people.as_ref().map_or(Value::Null, |s| Value::Complex(s.to_bytes())),
        ]
    }
}

/// The rows that the events make, in any order.
fn model(events: &[Event], late_from: usize, rollup: bool) -> Vec<Vec<Value>> {
    let mut groups: BTreeMap<String, (Vec<Value>, State)> = BTreeMap::new();
    for (position, event) in events.iter().enumerate() {
        let mut row = vec![Value::Long(event.time_ms.div_euclid(1_000) * 1_000)];
        row.extend(dimensions(event, position >= late_from));
        let key = format!("{row:?} {}", if rollup { 0 } else { position });
        groups.entry(key).or_insert_with(|| (row, State::default())).1.add(event);
    }
    let rows = groups.into_values().map(|(mut row, state)| {
        row.extend(state.values());
        row
    });
    sorted(rows.collect())
}

fn sorted(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_index_equals_the_model(
        events in prop::collection::vec(event(), 0..120),
        late_from in 0..120_usize,
        rollup in any::<bool>(),
        snapshot_every in 1..20_usize,
    ) {
        let late_from = late_from.min(events.len());
        let mut index = WriteIndex::new(schema(rollup), NO_LIMITS).unwrap();
        let mut taken = Vec::new();
        let mut appended = 0;
        for (position, event) in events.iter().enumerate() {
            if position == late_from {
                prop_assert_eq!(index.add_dimension(DimensionSchema::string("late")).unwrap(), 4);
            }
            appended += usize::from(add(&mut index, event) == AddOutcome::Appended);
            if position % snapshot_every == 0 {
                taken.push((position + 1, index.snapshot(segment_id())));
            }
        }
        index.add_dimension(DimensionSchema::string("late")).unwrap();
        taken.push((events.len(), index.snapshot(segment_id())));
        prop_assert_eq!(index.row_count(), appended);
        prop_assert_eq!(index.event_count(), events.len() as u64);
        for (count, snapshot) in taken {
            let mut actual = rows(&*snapshot);
            if snapshot.schema().position("late").is_none() {
                actual.iter_mut().for_each(|row| row.insert(5, Value::Null));
            }
            prop_assert_eq!(sorted(actual), model(&events[..count], late_from, rollup));
        }
    }
}

#[test]
fn h_14_identical_events_are_one_exact_row() {
    let mut index = WriteIndex::new(schema(true), NO_LIMITS).unwrap();
    let event = Event {
        time_ms: 1_500,
        text: Some(1),
        tags: vec![Some(1), Some(2)],
        code: Some(7),
        ratio: None,
        late: None,
        amount: Some(3),
        level: Some(2),
    };
    for _ in 0..100_000 {
        add(&mut index, &event);
    }
    let snapshot = index.snapshot(segment_id());
    let row = &rows(&*snapshot)[0];
    assert_eq!((snapshot.row_count(), snapshot.event_count()), (1, 100_000));
    assert_eq!(row[5..7], [Value::Long(100_000), Value::Long(300_000)]);
}
