//! `dimensionsSpec`.

use henge_types::{ColumnType, TIME_COLUMN, ValueType};
use serde_json::{Value, json};

use crate::error::Result;
use crate::node::{Node, excerpt};
use crate::parse::value_type;

/// The dimensions of a datasource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DimensionsSpec {
    /// The declared ones, in sort order; `__time` is not among them.
    pub dimensions: Vec<IngestDimension>,
    /// How many of them sort rows before `__time` does.
    pub time_position: usize,
    /// Whether the spec lists `__time` at that position.
    pub lists_time: bool,
    /// Fields that discovery leaves out.
    pub exclusions: Vec<String>,
    /// Discover fields, each with the type of its values.
    pub use_schema_discovery: bool,
    /// Discover fields beside the declared ones.
    pub include_all_dimensions: bool,
}

/// One declared dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestDimension {
    /// The field, and the column.
    pub name: String,
    /// Its type; `None` is that of the values (`auto`).
    pub column_type: Option<ColumnType>,
    /// Keep a bitmap per value (strings only).
    pub create_bitmap_index: bool,
    /// How several values of one row are kept (strings only).
    pub multi_value: MultiValueHandling,
}

/// How several values of one row are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MultiValueHandling {
    /// Sorted.
    #[default]
    SortedArray,
    /// Sorted, without duplicates.
    SortedSet,
    /// As they come.
    Array,
}

impl DimensionsSpec {
    /// True when fields that are not declared become dimensions: with nothing declared, or when
    /// the spec asks for it.
    #[must_use]
    pub fn discovers(&self) -> bool {
        self.dimensions.is_empty() || self.use_schema_discovery || self.include_all_dimensions
    }

    /// The names of the dimensions that sort rows before `__time` does, in order.
    pub fn before_time(&self) -> impl Iterator<Item = &str> {
        let leading = self.dimensions.iter().take(self.time_position);
        leading.map(|dimension| dimension.name.as_str())
    }

    /// The position of a declared dimension in the list that the spec gives.
    pub(super) fn listed_position(&self, position: usize) -> usize {
        position + usize::from(self.lists_time && position >= self.time_position)
    }

    pub(super) fn read(schema: &Node<'_>) -> Result<Self> {
        let Some(node) = schema.get("dimensionsSpec") else { return Ok(Self::default()) };
        node.only_fields(&[
            "dimensions",
            "dimensionExclusions",
            "spatialDimensions",
            "useSchemaDiscovery",
            "includeAllDimensions",
            FORCE_TIME_FIRST,
        ])?;
        if let Some(spatial) = node.get("spatialDimensions")
            && spatial.items()?.len() > 0
        {
            return Err(spatial.unsupported("spatial dimensions are not supported"));
        }
        let time_first = node.boolean_or(FORCE_TIME_FIRST, true)?;
        let (dimensions, time) = declared(&node, time_first)?;
        let time_position = time.unwrap_or(if time_first { 0 } else { dimensions.len() });
        Ok(Self {
            dimensions,
            time_position,
            lists_time: time.is_some(),
            exclusions: node.list("dimensionExclusions", |node| node.name())?,
            use_schema_discovery: node.boolean_or("useSchemaDiscovery", false)?,
            include_all_dimensions: node.boolean_or("includeAllDimensions", false)?,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let mut dimensions: Vec<Value> =
            self.dimensions.iter().map(IngestDimension::to_value).collect();
        if self.lists_time {
            dimensions.insert(self.time_position, json!({"type": "long", "name": TIME_COLUMN}));
        }
        let mut value = json!({
            "dimensions": dimensions,
            "dimensionExclusions": self.exclusions,
            "useSchemaDiscovery": self.use_schema_discovery,
            "includeAllDimensions": self.include_all_dimensions,
        });
        if self.time_position > 0 {
            value[FORCE_TIME_FIRST] = json!(false);
        }
        value
    }
}

const FORCE_TIME_FIRST: &str = "forceSegmentSortByTime";

/// The type that follows the values.
const AUTO: &str = "auto";
const SUPPORTED: &[&str] = &["string", "long", "float", "double", AUTO];

/// The list of dimensions without `__time`, and the place that it had among them.
fn declared(spec: &Node<'_>, time_first: bool) -> Result<(Vec<IngestDimension>, Option<usize>)> {
    let (mut dimensions, mut time) = (Vec::new(), None);
    let Some(list) = spec.get("dimensions") else { return Ok((dimensions, time)) };
    for node in list.items()? {
        let dimension = dimension(&node)?;
        if dimension.name != TIME_COLUMN {
            dimensions.push(dimension);
            continue;
        }
        if dimension.column_type != Some(ColumnType::Long) {
            let message = "__time is a long: write {\"type\": \"long\", \"name\": \"__time\"}";
            return Err(node.invalid(message));
        }
        if time.is_some() {
            return Err(node.invalid("there is another column '__time'; names must differ"));
        }
        if time_first && !dimensions.is_empty() {
            return Err(node.invalid(format!(
                "rows are sorted by __time first; for the dimensions before it to come first, set \
                 dimensionsSpec.{FORCE_TIME_FIRST} to false"
            )));
        }
        time = Some(dimensions.len());
    }
    Ok((dimensions, time))
}

fn dimension(node: &Node<'_>) -> Result<IngestDimension> {
    if node.value().is_string() {
        return Ok(IngestDimension {
            name: node.name()?,
            column_type: Some(ColumnType::String),
            create_bitmap_index: true,
            multi_value: MultiValueHandling::default(),
        });
    }
    node.only_fields(&["name", "type", "createBitmapIndex", "multiValueHandling", "castToType"])?;
    let column_type = dimension_type(node)?;
    let may_be_text = may_be_text(column_type.as_ref());
    Ok(IngestDimension {
        name: node.require("name", "name the field")?.name()?,
        column_type,
        create_bitmap_index: node.boolean_or("createBitmapIndex", true)? && may_be_text,
        multi_value: multi_value(node)?,
    })
}

/// `None` for `auto`.
fn dimension_type(node: &Node<'_>) -> Result<Option<ColumnType>> {
    if node.get("type").is_none() {
        return Ok(Some(ColumnType::String));
    }
    let name = node.type_name(SUPPORTED)?;
    if name.eq_ignore_ascii_case(AUTO) {
        let cast = node.get("castToType").map(|cast| value_type(&cast)).transpose()?;
        return Ok(cast.map(ColumnType::from));
    }
    match name.parse::<ValueType>() {
        Ok(value_type) => Ok(Some(value_type.into())),
        Err(_) => Err(node.bad_type("dimension", name, SUPPORTED, &["json", "spatial"])),
    }
}

fn may_be_text(column_type: Option<&ColumnType>) -> bool {
    column_type.is_none_or(|column_type| *column_type == ColumnType::String)
}

fn multi_value(node: &Node<'_>) -> Result<MultiValueHandling> {
    let Some(node) = node.get("multiValueHandling") else { return Ok(Default::default()) };
    let name = node.text()?;
    match name.to_ascii_uppercase().as_str() {
        "SORTED_ARRAY" => Ok(MultiValueHandling::SortedArray),
        "SORTED_SET" => Ok(MultiValueHandling::SortedSet),
        "ARRAY" => Ok(MultiValueHandling::Array),
        _ => Err(node.invalid(format!(
            "'{}' is unknown: use SORTED_ARRAY, SORTED_SET or ARRAY",
            excerpt(name)
        ))),
    }
}

impl IngestDimension {
    fn to_value(&self) -> Value {
        let column_type = self.column_type.as_ref();
        let name = column_type.map_or(AUTO.to_owned(), |t| t.to_string().to_ascii_lowercase());
        if !may_be_text(column_type) {
            return json!({"type": name, "name": self.name});
        }
        let multi_value = match self.multi_value {
            MultiValueHandling::SortedArray => "SORTED_ARRAY",
            MultiValueHandling::SortedSet => "SORTED_SET",
            MultiValueHandling::Array => "ARRAY",
        };
        json!({
            "type": name,
            "name": self.name,
            "multiValueHandling": multi_value,
            "createBitmapIndex": self.create_bitmap_index,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::DataSchema;
    use super::*;

    fn schema(dimensions_spec: &Value) -> Result<DataSchema> {
        DataSchema::from_value(&json!({"dataSource": "d", "dimensionsSpec": dimensions_spec}))
    }

    fn spec(dimensions: Value, fields: Value) -> Value {
        let mut spec = fields;
        spec["dimensions"] = dimensions;
        spec
    }

    fn time() -> Value {
        json!({"type": "long", "name": "__time"})
    }

    #[test]
    fn dimensions_before_the_time_are_read_and_written_back() {
        let free = || json!({"forceSegmentSortByTime": false});
        let cases: [(Value, Value, &[&str]); 7] = [
            (json!(["a", time(), "b"]), free(), &["a"]),
            (json!([time(), "a", "b"]), free(), &[]),
            (json!([time(), "a", "b"]), json!({}), &[]),
            (json!(["a", "b", time()]), free(), &["a", "b"]),
            // Without a place of its own, time comes last.
            (json!(["a", "b"]), free(), &["a", "b"]),
            (json!(["a", "b"]), json!({"forceSegmentSortByTime": true}), &[]),
            (json!([]), free(), &[]),
        ];
        for (dimensions, fields, leading) in cases {
            let given = spec(dimensions, fields);
            let read = schema(&given).expect("a schema");
            let again = DataSchema::parse_stored(read.to_value().to_string().as_bytes());
            assert_eq!(again.expect("the same").dimensions_spec, read.dimensions_spec, "{given}");
            let before_time: Vec<&str> = read.dimensions_spec.before_time().collect();
            assert_eq!(before_time, leading, "{given}");
            assert!(read.dimensions_spec.dimensions.iter().all(|d| d.name != TIME_COLUMN));
        }
    }

    #[test]
    fn time_among_the_dimensions_is_a_long_and_first_unless_asked_otherwise() {
        let refused = |dimensions: Value, fields: Value, beginning: &str| {
            let error = schema(&spec(dimensions, fields)).expect_err("refused").to_string();
            assert!(error.starts_with(beginning), "{error}");
        };
        let moved = "dimensionsSpec.dimensions[1]: rows are sorted by __time first; for the \
                     dimensions before it to come first, set \
                     dimensionsSpec.forceSegmentSortByTime to false";
        refused(json!(["a", time()]), json!({}), moved);
        refused(json!(["a", time()]), json!({"forceSegmentSortByTime": true}), moved);
        let free = json!({"forceSegmentSortByTime": false});
        let long = "dimensionsSpec.dimensions[1]: __time is a long: write";
        refused(json!(["a", "__time"]), free.clone(), long);
        refused(json!(["a", {"type": "double", "name": "__time"}]), free.clone(), long);
        refused(
            json!([time(), "a", time()]),
            free,
            "dimensionsSpec.dimensions[2]: there is another column '__time'",
        );
    }
}
