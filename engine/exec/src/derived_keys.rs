//! Keys that follow from what groups are told apart by: `x - 1` beside `x`, constants, the texts of
//! numbers. They are left out of grouping and merging and computed for the groups that are left.

use std::sync::Arc;

use henge_query::{DimensionSpec, GroupByQuery, Query, QueryBase, TopNQuery, VirtualColumn};
use henge_scan::{ExecError, KeyFunction, Result, texts_of_numbers};
use henge_segment::{ColumnView, SegmentView};
use henge_types::ValueType;
use henge_vector::Column;

use crate::context::ExecContext;
use crate::partial::{GroupedPartial, Partial};

/// Where a key of the whole query comes from.
#[derive(Debug, Clone)]
enum Origin {
    /// A key of the smaller query.
    Key(usize),
    /// The text of a number that is a key of the smaller query.
    TextOf { key: usize, value_type: ValueType },
    /// A function of a key of the smaller query, or of nothing.
    Of { key: Option<usize>, column: VirtualColumn, spec: DimensionSpec },
}

/// A query without the keys that follow from others.
#[derive(Debug, Clone)]
pub struct DerivedKeys {
    query: Arc<Query>,
    origins: Arc<Vec<Origin>>,
}

impl DerivedKeys {
    /// Looks for such keys; `None` when there are none. `views` are all segments that are merged.
    ///
    /// # Errors
    /// When a segment is corrupt.
    pub fn of(query: &Query, views: &[&dyn SegmentView]) -> Result<Option<Self>> {
        let grouped = match query {
            Query::GroupBy(grouped) if grouped.having.is_none() && grouped.subtotals.is_none() => {
                grouped
            }
            Query::TopN(top) => return Self::of_top_n(query, top, views),
            _ => return Ok(None),
        };
        // Groups beyond a limit are cut in the order of their keys, which is that of text.
        let keeps_all = grouped.limit_spec.as_ref().is_none_or(|limit| limit.limit.is_none());
        let mut origins = Vec::with_capacity(grouped.dimensions.len());
        let mut kept = 0;
        for (position, spec) in grouped.dimensions.iter().enumerate() {
            origins.push(match derived(grouped, position, views)? {
                Some((base, column)) => {
                    let key = base.map(|base| match &origins[base] {
                        Origin::Key(key) => *key,
                        Origin::TextOf { .. } | Origin::Of { .. } => 0,
                    });
                    Origin::Of { key, column: column.clone(), spec: spec.clone() }
                }
                None => {
                    kept += 1;
                    let key = kept - 1;
                    let column_type = match keeps_all {
                        true => number_of_text(spec, &grouped.base, views)?,
                        false => None,
                    };
                    match column_type {
                        Some(value_type) => Origin::TextOf { key, value_type },
                        None => Origin::Key(key),
                    }
                }
            });
        }
        let is_any = origins.iter().any(|origin| !matches!(origin, Origin::Key(_)));
        if !is_any || kept == 0 {
            return Ok(None);
        }
        let origins = Arc::new(origins);
        let query = Arc::new(without_derived(query, &origins));
        Ok(Some(Self { query, origins }))
    }

    /// The groups of a topN are cut by its metric, and those that tie are kept.
    fn of_top_n(
        query: &Query,
        top: &TopNQuery,
        views: &[&dyn SegmentView],
    ) -> Result<Option<Self>> {
        let value_type = number_of_text(&top.dimension, &top.base, views)?;
        Ok(value_type.map(|value_type| {
            let origins = Arc::new(vec![Origin::TextOf { key: 0, value_type }]);
            Self { query: Arc::new(without_derived(query, &origins)), origins }
        }))
    }

    /// The query without these keys.
    #[must_use]
    pub fn query(&self) -> &Arc<Query> {
        &self.query
    }

    /// A part of the whole query, without these keys.
    #[must_use]
    pub fn without(&self, query: &Query) -> Arc<Query> {
        Arc::new(without_derived(query, &self.origins))
    }

    /// Adds the keys to groups of the smaller query.
    ///
    /// # Errors
    /// Those of the keys' expressions.
    pub fn complete(&self, partial: Partial, ctx: &ExecContext) -> Result<Partial> {
        match partial {
            Partial::Grouped(groups) => self.completed(groups, ctx).map(Partial::Grouped),
            other => Ok(other),
        }
    }

    /// As [`DerivedKeys::complete`].
    ///
    /// # Errors
    /// Those of the keys' expressions.
    pub fn completed(&self, groups: GroupedPartial, ctx: &ExecContext) -> Result<GroupedPartial> {
        ctx.cancel.check()?;
        let column = |origin: &Origin| match origin {
            Origin::Key(key) => Ok(groups.keys[*key].clone()),
            Origin::TextOf { key, value_type } => {
                let is_float = *value_type == ValueType::Float;
                texts_of_numbers(&groups.keys[*key], is_float).ok_or_else(unfit)
            }
            Origin::Of { key, column, spec } => {
                let function = KeyFunction::new(spec, column, &ctx.cancel).ok_or_else(unfit)?;
                match key.map(|key| &groups.keys[key]) {
                    None => function.constant(groups.group_count()),
                    Some(Column::Long(numbers)) => function.keys_of(numbers),
                    Some(_) => Err(unfit()),
                }
            }
        };
        let keys = self.origins.iter().map(column).collect::<Result<_>>()?;
        Ok(GroupedPartial { keys, ..groups })
    }
}

fn unfit() -> ExecError {
    ExecError::Internal("a derived key has no number to follow from".to_owned())
}

/// The virtual column of a dimension that follows from an earlier one, and the position of that; of
/// `None` when it is constant. The natural order of groups is then decided without it.
fn derived<'q>(
    query: &'q GroupByQuery,
    position: usize,
    views: &[&dyn SegmentView],
) -> Result<Option<(Option<usize>, &'q VirtualColumn)>> {
    let spec = &query.dimensions[position];
    let columns = &query.base.virtual_columns;
    let virtual_column = |name: &str| columns.iter().find(|column| column.name == name);
    let is_ordered_by = query
        .limit_spec
        .iter()
        .flat_map(|limit| &limit.columns)
        .any(|column| !query.aggregations.iter().any(|spec| spec.name == column.column));
    let Some(column) = virtual_column(&spec.dimension).filter(|_| !is_ordered_by) else {
        return Ok(None);
    };
    if !column.expression.is_scalar() || column.expression.as_identifier().is_some() {
        return Ok(None);
    }
    let [input] = column.expression.identifiers() else {
        let is_constant = column.expression.identifiers().is_empty();
        return Ok(is_constant.then_some((None, column)));
    };
    let is_base =
        |spec: &DimensionSpec| spec.dimension == *input && spec.output_type == ValueType::Long;
    let Some(base) = query.dimensions[..position].iter().position(is_base) else {
        return Ok(None);
    };
    if virtual_column(input).is_some() {
        return Ok(None);
    }
    let is_long = |view: &dyn SegmentView| {
        let column = view.column(input).map_err(|error| ExecError::from(error).of_segment(view))?;
        Ok::<_, ExecError>(matches!(column, None | Some(ColumnView::Long(_))))
    };
    let mut views = views.iter();
    let all_long = views.try_fold(true, |all, view| Ok::<_, ExecError>(all && is_long(*view)?))?;
    Ok(all_long.then_some((Some(base), column)))
}

/// The type of a stored column of numbers, the same in all segments that have it, whose keys are to be
/// text.
fn number_of_text(
    spec: &DimensionSpec,
    base: &QueryBase,
    views: &[&dyn SegmentView],
) -> Result<Option<ValueType>> {
    let is_virtual = base.virtual_columns.iter().any(|column| column.name == spec.dimension);
    if spec.output_type != ValueType::String || is_virtual {
        return Ok(None);
    }
    let mut found = None;
    for view in views {
        let column = view.column(&spec.dimension);
        let column = column.map_err(|error| ExecError::from(error).of_segment(*view))?;
        let column_type = match column {
            None => continue,
            Some(ColumnView::Long(_)) => ValueType::Long,
            Some(ColumnView::Float(_)) => ValueType::Float,
            Some(ColumnView::Double(_)) => ValueType::Double,
            Some(ColumnView::String(_) | ColumnView::Complex(_)) => return Ok(None),
        };
        if *found.get_or_insert(column_type) != column_type {
            return Ok(None);
        }
    }
    Ok(found)
}

fn without_derived(query: &Query, origins: &[Origin]) -> Query {
    let mut query = query.clone();
    let dimensions: &mut [DimensionSpec] = match &mut query {
        Query::GroupBy(grouped) => {
            let mut all = origins.iter();
            grouped.dimensions.retain(|_| !matches!(all.next(), Some(Origin::Of { .. })));
            &mut grouped.dimensions
        }
        Query::TopN(top) => std::slice::from_mut(&mut top.dimension),
        _ => &mut [],
    };
    for origin in origins {
        if let Origin::TextOf { key, value_type } = origin
            && let Some(dimension) = dimensions.get_mut(*key)
        {
            dimension.output_type = *value_type;
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use henge_vector::{nulls_of, optional};

    use super::*;

    fn query(dimensions: &str, more: &str) -> Query {
        let text = format!(
            r#"{{"queryType":"groupBy","dataSource":"t","granularity":"all","intervals":"1970/1971",
            "virtualColumns":[
                {{"type":"expression","name":"y","expression":"x - 1"}},
                {{"type":"expression","name":"z","expression":"y * 2"}},
                {{"type":"expression","name":"one","expression":"1"}}],
            "dimensions":[{dimensions}],
            "aggregations":[{{"type":"count","name":"n"}}]{more}}}"#
        );
        Query::parse(text.as_bytes()).expect("a query")
    }

    fn long(name: &str) -> String {
        format!(r#"{{"type":"default","dimension":"{name}","outputType":"LONG"}}"#)
    }

    fn derived_of(dimensions: &[String], more: &str) -> Option<DerivedKeys> {
        DerivedKeys::of(&query(&dimensions.join(","), more), &[]).expect("no views")
    }

    #[test]
    fn keys_that_follow_from_an_earlier_one_are_computed_from_it() {
        let dimensions = [long("x"), long("y"), "\"s\"".to_owned(), "\"one\"".to_owned()];
        let derived = derived_of(&dimensions, "").expect("y and one");
        let Query::GroupBy(smaller) = &**derived.query() else { panic!("a groupBy") };
        assert_eq!(smaller.dimensions.len(), 2);
        let numbers = vec![i64::MIN, 0, 7, 5];
        let groups = GroupedPartial {
            bucket_starts: crate::BucketStarts::All(4),
            keys: vec![
                Column::longs(numbers, nulls_of(4, |row| row != 2)),
                Column::Text(henge_vector::Text::nulls(4)),
            ],
            states: vec![Column::longs(vec![1; 4], None)],
            data_range_ms: vec![None],
        };
        let whole = derived.completed(groups, &ExecContext::default()).expect("numbers");
        let Column::Long(shifted) = &whole.keys[1] else { panic!("longs") };
        let shifted: Vec<_> = (0..4).map(|row| optional(shifted, row)).collect();
        // What overflows is null, as is what involves null.
        assert_eq!(shifted, [None, Some(-1), None, Some(4)]);
        let Column::Text(one) = &whole.keys[3] else { panic!("text") };
        assert_eq!(one.get(3), Some("1"));
    }

    #[test]
    fn numbers_that_are_shown_as_text_become_it_once() {
        let longs = Column::longs(vec![7, -5, 7, 0], nulls_of(4, |row| row != 3));
        let Some(Column::Text(texts)) = texts_of_numbers(&longs, false) else { panic!("texts") };
        let texts: Vec<_> = (0..4).map(|row| texts.get(row)).collect();
        assert_eq!(texts, [Some("7"), Some("-5"), Some("7"), None]);
        let floats = Column::wide_floats(vec![f64::from(0.1_f32), -0.0], None);
        let Some(Column::Text(texts)) = texts_of_numbers(&floats, true) else { panic!("texts") };
        assert_eq!((texts.get(0), texts.get(1)), (Some("0.1"), Some("0.0")));
        assert!(texts_of_numbers(&Column::Null(1), false).is_none());
    }

    #[test]
    fn other_keys_are_grouped_by() {
        let order = r#","limitSpec":{"type":"default","limit":3,"columns":["y"]}"#;
        assert!(derived_of(&[long("x"), long("y")], order).is_none(), "ordered by it");
        assert!(derived_of(&[long("y"), long("x")], "").is_none(), "comes first");
        assert!(derived_of(&["\"x\"".to_owned(), long("y")], "").is_none(), "follows from text");
        assert!(derived_of(&[long("x"), long("z")], "").is_none(), "follows from another");
        assert!(derived_of(&[long("x")], "").is_none());
        assert!(derived_of(&["\"one\"".to_owned()], "").is_none(), "nothing would be left");
    }
}
