//! DataFusion's errors as SQL's: whose fault, where, and what to write instead.

use datafusion::common::{DataFusionError, SchemaError};
use henge_query::closest_name;
use henge_types::ErrorClass;

use crate::error::SqlError;
use crate::{aggregates, functions};

/// An error of planning or running.
#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
pub(crate) fn sql_error(error: DataFusionError) -> SqlError {
    if let Some(own) = own(&error) {
        return own.clone();
    }
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let told = match error.find_root() {
        DataFusionError::SchemaError(schema, _) => SqlError::invalid(schema_message(schema)),
        DataFusionError::NotImplemented(message) => SqlError::unsupported(unsupported(message)),
        DataFusionError::ResourcesExhausted(message) => {
            SqlError::new(ErrorClass::ResourceLimit, exhausted(message))
        }
        DataFusionError::Plan(message) => SqlError::invalid(plan_message(message)),
        DataFusionError::SQL(error, _) => SqlError::invalid(error.to_string()),
        DataFusionError::Configuration(message) | DataFusionError::Execution(message) => {
            SqlError::invalid(first_line(message))
        }
        DataFusionError::ArrowError(error, _) => SqlError::invalid(first_line(&error.to_string())),
        // Whatever was being done when it happened is part of its text.
        _ => SqlError::new(
            ErrorClass::Internal,
            error.to_string().chars().take(2_000).collect::<String>(),
        ),
    };
    match place {
        Some(span) if span.start.line > 0 => told.at(span.start.line, span.start.column),
        _ => told,
    }
}

/// An error of ours that came through DataFusion.
fn own(error: &DataFusionError) -> Option<&SqlError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast_ref::<SqlError>() {
            Some(own) => Some(own),
            None => inner.downcast_ref::<DataFusionError>().and_then(own),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => own(inner),
        DataFusionError::Shared(inner) => own(inner),
        DataFusionError::Collection(errors) => errors.first().and_then(own),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            datafusion::arrow::error::ArrowError::ExternalError(inner) => {
                inner.downcast_ref::<DataFusionError>().and_then(own)
            }
            _ => None,
        },
        _ => None,
    }
}

fn schema_message(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known = valid_fields.iter().map(|column| column.name.as_str());
            known_or_not("column", &field.name, known)
        }
        SchemaError::AmbiguousReference { field } => {
            format!("column '{}' is in several tables; write the table before it", field.name)
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            format!("two columns are called '{name}'; give one another name by AS")
        }
    }
}

/// A name that is not known, with the one that was meant.
pub(super) fn known_or_not<'k>(
    kind: &str,
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> String {
    let near = closest_name(name, known);
    let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    format!("{kind} '{name}' is not known{hint}")
}

fn plan_message(message: &str) -> String {
    let name = message.strip_prefix("Invalid function '").and_then(|rest| rest.split_once('\''));
    let Some((name, _)) = name else { return first_line(own_words(message)) };
    let (scalars, aggregates) = (functions::scalars(), aggregates::all());
    let scalars = scalars.iter().map(|function| (function.name(), function.aliases()));
    let aggregates = aggregates.iter().map(|function| (function.name(), function.aliases()));
    let known = scalars
        .chain(aggregates)
        .flat_map(|(name, aliases)| aliases.iter().map(String::as_str).chain([name]));
    known_or_not("function", name, known)
}

/// What a function of ours says of its arguments, without what DataFusion puts around it.
fn own_words(message: &str) -> &str {
    let said = message.split_once("coercion failed with: Error during planning: ");
    let said = said.map_or(message, |(_, said)| said);
    said.split(". No function matches")
        .next()
        .unwrap_or(said)
        .trim_end_matches(" No function matches")
}

/// What to write instead of what DataFusion does not do.
fn unsupported(message: &str) -> String {
    let subquery = ["InSubquery", "Exists", "ScalarSubquery"]
        .iter()
        .any(|kind| message.contains(&format!("logical expression {kind}")));
    if subquery {
        return "a subquery cannot stand here; put IN and EXISTS into WHERE, or join the subquery"
            .to_owned();
    }
    first_line(message)
}

/// What to say of memory that is short, with our settings where the text names those of others.
fn exhausted(message: &str) -> String {
    if message.contains("DiskManager is disabled") {
        return "the statement needs more memory than it may have, and may not spill: sort and group fewer \
                rows, or raise sql.memory_bytes or sql.spill_bytes"
            .to_owned();
    }
    if message.contains("disk space") {
        return "the statement needs more temporary files than there may be: sort and group fewer rows, or \
                raise sql.spill_bytes"
            .to_owned();
    }
    format!("the statement needs more memory than it may have: {}", first_line(message))
}

/// Backtraces and lists of candidates follow in further lines.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(500).collect()
}
