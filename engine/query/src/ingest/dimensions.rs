//! `dimensionsSpec`.

use henge_types::{ColumnType, TIME_COLUMN, ValueType};
use serde_json::{Value, json};

use crate::error::Result;
use crate::node::{Node, excerpt};
use crate::parse::value_type;

/// The dimensions of a datasource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DimensionsSpec {
    /// The declared ones, in sort order.
    pub dimensions: Vec<IngestDimension>,
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

    pub(super) fn read(schema: &Node<'_>) -> Result<Self> {
        let Some(node) = schema.get("dimensionsSpec") else { return Ok(Self::default()) };
        node.only_fields(&[
            "dimensions",
            "dimensionExclusions",
            "spatialDimensions",
            "useSchemaDiscovery",
            "includeAllDimensions",
            "forceSegmentSortByTime",
        ])?;
        if let Some(spatial) = node.get("spatialDimensions")
            && spatial.items()?.len() > 0
        {
            return Err(spatial.unsupported("spatial dimensions are not supported"));
        }
        if !node.boolean_or("forceSegmentSortByTime", true)? {
            node.refuse("forceSegmentSortByTime", "segments are always sorted by time first")?;
        }
        Ok(Self {
            dimensions: node.list("dimensions", dimension)?,
            exclusions: node.list("dimensionExclusions", |node| node.name())?,
            use_schema_discovery: node.boolean_or("useSchemaDiscovery", false)?,
            include_all_dimensions: node.boolean_or("includeAllDimensions", false)?,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        json!({
            "dimensions": self.dimensions.iter().map(IngestDimension::to_value).collect::<Vec<_>>(),
            "dimensionExclusions": self.exclusions,
            "useSchemaDiscovery": self.use_schema_discovery,
            "includeAllDimensions": self.include_all_dimensions,
        })
    }
}

/// The type that follows the values.
const AUTO: &str = "auto";
const SUPPORTED: &[&str] = &["string", "long", "float", "double", AUTO];

fn dimension(node: &Node<'_>) -> Result<IngestDimension> {
    let dimension = if node.value().is_string() {
        IngestDimension {
            name: node.name()?,
            column_type: Some(ColumnType::String),
            create_bitmap_index: true,
            multi_value: MultiValueHandling::default(),
        }
    } else {
        node.only_fields(&[
            "name",
            "type",
            "createBitmapIndex",
            "multiValueHandling",
            "castToType",
        ])?;
        let column_type = dimension_type(node)?;
        let may_be_text = may_be_text(column_type.as_ref());
        IngestDimension {
            name: node.require("name", "name the field")?.name()?,
            column_type,
            create_bitmap_index: node.boolean_or("createBitmapIndex", true)? && may_be_text,
            multi_value: multi_value(node)?,
        }
    };
    if dimension.name == TIME_COLUMN {
        return Err(node.invalid("__time is always there; leave it out of the dimensions"));
    }
    Ok(dimension)
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
