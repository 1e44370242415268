//! From a query's filter to a tree of leaves over one segment's columns.

use henge_expr::ExprValue;
use henge_query::Filter;
use henge_query::comparison::{Comparison, FilterValue, Leaf, NumericTest, Truth};
use henge_segment::StringColumn;
use henge_types::ValueType;

use super::block_value::BlockValue;
use super::id_leaf::{IdLeaf, MultiLeaf};
use super::leaf::{ExpressionLeaf, RowValues, TextLeaf, ValueTest};
use super::met_leaf::MetLeaf;
use super::node::Node;
use super::numeric_leaf::NumericLeaf;
use crate::column::{Columns, ExpressionReader, ExpressionSource, Source};
use crate::error::{ExecError, Result};
use crate::id_test::IdTest;
use crate::node::Search;

/// Smaller dictionaries are searched faster than what was found is kept.
const MIN_KEPT_VALUES: u32 = 1 << 12;

/// Compiles a filter against a segment.
pub(super) fn compile<'a>(filter: &'a Filter, columns: &Columns<'a>) -> Result<Node<'a>> {
    rows_where(filter, Truth::True, columns)
}

/// The rows for which the filter is true (or is false). De Morgan's laws hold with unknowns too.
fn rows_where<'a>(filter: &'a Filter, wanted: Truth, columns: &Columns<'a>) -> Result<Node<'a>> {
    let all = |filters: &'a [Filter]| {
        filters.iter().map(|inner| rows_where(inner, wanted, columns)).collect::<Result<Vec<_>>>()
    };
    match filter {
        Filter::True | Filter::False => {
            let holds = matches!(filter, Filter::True) == (wanted == Truth::True);
            Ok(if holds { Node::Everything } else { Node::Nothing })
        }
        Filter::Not(inner) => rows_where(inner, !wanted, columns),
        Filter::IsTrue(inner) => {
            let holds = rows_where(inner, Truth::True, columns)?;
            Ok(if wanted == Truth::True { holds } else { Node::except(holds) })
        }
        Filter::And(filters) if wanted == Truth::True => Ok(Node::and(all(filters)?)),
        Filter::Or(filters) if wanted == Truth::True => Ok(Node::or(all(filters)?)),
        Filter::And(filters) => Ok(Node::or(all(filters)?)),
        Filter::Or(filters) => Ok(Node::and(all(filters)?)),
        Filter::Expression { expression } => {
            let test = Box::new(Truth::of_expr_value);
            match expression.as_identifier() {
                Some(name) => match columns.resolve(name)? {
                    Source::Expression(source) => expression_leaf(source, test, wanted, columns),
                    _ => expression_leaf(columns.bind(expression, None)?, test, wanted, columns),
                },
                None => expression_leaf(columns.bind(expression, None)?, test, wanted, columns),
            }
        }
        leaf => match Comparison::of(leaf) {
            Some((name, comparison)) => compare((name, leaf), comparison, wanted, columns),
            None => Err(ExecError::Internal("filter is no comparison".to_owned())),
        },
    }
}

fn compare<'a>(
    (name, leaf): (&str, &Filter),
    comparison: Comparison<'a>,
    wanted: Truth,
    columns: &Columns<'a>,
) -> Result<Node<'a>> {
    match columns.resolve(name)? {
        Source::Missing => Ok(constant(comparison.of_null() == wanted)),
        Source::String(column) => compare_text(column, leaf, comparison, wanted, columns),
        Source::Long(column) => Ok(match comparison.numeric_test::<i64>() {
            Some(test) => Node::Long(numeric(column, test, &comparison, wanted)),
            None => as_text(RowValues::Long(column), comparison, wanted),
        }),
        Source::Float(column) => Ok(match comparison.numeric_test::<f32>() {
            Some(test) => Node::Float(numeric(column, test, &comparison, wanted)),
            None => as_text(RowValues::Float(column), comparison, wanted),
        }),
        Source::Double(column) => Ok(match comparison.numeric_test::<f64>() {
            Some(test) => Node::Double(numeric(column, test, &comparison, wanted)),
            None => as_text(RowValues::Double(column), comparison, wanted),
        }),
        Source::Expression(source) => compare_computed(source, comparison, wanted, columns),
        Source::Pairs(pairs) => {
            compare_computed(columns.values_of(pairs)?, comparison, wanted, columns)
        }
        Source::Complex(column) => Err(ExecError::Invalid(format!(
            "filter on column '{name}': it holds {}, which cannot be compared",
            column.type_name()
        ))),
    }
}

/// Which values of a dictionary pass is asked for before it is searched, and told the node after.
fn compare_text<'a>(
    column: &'a dyn StringColumn,
    leaf: &Filter,
    comparison: Comparison<'a>,
    wanted: Truth,
    columns: &Columns<'a>,
) -> Result<Node<'a>> {
    let dictionary = column.dictionary();
    let node = columns.found_on_node();
    let search = match (node, dictionary.instance()) {
        (Some(_), Some(instance))
            if dictionary.len() >= MIN_KEPT_VALUES
                && IdTest::must_see_values(&comparison, dictionary)? =>
        {
            Some(Search { dictionary: instance, filter: leaf.to_value().to_string(), wanted })
        }
        _ => None,
    };
    if let Some(found) = search.as_ref().and_then(|search| node?.found(search)) {
        return string_leaf(column, found, wanted, columns);
    }
    if columns.reads_few() && MetLeaf::pays(column, &comparison)? {
        let leaf = MetLeaf::new(columns.view(), column, comparison, wanted);
        return Ok(Node::Met(Box::new(leaf)));
    }
    let test = IdTest::compile(&comparison, wanted, dictionary)?;
    if let (Some(node), Some(search)) = (node, search) {
        node.keep_found(search, &test);
    }
    string_leaf(column, test, wanted, columns)
}

fn compare_computed<'a>(
    source: ExpressionSource<'a>,
    comparison: Comparison<'a>,
    wanted: Truth,
    columns: &Columns<'a>,
) -> Result<Node<'a>> {
    let leaf = Leaf::new(comparison);
    let test: ValueTest<'a> = match source.output_type() {
        Some(ValueType::Float) => Box::new(move |value| of_float(&leaf, value)),
        _ => Box::new(move |value| leaf.of_expr_value(value)),
    };
    expression_leaf(source, test, wanted, columns)
}

fn constant<'a>(holds: bool) -> Node<'a> {
    if holds { Node::Everything } else { Node::Nothing }
}

fn numeric<'a, T: BlockValue>(
    column: &'a dyn henge_segment::NumericColumn<T>,
    test: NumericTest<T>,
    comparison: &Comparison<'_>,
    wanted: Truth,
) -> NumericLeaf<'a, T> {
    NumericLeaf::new(column, test, wanted, comparison.of_null() == wanted)
}

fn as_text<'a>(values: RowValues<'a>, comparison: Comparison<'a>, wanted: Truth) -> Node<'a> {
    Node::Text(TextLeaf::new(values, Leaf::new(comparison), wanted))
}

/// Expressions compute floats as doubles; they compare as floats.
fn of_float(leaf: &Leaf<'_>, value: &ExprValue) -> Truth {
    match value {
        ExprValue::Double(value) => leaf.truth(FilterValue::Float(*value as f32)),
        ExprValue::Array(items) if !items.is_empty() => {
            Truth::any(items.iter().map(|item| of_float(leaf, item)))
        }
        other => leaf.of_expr_value(other),
    }
}

fn string_leaf<'a>(
    column: &'a dyn StringColumn,
    test: IdTest,
    wanted: Truth,
    columns: &Columns<'a>,
) -> Result<Node<'a>> {
    Ok(match test {
        IdTest::Nothing => Node::Nothing,
        IdTest::Everything => Node::Everything,
        test if column.is_multi_value() => {
            Node::Multi(MultiLeaf::new(columns.view(), column, test, wanted)?)
        }
        test => Node::Ids(IdLeaf::new(columns.view(), column, test)?),
    })
}

/// Over one string column an expression is a test of dictionary ids; else it is evaluated by row.
fn expression_leaf<'a>(
    source: ExpressionSource<'a>,
    test: ValueTest<'a>,
    wanted: Truth,
    columns: &Columns<'a>,
) -> Result<Node<'a>> {
    if source.is_constant() {
        return Ok(constant(test(&source.of_text(None)?) == wanted));
    }
    if let Some(column) = source.only_string_input()
        && column.dictionary().len() as usize <= columns.view().row_count()
    {
        let ids = IdTest::of_dictionary(column.dictionary(), |text| {
            Ok(test(&source.of_text(text)?) == wanted)
        })?;
        return string_leaf(column, ids, wanted, columns);
    }
    Ok(Node::Expression(ExpressionLeaf::new(ExpressionReader::new(source), test, wanted)))
}
