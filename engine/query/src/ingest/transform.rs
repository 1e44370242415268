//! `transformSpec`: computed fields and the row filter.

use std::collections::HashSet;

use henge_expr::Expr;
use serde_json::{Value, json};

use crate::error::{QueryError, Result};
use crate::filter::Filter;
use crate::node::Node;
use crate::parse::{expression, optional_plain_filter};

/// Computed fields and the row filter.
#[derive(Debug, Clone, Default)]
pub struct TransformSpec {
    /// Each reads the event's own fields, never another transform; it may shadow a field or
    /// `__time`.
    pub transforms: Vec<Transform>,
    /// Rows must pass this, after the transforms.
    pub filter: Option<Filter>,
}

/// One computed field.
#[derive(Debug, Clone)]
pub struct Transform {
    /// The name of the field.
    pub name: String,
    /// How it is computed.
    pub expression: Expr,
}

impl TransformSpec {
    pub(super) fn read(schema: &Node<'_>) -> Result<Self> {
        let Some(node) = schema.get("transformSpec") else { return Ok(Self::default()) };
        node.only_fields(&["transforms", "filter"])?;
        let transforms = node.list("transforms", transform)?;
        let mut names = HashSet::new();
        for (index, transform) in transforms.iter().enumerate() {
            if !names.insert(transform.name.as_str()) {
                let path = format!("{}.transforms[{index}].name", node.path());
                let message = format!("there is another transform '{}'", transform.name);
                return Err(QueryError::invalid(path, message));
            }
        }
        Ok(Self { filter: optional_plain_filter(&node, "filter")?, transforms })
    }

    pub(super) fn to_value(&self) -> Value {
        let transforms: Vec<Value> = self.transforms.iter().map(Transform::to_value).collect();
        json!({
            "transforms": transforms,
            "filter": self.filter.as_ref().map(Filter::to_value),
        })
    }
}

impl Transform {
    fn to_value(&self) -> Value {
        json!({"type": "expression", "name": self.name, "expression": self.expression.text()})
    }
}

fn transform(node: &Node<'_>) -> Result<Transform> {
    match node.type_name(&["expression"])? {
        "expression" => {}
        other => return Err(node.bad_type("transform", other, &["expression"], &[])),
    }
    node.only_fields(&["type", "name", "expression"])?;
    Ok(Transform {
        name: node.require("name", "name the computed field")?.name()?,
        expression: expression(&node.require("expression", "give an expression")?)?,
    })
}
