//! `segmentMetadata`: what segments hold, from their schemas and dictionaries; rows are read for the
//! size of text alone.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use henge_query::{Analysis, ColumnInclusion, SegmentMetadataQuery};
use henge_scan::Result;
use henge_segment::{ColumnView, MultiScratch, SegmentView, StringColumn};
use henge_types::{ColumnSchema, ColumnType, MetricSpec, ProjectionDefinition, condense};

use crate::context::ExecContext;
use crate::partial_rows::{ColumnAnalysis, SegmentAnalysis};

/// The analysis of one segment.
pub(crate) fn run(
    query: &SegmentMetadataQuery,
    view: &dyn SegmentView,
    context: &ExecContext,
) -> Result<Vec<SegmentAnalysis>> {
    let asked = |analysis| query.analysis_types.contains(&analysis);
    let schema = view.schema();
    let mut columns = Vec::new();
    for column in &schema.columns {
        let included = match &query.to_include {
            ColumnInclusion::All => true,
            ColumnInclusion::None => false,
            ColumnInclusion::List(names) => names.contains(&column.name),
        };
        if included {
            context.cancel.check()?;
            columns.push((column.name.clone(), analyse(query, column, view)?));
        }
    }
    let aggregators = asked(Analysis::Aggregators)
        .then(|| schema.metrics.iter().map(|m| (m.name.clone(), Some(m.clone()))).collect());
    let granularity = asked(Analysis::QueryGranularity).then(|| schema.query_granularity.clone());
    Ok(vec![SegmentAnalysis {
        id: view.id().to_string(),
        intervals: asked(Analysis::Interval).then(|| vec![view.id().interval]),
        columns,
        size_bytes: if asked(Analysis::Size) { view.size_bytes() } else { 0 },
        row_count: view.row_count() as u64,
        aggregators,
        query_granularity: granularity,
        rollup: asked(Analysis::Rollup).then_some(schema.rollup),
        projections: asked(Analysis::Projections).then(|| projections(view)),
    }])
}

fn projections(view: &dyn SegmentView) -> BTreeMap<String, (Option<ProjectionDefinition>, u64)> {
    let stored = view.projections().iter().map(|projection| {
        let definition = projection.definition.clone();
        (definition.name.clone(), (Some(definition), projection.view().row_count() as u64))
    });
    stored.collect()
}

fn analyse(
    query: &SegmentMetadataQuery,
    column: &ColumnSchema,
    view: &dyn SegmentView,
) -> Result<ColumnAnalysis> {
    let mut analysis = ColumnAnalysis {
        column_type: column.column_type.clone(),
        has_multiple_values: column.multi_value,
        has_nulls: column.has_nulls,
        size_bytes: 0,
        cardinality: None,
        min_value: None,
        max_value: None,
        error_message: None,
    };
    let asked = |analysis| query.analysis_types.contains(&analysis);
    match view.column(&column.name)? {
        Some(ColumnView::String(strings)) => {
            analysis.has_nulls = strings.has_nulls();
            let cardinality = if asked(Analysis::Cardinality) { cardinality(strings) } else { 0 };
            analysis.cardinality = Some(cardinality);
            if asked(Analysis::MinMax) {
                (analysis.min_value, analysis.max_value) = ends(strings)?;
            }
            if asked(Analysis::Size) {
                analysis.size_bytes = text_bytes(view, strings)?;
            }
        }
        Some(ColumnView::Long(numbers)) => {
            analysis.has_nulls = numbers.has_nulls();
            analysis.size_bytes = fixed_bytes(asked(Analysis::Size), view, 8);
        }
        Some(ColumnView::Double(numbers)) => {
            analysis.has_nulls = numbers.has_nulls();
            analysis.size_bytes = fixed_bytes(asked(Analysis::Size), view, 8);
        }
        Some(ColumnView::Float(numbers)) => {
            analysis.has_nulls = numbers.has_nulls();
            analysis.size_bytes = fixed_bytes(asked(Analysis::Size), view, 4);
        }
        Some(ColumnView::Complex(_)) | None => {}
    }
    Ok(analysis)
}

fn fixed_bytes(asked: bool, view: &dyn SegmentView, width: u64) -> u64 {
    if asked { view.row_count() as u64 * width } else { 0 }
}

/// Distinct values; null counts as one where it occurs.
fn cardinality(column: &dyn StringColumn) -> u64 {
    u64::from(column.dictionary().len() - 1) + u64::from(column.has_nulls())
}

fn ends(column: &dyn StringColumn) -> Result<(Option<String>, Option<String>)> {
    let dictionary = column.dictionary();
    if dictionary.is_empty() {
        return Ok((None, None));
    }
    if dictionary.is_sorted() {
        let first = dictionary.get(1)?.map(String::from);
        return Ok((first, dictionary.get(dictionary.len() - 1)?.map(String::from)));
    }
    let (mut min, mut max): (Option<String>, Option<String>) = (None, None);
    dictionary.for_each(1..dictionary.len(), &mut |_, value| {
        let Some(value) = value else { return };
        if min.as_deref().is_none_or(|min| value < min) {
            min = Some(value.to_owned());
        }
        if max.as_deref().is_none_or(|max| value > max) {
            max = Some(value.to_owned());
        }
    })?;
    Ok((min, max))
}

/// Bytes of the values of all rows as text.
fn text_bytes(view: &dyn SegmentView, column: &dyn StringColumn) -> Result<u64> {
    let dictionary = column.dictionary();
    let mut lengths = Vec::with_capacity(dictionary.len() as usize);
    dictionary.for_each(0..dictionary.len(), &mut |_, value| {
        lengths.push(value.map_or(0, str::len) as u64);
    })?;
    let length = |id: u32| lengths.get(id as usize).copied().unwrap_or(0);
    let mut total = 0;
    let (mut ids, mut multi) = (Vec::new(), MultiScratch::default());
    for block in 0..view.block_count() {
        total += if column.is_multi_value() {
            let lists = column.multi_block(block, &mut multi)?;
            lists.ids.iter().map(|id| length(*id)).sum::<u64>()
        } else {
            let ids = column.id_block(block, &mut ids)?;
            (0..view.block_rows(block)).map(|row| length(ids.get(row))).sum()
        };
    }
    Ok(total)
}

/// One analysis for all segments when the query wants them merged, else one each, by segment id.
pub(crate) fn merge_analyses(
    query: &SegmentMetadataQuery,
    mut analyses: Vec<SegmentAnalysis>,
) -> Vec<SegmentAnalysis> {
    analyses.sort_by(|a, b| a.id.cmp(&b.id));
    if !query.merge {
        return analyses;
    }
    let merged = analyses.into_iter().reduce(|a, b| merge_two(query, a, b));
    merged.into_iter().collect()
}

fn merge_two(
    query: &SegmentMetadataQuery,
    a: SegmentAnalysis,
    b: SegmentAnalysis,
) -> SegmentAnalysis {
    let mut columns = a.columns;
    for (name, column) in b.columns {
        match columns.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => merge_column(known, &column),
            None => columns.push((name, column)),
        }
    }
    let aggregators = if query.lenient_aggregator_merge {
        merge_lenient(a.aggregators, b.aggregators)
    } else {
        merge_strict(a.aggregators, b.aggregators)
    };
    let intervals = match (a.intervals, b.intervals) {
        (Some(a), Some(b)) => Some(condense(a.into_iter().chain(b).collect())),
        (a, b) => a.or(b),
    };
    SegmentAnalysis {
        id: if a.id == b.id { a.id } else { "merged".to_owned() },
        intervals,
        columns,
        size_bytes: a.size_bytes + b.size_bytes,
        row_count: a.row_count + b.row_count,
        aggregators,
        query_granularity: a.query_granularity.filter(|g| b.query_granularity.as_ref() == Some(g)),
        rollup: a.rollup.filter(|rollup| b.rollup == Some(*rollup)),
        projections: merge_projections(a.projections, b.projections),
    }
}

fn merge_column(known: &mut ColumnAnalysis, other: &ColumnAnalysis) {
    if known.error_message.is_some() {
        return;
    }
    if other.error_message.is_some() {
        known.clone_from(other);
        return;
    }
    if known.column_type != other.column_type {
        // The same message whichever of the two comes first.
        let (low, high) = (known.column_type.to_string(), other.column_type.to_string());
        let (low, high) = if low <= high { (low, high) } else { (high, low) };
        *known = ColumnAnalysis {
            column_type: ColumnType::String,
            has_multiple_values: false,
            has_nulls: false,
            size_bytes: 0,
            cardinality: None,
            min_value: None,
            max_value: None,
            error_message: Some(format!("error:cannot_merge_diff_types: [{low}] and [{high}]")),
        };
        return;
    }
    known.has_multiple_values |= other.has_multiple_values;
    known.has_nulls |= other.has_nulls;
    known.size_bytes += other.size_bytes;
    known.cardinality = known.cardinality.max(other.cardinality);
    known.min_value = match (known.min_value.take(), &other.min_value) {
        (Some(a), Some(b)) => Some(a.min(b.clone())),
        (a, b) => a.or_else(|| b.clone()),
    };
    known.max_value = known.max_value.take().max(other.max_value.clone());
}

type Projections = Option<BTreeMap<String, (Option<ProjectionDefinition>, u64)>>;

fn merge_projections(a: Projections, b: Projections) -> Projections {
    let (Some(mut a), Some(b)) = (a, b) else { return None };
    for (name, (definition, rows)) in b {
        match a.entry(name) {
            Entry::Occupied(mut known) => {
                let (known, known_rows) = known.get_mut();
                *known_rows += rows;
                if *known != definition {
                    *known = None;
                }
            }
            Entry::Vacant(free) => {
                free.insert((definition, rows));
            }
        }
    }
    Some(a)
}

type Aggregators = Option<BTreeMap<String, Option<MetricSpec>>>;

/// All aggregators of both, or none when the two disagree on any.
fn merge_strict(a: Aggregators, b: Aggregators) -> Aggregators {
    let (mut a, b) = (a?, b?);
    for (name, metric) in b {
        match a.entry(name) {
            Entry::Occupied(known) if *known.get() != metric => return None,
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(metric);
            }
        }
    }
    Some(a)
}

/// All aggregators of both, null where the two disagree.
fn merge_lenient(a: Aggregators, b: Aggregators) -> Aggregators {
    let (Some(mut a), Some(b)) = (a, b) else { return None };
    for (name, metric) in b {
        match a.entry(name) {
            Entry::Occupied(mut known) if *known.get() != metric => {
                known.insert(None);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(metric);
            }
        }
    }
    Some(a)
}
