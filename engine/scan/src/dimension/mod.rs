//! One dimension of a query: rows become small integer ids, and ids become keys at the end.

mod function;
mod ids;
mod key_text;
mod mapped;
mod numbers;
mod values;

use std::sync::Arc;

use henge_query::DimensionSpec;
use henge_segment::{NULL_ID, NumericColumn, StringColumn};
use henge_sketch::HllHash;
use henge_types::ValueType;
use henge_vector::{Column, Float64Array, Int64Array, Text};

use crate::column::{
    Arithmetic, ColumnSet, Columns, ExpressionReader, ExpressionSource, Loaded, LoadedBlock, Pairs,
    SlotId, Source, Window,
};
use crate::error::Result;
use crate::node::{NodeDictionaries, NodeScope};
use crate::selection::Selection;
use ids::{FramedIds, computed_ids, direct_longs, map_ids, not_loaded, number_ids, widen};
use key_text::{Wanted, dictionary_keys, direct_keys, for_each_text};
use mapped::Mapped;
use values::LocalValues;

pub use function::{KeyFunction, texts_of_numbers};
pub use key_text::{KeyScope, dictionary_of, text_keys};
pub use numbers::NumberPart;
pub use values::Scalar;

/// Widest range of integers that are numbered directly instead of through a table.
const MAX_DIRECT_LONGS: u64 = 1 << 20;

/// A dimension over one segment.
pub struct Dimension<'a> {
    kind: Kind<'a>,
    output: ValueType,
    ids: Vec<u32>,
    offsets: Vec<u32>,
}

enum Kind<'a> {
    /// Every row is null.
    Null,
    /// Ids of a stored dictionary are the dimension's ids.
    Dictionary {
        slot: SlotId,
        name: String,
        column: &'a dyn StringColumn,
        node: Option<Arc<NodeDictionaries>>,
    },
    /// A function of dictionary ids.
    Mapped { slot: SlotId, map: Mapped<'a>, multi: bool },
    /// A number, less the smallest, plus one.
    DirectLongs { slot: SlotId, column: &'a dyn NumericColumn<i64>, min: i64, id_count: u32 },
    /// Numbers through a table.
    Numbers {
        slot: SlotId,
        values: LocalValues,
        source_float: bool,
        /// The smallest and the largest, of integers where statistics tell.
        ends: Option<(i64, i64)>,
    },
    /// Computed by row.
    Computed { reader: ExpressionReader<'a>, values: LocalValues, source_float: bool },
}

impl Kind<'_> {
    fn id_count(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Dictionary { column, .. } => column.dictionary().len() as usize,
            Self::DirectLongs { id_count, .. } => *id_count as usize,
            Self::Mapped { map, .. } => map.values().id_count(),
            Self::Numbers { values, .. } | Self::Computed { values, .. } => values.id_count(),
        }
    }
}

impl std::fmt::Debug for Dimension<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dimension").field("output", &self.output).finish_non_exhaustive()
    }
}

/// The ids of a window's rows.
#[derive(Debug, Clone, Copy)]
pub enum DimensionIds<'b> {
    /// Every row has this id.
    Constant(u32),
    /// `ids[row]`, for selected rows.
    Rows(&'b [u32]),
    /// Row `r` has `ids[offsets[r]..offsets[r + 1]]`; none is null. For selected rows.
    Lists {
        /// Where the ids of each row begin, and the last end.
        offsets: &'b [u32],
        /// The ids of all rows.
        ids: &'b [u32],
    },
}

impl<'a> Dimension<'a> {
    /// The dimension of a spec; what it reads becomes a slot of `set`.
    pub fn new(
        spec: &DimensionSpec,
        columns: &Columns<'a>,
        set: &mut ColumnSet<'a>,
    ) -> Result<Self> {
        let output = spec.output_type;
        let source = columns.resolve(&spec.dimension)?;
        Self::of_source(&spec.dimension, source, output, columns, set)
    }

    /// The dimension of a column whose keys have the column's own type.
    pub fn of_values(
        name: &str,
        source: Source<'a>,
        columns: &Columns<'a>,
        set: &mut ColumnSet<'a>,
    ) -> Result<Self> {
        let output = match &source {
            Source::Long(_) => ValueType::Long,
            Source::Float(_) | Source::Double(_) => ValueType::Double,
            Source::Expression(source) => source.output_type().unwrap_or(ValueType::String),
            Source::Pairs(pairs) => pairs.value_type(),
            Source::Missing | Source::String(_) | Source::Complex(_) => ValueType::String,
        };
        Self::of_source(name, source, output, columns, set)
    }

    fn of_source(
        name: &str,
        source: Source<'a>,
        output: ValueType,
        columns: &Columns<'a>,
        set: &mut ColumnSet<'a>,
    ) -> Result<Self> {
        let kind = match source {
            // A sketch has no value to group by: it reads as null, as in Druid.
            Source::Missing | Source::Complex(_) => Kind::Null,
            Source::String(column) if output == ValueType::String => {
                let slot = set.stored(name, &Source::String(column));
                let node = columns.dictionaries().cloned();
                Kind::Dictionary { slot, name: name.to_owned(), column, node }
            }
            Source::String(column) => mapped(name, column, None, output, set),
            Source::Long(column) => long_kind(name, column, output, columns, set)?,
            Source::Float(_) => numbers(name, &source, output, true, set),
            Source::Double(_) => numbers(name, &source, output, false, set),
            Source::Expression(source) => match source.only_string_input() {
                Some(column) => mapped(name, column, Some(source), output, set),
                None => computed(name, source, output, set),
            },
            Source::Pairs(pairs) => pair_values(pairs, output, columns)?,
        };
        Ok(Self { kind, output, ids: Vec::new(), offsets: Vec::new() })
    }

    /// The slot that must be loaded of a block.
    pub fn slot_of(&self, block: usize) -> Result<Option<SlotId>> {
        if let Kind::DirectLongs { column, min, .. } = &self.kind
            && FramedIds::of(*column, block, *min)?.is_some()
        {
            return Ok(None);
        }
        Ok(self.slot())
    }

    /// The slot that must be loaded, whatever the block.
    pub fn slot(&self) -> Option<SlotId> {
        match &self.kind {
            Kind::Null | Kind::Computed { .. } => None,
            Kind::Dictionary { slot, .. }
            | Kind::Mapped { slot, .. }
            | Kind::DirectLongs { slot, .. }
            | Kind::Numbers { slot, .. } => Some(*slot),
        }
    }

    /// True when rows may have several ids.
    pub fn has_lists(&self) -> bool {
        match &self.kind {
            Kind::Dictionary { column, .. } => column.is_multi_value(),
            Kind::Mapped { multi, .. } => *multi,
            Kind::Computed { reader, .. } => reader.gives_lists(),
            Kind::Null | Kind::DirectLongs { .. } | Kind::Numbers { .. } => false,
        }
    }

    /// True when ids are known to ascend with the UTF-8 bytes of their texts.
    pub fn ascends(&self) -> bool {
        match &self.kind {
            Kind::Null => true,
            Kind::Dictionary { column, .. } => column.dictionary().is_sorted(),
            Kind::Mapped { .. }
            | Kind::DirectLongs { .. }
            | Kind::Numbers { .. }
            | Kind::Computed { .. } => false,
        }
    }

    /// All ids are below this; `None` when ids are given as values arrive.
    pub fn id_limit(&self) -> Option<u32> {
        match &self.kind {
            Kind::Mapped { .. } | Kind::Numbers { .. } | Kind::Computed { .. } => None,
            fixed => Some(fixed.id_count() as u32),
        }
    }

    /// All ids given so far are below this.
    pub fn id_count(&self) -> usize {
        self.kind.id_count()
    }

    /// Makes room for so many distinct numbers.
    pub fn reserve(&mut self, count: usize) {
        if let Kind::Numbers { values, .. } = &mut self.kind {
            values.reserve(count);
        }
    }

    /// So many rows will be read, about, none of which was yet.
    pub fn expect_rows(&mut self, count: usize) {
        if let Kind::Mapped { map, .. } = &mut self.kind {
            map.expect_rows(count);
        }
    }

    /// Bytes of memory of the values that were numbered.
    pub fn memory_bytes(&self) -> usize {
        match &self.kind {
            Kind::Null | Kind::Dictionary { .. } | Kind::DirectLongs { .. } => 0,
            Kind::Mapped { map, .. } => map.memory_bytes(),
            Kind::Numbers { values, .. } => values.memory_bytes(),
            Kind::Computed { reader, values, .. } => reader.memory_bytes() + values.memory_bytes(),
        }
    }

    /// The ids of a window's selected rows, and the number that all ids so far are below.
    pub fn ids<'b>(
        &'b mut self,
        window: Window,
        selection: Selection<'_>,
        loaded: &LoadedBlock<'b>,
    ) -> Result<(DimensionIds<'b>, usize)> {
        let Self { kind, output, ids, offsets } = self;
        let block_ids = match kind {
            Kind::Null => DimensionIds::Constant(NULL_ID),
            Kind::Dictionary { slot, .. } => match loaded.get(*slot) {
                Loaded::Ids(block_ids) => widen(block_ids, selection, window.capacity(), ids),
                Loaded::Multi(lists) => {
                    DimensionIds::Lists { offsets: lists.offsets, ids: lists.ids }
                }
                _ => return Err(not_loaded()),
            },
            Kind::Mapped { slot, map, multi } => {
                map_ids(loaded.get(*slot), window, selection, map, *multi, ids, offsets)?
            }
            Kind::DirectLongs { slot, column, min, id_count } => {
                ids.resize(window.capacity(), NULL_ID);
                match (FramedIds::of(*column, window.block(), *min)?, loaded.get(*slot)) {
                    (Some(packed), _) => packed.read(window.start(), *id_count, ids)?,
                    (None, Loaded::Long(values)) => {
                        direct_longs(&values, selection, *min, *id_count, ids)?;
                    }
                    _ => return Err(not_loaded()),
                }
                DimensionIds::Rows(ids)
            }
            Kind::Numbers { slot, values, .. } => {
                ids.resize(window.capacity(), NULL_ID);
                number_ids(loaded.get(*slot), selection, values, *output, ids)?;
                DimensionIds::Rows(ids)
            }
            Kind::Computed { reader, values, .. } => {
                let block_ids =
                    computed_ids(reader, window, selection, values, *output, ids, offsets)?;
                return Ok((block_ids, values.id_count()));
            }
        };
        Ok((block_ids, kind.id_count()))
    }

    /// The key column of groups whose ids are these.
    pub fn into_keys(self, ids: Vec<u32>, scope: KeyScope<'_>) -> Result<Column> {
        let output = self.output;
        Ok(match self.kind {
            Kind::Null => match output {
                ValueType::String => Column::Text(Text::nulls(ids.len())),
                ValueType::Long => Column::Long(Int64Array::new_null(ids.len())),
                ValueType::Double => Column::Double(Float64Array::new_null(ids.len())),
                ValueType::Float => Column::WideFloat(Float64Array::new_null(ids.len())),
            },
            Kind::Dictionary { name, column, .. } => {
                dictionary_keys(&name, column.dictionary(), ids, scope)?
            }
            Kind::Mapped { map, .. } => map.into_values().into_keys(ids, output, false),
            Kind::Numbers { values, source_float, .. }
            | Kind::Computed { values, source_float, .. } => {
                values.into_keys(ids, output, source_float)
            }
            Kind::DirectLongs { min, .. } => direct_keys(&ids, min, output),
        })
    }

    /// As [`Dimension::into_keys`], by the node's numbers where they are at hand and pay.
    pub fn into_values(self, ids: Vec<u32>, datasource: &Arc<str>) -> Result<Column> {
        let node = match &self.kind {
            Kind::Dictionary { node, .. } => node.clone(),
            Kind::Null
            | Kind::Mapped { .. }
            | Kind::DirectLongs { .. }
            | Kind::Numbers { .. }
            | Kind::Computed { .. } => None,
        };
        let scope = node.as_deref().map_or(KeyScope::Text, |dictionaries| {
            KeyScope::Node(NodeScope { dictionaries, datasource, expected_groups: ids.len() })
        });
        self.into_keys(ids, scope)
    }

    /// The hashes of the values by id, when the node keeps them or `wanted` are enough
    /// for it to.
    pub fn kept_hashes(&self, wanted: usize) -> Result<Option<Arc<[HllHash]>>> {
        match &self.kind {
            Kind::Dictionary { column, node: Some(node), .. } => {
                node.hashes_of(column.dictionary(), wanted)
            }
            _ => Ok(None),
        }
    }

    /// These ids, which ascend and are not that of null, with their values' hashes: the node remembers
    /// those of a dictionary.
    pub fn hashes_of_ids(
        &self,
        ids: &[u32],
        hash: impl Fn(Scalar<'_>) -> Option<HllHash>,
    ) -> Result<Vec<(u32, HllHash)>> {
        let make = |ids: &[u32]| {
            let mut hashes = Vec::with_capacity(ids.len());
            self.for_each_value(Some(ids), &mut |id, value| {
                hashes.extend(hash(value).map(|hash| (id, hash)));
            })?;
            Ok(hashes)
        };
        match &self.kind {
            Kind::Dictionary { column, node: Some(node), .. } => {
                node.hashes_of_ids(column.dictionary(), ids, make)
            }
            _ => make(ids),
        }
    }

    /// Calls `visit` with the value of each of these ids, which ascend (of all ids for `None`), that
    /// is not null.
    pub fn for_each_value(
        &self,
        ids: Option<&[u32]>,
        visit: &mut dyn FnMut(u32, Scalar<'_>),
    ) -> Result<()> {
        match &self.kind {
            Kind::Null => {}
            Kind::Dictionary { column, .. } => {
                for_each_text(column.dictionary(), ids, &mut |id, text| {
                    visit(id, Scalar::Text(text));
                })?;
            }
            Kind::Mapped { map, .. } => map.values().for_each(ids, visit),
            Kind::Numbers { values, .. } | Kind::Computed { values, .. } => {
                values.for_each(ids, visit);
            }
            Kind::DirectLongs { min, id_count, .. } => {
                let mut wanted = Wanted::new(ids);
                for id in (1..*id_count).filter(|&id| wanted.has(id)) {
                    visit(id, Scalar::Long(min.wrapping_add(i64::from(id) - 1)));
                }
            }
        }
        Ok(())
    }
}

fn mapped<'a>(
    name: &str,
    column: &'a dyn StringColumn,
    expression: Option<ExpressionSource<'a>>,
    output: ValueType,
    set: &mut ColumnSet<'a>,
) -> Kind<'a> {
    // An expression reads another column than the one it is named after.
    let name = if expression.is_some() { format!("input of {name}") } else { name.to_owned() };
    let slot = set.stored(&name, &Source::String(column));
    let map = Mapped::new(column.dictionary(), expression, output);
    Kind::Mapped { slot, map, multi: column.is_multi_value() }
}

/// Arithmetic that gives integers is computed a window at a time, as stored ones are decoded; any
/// other expression by row, or by what its inputs have in common.
fn computed<'a>(
    name: &str,
    source: ExpressionSource<'a>,
    output: ValueType,
    set: &mut ColumnSet<'a>,
) -> Kind<'a> {
    if matches!(output, ValueType::Long | ValueType::String)
        && let Some(arithmetic) = source.arithmetic().filter(Arithmetic::yields_longs)
    {
        let slot = set.computed_longs(name, arithmetic);
        return Kind::Numbers {
            slot,
            values: LocalValues::new(ValueType::Long),
            source_float: false,
            ends: None,
        };
    }
    let values = LocalValues::new(output);
    Kind::Computed { reader: ExpressionReader::new(source), values, source_float: false }
}

/// The values of stored pairs, read by row. FLOATs become text at the end, as FLOATs are written.
fn pair_values<'a>(pairs: Pairs<'a>, output: ValueType, columns: &Columns<'a>) -> Result<Kind<'a>> {
    let source_float = pairs.value_type() == ValueType::Float;
    let kept = if source_float && output == ValueType::String { ValueType::Double } else { output };
    let reader = ExpressionReader::new(columns.values_of(pairs)?);
    Ok(Kind::Computed { reader, values: LocalValues::new(kept), source_float })
}

fn numbers<'a>(
    name: &str,
    source: &Source<'a>,
    output: ValueType,
    source_float: bool,
    set: &mut ColumnSet<'a>,
) -> Kind<'a> {
    let key_type = match (output, source) {
        (ValueType::String, Source::Long(_)) => ValueType::Long,
        (ValueType::String, _) => ValueType::Double,
        (output, _) => output,
    };
    let values = LocalValues::new(key_type);
    Kind::Numbers { slot: set.stored(name, source), values, source_float, ends: None }
}

/// Integers within a narrow range, as statistics tell, need no table.
fn long_kind<'a>(
    name: &str,
    column: &'a dyn NumericColumn<i64>,
    output: ValueType,
    columns: &Columns<'a>,
    set: &mut ColumnSet<'a>,
) -> Result<Kind<'a>> {
    if matches!(output, ValueType::Long | ValueType::String) {
        let mut ends: Option<(i64, i64)> = None;
        let mut known = true;
        for block in 0..columns.view().block_count() {
            match column.stats(block)? {
                Some(stats) if (stats.null_count as usize) < columns.view().block_rows(block) => {
                    let (low, high) = ends.unwrap_or((stats.min, stats.max));
                    ends = Some((low.min(stats.min), high.max(stats.max)));
                }
                Some(_) => {}
                None => {
                    known = false;
                    break;
                }
            }
        }
        let (min, max) = ends.unwrap_or((0, 0));
        if known && max.abs_diff(min) < MAX_DIRECT_LONGS {
            let slot = set.stored(name, &Source::Long(column));
            let id_count = max.abs_diff(min) as u32 + 2;
            return Ok(Kind::DirectLongs { slot, column, min, id_count });
        }
        let slot = set.stored(name, &Source::Long(column));
        let values = LocalValues::new(ValueType::Long);
        let ends = ends.filter(|_| known);
        return Ok(Kind::Numbers { slot, values, source_float: false, ends });
    }
    Ok(numbers(name, &Source::Long(column), output, false, set))
}
