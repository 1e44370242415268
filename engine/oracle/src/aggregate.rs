//! Aggregators over lists of rows.

use std::collections::BTreeSet;

use henge_query::aggregate::{
    Cardinality, ExactDistinctCount, Folded, Hll, HyperUnique, Moment, Moments, Numeric, OneValue,
    Quantiles, TextBound, TextEnd, Theta,
};
use henge_query::{AggregatorInput, AggregatorKind, AggregatorSpec, QueryBase};
use henge_types::{NumericOp, OneOf, ValueType, parse_timestamp_ms};

use super::OracleRow;
use super::filter::test;
use super::value::{Cell, column};

/// The aggregator's final value over some rows. Distinct counts are exact.
pub(crate) fn aggregate(spec: &AggregatorSpec, base: &QueryBase, rows: &[&OracleRow]) -> Cell {
    let rows: Vec<&OracleRow> = rows
        .iter()
        .copied()
        .filter(|row| {
            spec.filter.as_ref().is_none_or(|filter| test(filter, base, row) == Some(true))
        })
        .collect();
    match &spec.kind {
        AggregatorKind::Count(_) => Cell::Long(rows.len() as i64),
        AggregatorKind::Numeric(Numeric { op, column_type, input }) => {
            let cells = rows.iter().filter_map(|row| number(input, base, row));
            numeric(*op, *column_type, &cells.collect::<Vec<_>>())
        }
        AggregatorKind::Hll(Hll { field, round, .. }) => {
            distinct(&values_of(&[field], base, &rows), *round)
        }
        AggregatorKind::HyperUnique(HyperUnique { field, round }) => {
            distinct(&values_of(&[field], base, &rows), *round)
        }
        AggregatorKind::Theta(Theta { field, .. }) => {
            distinct(&values_of(&[field], base, &rows), false)
        }
        AggregatorKind::Cardinality(Cardinality { fields, by_row: false, round }) => {
            let names: Vec<&str> = fields.iter().map(|f| f.dimension.as_str()).collect();
            distinct(&values_of(&names, base, &rows), *round)
        }
        AggregatorKind::Cardinality(Cardinality { fields, by_row: true, round }) => {
            // A row of several values is one combination, whatever their order.
            let combinations = rows.iter().map(|row| {
                let cells = fields.iter().map(|field| {
                    let mut cells = column(base, row, &field.dimension);
                    cells.sort_by(Cell::compare);
                    cells
                });
                format!("{:?}", cells.collect::<Vec<_>>())
            });
            distinct(&combinations.collect(), *round)
        }
        AggregatorKind::ExactDistinctCount(ExactDistinctCount { field }) => {
            distinct(&values_of(&[field], base, &rows), true)
        }
        AggregatorKind::OneValue(one) => one_value(one, base, &rows),
        AggregatorKind::TextBound(TextBound { end, field, max_string_bytes }) => {
            let cells = rows.iter().flat_map(|row| column(base, row, field));
            let texts = cells.filter_map(|cell| cell.text());
            let text = match end {
                TextEnd::Least => texts.min(),
                TextEnd::Greatest => texts.max(),
            };
            text.map_or(Cell::Null, |text| Cell::Text(cut(text, *max_string_bytes)))
        }
        AggregatorKind::Moments(Moments { moment, input }) => {
            let cells = rows.iter().filter_map(|row| number(input, base, row)?.double());
            moment_of(*moment, &cells.collect::<Vec<_>>())
        }
        AggregatorKind::Folded(folded) => fold(folded, base, &rows),
        // Those of grouping sets say what is left out of them.
        AggregatorKind::Grouping(_) => Cell::Long(0),
        AggregatorKind::Quantiles(Quantiles { field, .. }) => {
            let seen = rows.iter().flat_map(|row| column(base, row, field));
            let numbers = seen.filter_map(|cell| cell.double()).filter(|value| !value.is_nan());
            Cell::Long(numbers.count() as i64)
        }
    }
}

fn moment_of(moment: Moment, values: &[f64]) -> Cell {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    match moment {
        _ if values.is_empty() => Cell::Null,
        Moment::Mean => Cell::Double(mean),
        // One value varies not at all, whatever it is (Druid): neither NaN nor an infinity does.
        Moment::PopulationVariance if values.len() == 1 => Cell::Double(0.0),
        Moment::PopulationVariance => Cell::Double(squares / count),
        Moment::SampleVariance if values.len() == 1 => Cell::Null,
        Moment::SampleVariance => Cell::Double(squares / (count - 1.0)),
    }
}

/// All rows are folded in their order.
fn fold(folded: &Folded, base: &QueryBase, rows: &[&OracleRow]) -> Cell {
    let mut state = folded.initial.clone();
    for row in rows {
        let next = folded.fold.eval(&|name: &str| {
            if name == folded.accumulator {
                return state.clone();
            }
            match column(base, row, name).as_slice() {
                [one] => one.expr(),
                several => several.iter().map(Cell::expr).collect::<Vec<_>>().into(),
            }
        });
        state = next.unwrap_or_default();
    }
    if rows.is_empty() && folded.null_unless_aggregated {
        return Cell::Null;
    }
    let finished = match &folded.finalize {
        Some(finalize) => finalize.eval(&|_: &str| state.clone()).unwrap_or_default(),
        None => state,
    };
    match finished {
        henge_expr::ExprValue::Long(value) => Cell::Long(value),
        henge_expr::ExprValue::Double(value) => Cell::Double(value),
        other => other.as_text().map_or(Cell::Null, |text| Cell::Text(text.into_owned())),
    }
}

/// The value of the first or the last time, or any: of several, null goes last; then the least, or the
/// greatest of the last time.
fn one_value(one: &OneValue, base: &QueryBase, rows: &[&OracleRow]) -> Cell {
    let timed = rows.iter().filter_map(|row| {
        let time = match one.which {
            OneOf::Any => Some(0),
            OneOf::First | OneOf::Last => match column(base, row, &one.time_column).as_slice() {
                [Cell::Text(text)] => time_of(text),
                [cell] => cell.long(),
                _ => None,
            },
        };
        Some((time?, kept(one, &column(base, row, &one.field))))
    });
    let timed: Vec<(i64, Cell)> = timed.collect();
    let times = timed.iter().map(|(time, _)| *time);
    let chosen = if one.which == OneOf::Last { times.max() } else { times.min() };
    let cells = timed.iter().filter(|(time, cell)| Some(*time) == chosen && *cell != Cell::Null);
    let cells = cells.map(|(_, cell)| cell);
    let cell = match one.which {
        OneOf::Last => cells.max_by(|a, b| a.compare(b)),
        OneOf::First | OneOf::Any => cells.min_by(|a, b| a.compare(b)),
    };
    cell.cloned().unwrap_or(Cell::Null)
}

/// Text of milliseconds or of ISO 8601.
fn time_of(text: &str) -> Option<i64> {
    Cell::Text(text.to_owned()).long().or_else(|| parse_timestamp_ms(text.trim()).ok())
}

/// A row's value as the aggregator's type. A row of several values has no number; its text is that
/// of the list.
fn kept(one: &OneValue, cells: &[Cell]) -> Cell {
    if one.value_type != ValueType::String {
        return match (cells, one.value_type) {
            // As Java casts stored numbers: NaN is 0, and what is out of range the nearest LONG.
            ([Cell::Double(value)], ValueType::Long) => Cell::Long(*value as i64),
            ([Cell::Float(value)], ValueType::Long) => Cell::Long(*value as i64),
            ([cell], value_type) => cell.cast(value_type),
            _ => Cell::Null,
        };
    }
    let text = match cells {
        [cell] => cell.text(),
        [first, ..] if one.which == OneOf::Any && !one.joins_lists => first.text(),
        several => {
            let texts = several.iter().map(|cell| cell.text().unwrap_or_else(|| "null".to_owned()));
            Some(format!("[{}]", texts.collect::<Vec<_>>().join(", ")))
        }
    };
    text.map_or(Cell::Null, |text| Cell::Text(cut(text, one.max_string_bytes)))
}

/// So many bytes of a text at most, never within a character.
fn cut(mut text: String, max_bytes: u32) -> String {
    while text.len() > max_bytes as usize {
        text.pop();
    }
    text
}

/// The distinct values; the number 1 and the text "1" are two.
fn values_of(names: &[&str], base: &QueryBase, rows: &[&OracleRow]) -> BTreeSet<String> {
    rows.iter()
        .flat_map(|row| names.iter().flat_map(|name| column(base, row, name)))
        .filter(|cell| *cell != Cell::Null)
        .map(|cell| format!("{cell:?}"))
        .collect()
}

fn distinct(values: &BTreeSet<String>, round: bool) -> Cell {
    if round { Cell::Long(values.len() as i64) } else { Cell::Double(values.len() as f64) }
}

/// The number a row contributes. A row of several values has none.
fn number(input: &AggregatorInput, base: &QueryBase, row: &OracleRow) -> Option<Cell> {
    let cells = match input {
        AggregatorInput::Field(name) => column(base, row, name),
        AggregatorInput::Expression(expression) => {
            let value = expression.eval(&|name: &str| match column(base, row, name).as_slice() {
                [one] => one.expr(),
                several => several.iter().map(Cell::expr).collect::<Vec<_>>().into(),
            });
            let value = value.unwrap_or_default();
            vec![match value {
                henge_expr::ExprValue::Long(value) => Cell::Long(value),
                other => other.as_double().map_or(Cell::Null, Cell::Double),
            }]
        }
    };
    match cells.as_slice() {
        [Cell::Null] => None,
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn numeric(op: NumericOp, column_type: ValueType, cells: &[Cell]) -> Cell {
    if column_type == ValueType::Long {
        let longs = cells.iter().filter_map(Cell::long);
        if op == NumericOp::Sum {
            let sum = longs.map(i128::from).reduce(|a, b| a + b);
            return match sum.map(i64::try_from) {
                None => Cell::Null,
                Some(Ok(sum)) => Cell::Long(sum),
                Some(Err(_)) => Cell::Text(super::BEYOND_64_BITS.to_owned()),
            };
        }
        let folded = match op {
            NumericOp::Max => longs.max(),
            _ => longs.min(),
        };
        return folded.map_or(Cell::Null, Cell::Long);
    }
    let doubles = cells.iter().filter_map(Cell::double);
    let folded = match op {
        NumericOp::Sum => doubles.reduce(|a, b| a + b),
        NumericOp::Min => doubles.reduce(f64::min),
        NumericOp::Max => doubles.reduce(f64::max),
    };
    match folded {
        None => Cell::Null,
        Some(value) if column_type == ValueType::Float => Cell::Float(value as f32),
        Some(value) => Cell::Double(value),
    }
}
