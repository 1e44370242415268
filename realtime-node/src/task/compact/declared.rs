//! What of a segment is declared and not in its columns: projections, and which columns have no bitmap index.

use henge_platform::metadata::DATASOURCE;
use henge_query::ingest::{DataSchema, ProjectionSpec};
use henge_types::ProjectionDefinition;
use serde_json::{Value, json};

use super::Compaction;
use super::fetch::Source;
use crate::error::Result;

/// What is declared.
pub(super) struct Declared {
    pub(super) projections: Vec<ProjectionSpec>,
    /// STRING columns without bitmap index.
    pub(super) unindexed: Vec<String>,
}

impl Compaction {
    /// What the datasource's schema declares now. One that was only ever loaded has none: then the projections
    /// are those of the segments.
    pub(super) async fn declared(&mut self, sources: &[Source]) -> Result<Declared> {
        let name = &self.task.data_source;
        if let Some(document) = self.shared.metadata.get_document(DATASOURCE, name).await? {
            let schema = DataSchema::parse_stored(document.body_json.as_bytes())?;
            let dimensions = schema.dimensions_spec.dimensions.into_iter();
            let unindexed = dimensions.filter(|dimension| !dimension.create_bitmap_index);
            let unindexed = unindexed.map(|dimension| dimension.name).collect();
            return Ok(Declared { projections: schema.projections, unindexed });
        }
        let mut projections: Vec<ProjectionSpec> = Vec::new();
        for stored in sources.iter().flat_map(|source| source.view.projections()) {
            let definition = &stored.definition;
            if projections.iter().any(|known| known.name == definition.name) {
                continue;
            }
            match declaration(definition) {
                Some(projection) => projections.push(projection),
                None => self.note(format!("projection '{}' is left behind", definition.name)),
            }
        }
        Ok(Declared { projections, unindexed: Vec::new() })
    }
}

/// The declaration that a stored projection was built from; `None` when it cannot be told for certain.
fn declaration(definition: &ProjectionDefinition) -> Option<ProjectionSpec> {
    let parsed = |text: &String| serde_json::from_str::<Value>(text).ok();
    let filters: Option<Vec<Value>> = definition.filters.iter().map(parsed).collect();
    let aggregators = definition.aggregators.iter().map(|aggregator| parsed(&aggregator.spec));
    let aggregators: Option<Vec<Value>> = aggregators.collect();
    let computed = definition.virtual_columns.iter().map(|column| {
        let output = column.output_type.map(|output| output.to_string());
        json!({ "type": "expression", "name": column.name, "expression": column.expression,
            "outputType": output })
    });
    let grouping = definition.grouping_columns.iter().map(|column| match column.column_type {
        None => json!(column.name),
        Some(given) => json!({ "type": given.to_string().to_lowercase(), "name": column.name }),
    });
    let mut projection = json!({
        "type": "aggregate",
        "name": definition.name,
        "virtualColumns": computed.collect::<Vec<Value>>(),
        "granularity": definition.granularity,
        "groupingColumns": grouping.collect::<Vec<Value>>(),
        "aggregators": aggregators?,
    });
    match filters?.as_mut_slice() {
        [] => {}
        [only] => projection["filter"] = only.take(),
        several => projection["filter"] = json!({ "type": "and", "fields": several }),
    }
    let schema = json!({ "dataSource": "d", "timestampSpec": { "column": "t" },
        "dimensionsSpec": {}, "projections": [projection] });
    let schema = DataSchema::parse(schema.to_string().as_bytes()).ok()?;
    schema.projections.into_iter().find(|found| found.definition() == *definition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_is_declared_again_exactly_or_not_at_all() {
        let schema = br#"{"dataSource": "d", "timestampSpec": {"column": "t"}, "projections": [
            {"type": "aggregate", "name": "p", "granularity": "hour", "groupingColumns": ["page", "kind"],
                "virtualColumns": [{"type": "expression", "name": "kind", "expression": "concat(page, 'x')",
                    "outputType": "STRING"}],
                "filter": {"type": "selector", "dimension": "tenant", "value": "a"},
                "aggregators": [{"type": "count", "name": "n"},
                    {"type": "longSum", "name": "x", "fieldName": "x"}]}]}"#;
        let schema = DataSchema::parse(schema).unwrap();
        let definition = schema.projections[0].definition();
        assert_eq!(declaration(&definition).unwrap().definition(), definition);
        let unreadable = ProjectionDefinition { filters: vec!["{".into()], ..definition };
        assert!(declaration(&unreadable).is_none());
    }
}
