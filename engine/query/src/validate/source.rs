//! Checks of what a query reads: sub-queries are queries themselves, and joined columns have names of
//! their own.

use henge_types::TIME_COLUMN;

use crate::datasource::{DataSource, Join, Unnest};
use crate::error::{QueryError, Result};
use crate::limits::MAX_SUBQUERIES;
use crate::node::excerpt;
use crate::query::Query;

/// Checks the data source of a query.
pub(super) fn check(query: &Query) -> Result<()> {
    let source = &query.base().data_source;
    if source.is_stored() {
        return Ok(());
    }
    if let Query::SegmentMetadata(_) | Query::DataSourceMetadata(_) = query {
        return Err(QueryError::Unsupported {
            path: "dataSource".to_owned(),
            message: "there are no segments to tell of: ask for a datasource by its name"
                .to_owned(),
        });
    }
    let mut sub_queries = 0;
    count(source, &mut sub_queries);
    if sub_queries > MAX_SUBQUERIES {
        let message = format!("more than {MAX_SUBQUERIES} queries within the query");
        return Err(QueryError::invalid("dataSource", message));
    }
    walk(source, "dataSource")
}

fn count(source: &DataSource, sub_queries: &mut usize) {
    source.for_each_leaf(&mut |leaf| {
        if let DataSource::Query(query) = leaf {
            *sub_queries += 1;
            count(&query.base().data_source, sub_queries);
        }
    });
}

fn walk(source: &DataSource, path: &str) -> Result<()> {
    match source {
        DataSource::Query(query) => {
            query.validate().map_err(|error| error.within(&format!("{path}.query")))
        }
        DataSource::Join(join) => {
            walk(&join.left, &format!("{path}.left"))?;
            walk(&join.right, &format!("{path}.right"))?;
            self::join(join, path)
        }
        DataSource::Unnest(unnest) => {
            walk(&unnest.base, &format!("{path}.base"))?;
            self::unnest(unnest, path)
        }
        DataSource::Filtered(filtered) => walk(&filtered.base, &format!("{path}.base")),
        DataSource::Table(_)
        | DataSource::Union(_)
        | DataSource::Inline(_)
        | DataSource::Lookup(_)
        | DataSource::Rows(_) => Ok(()),
    }
}

fn join(join: &Join, path: &str) -> Result<()> {
    let taken = |prefix: &str| TIME_COLUMN.starts_with(prefix);
    if join.prefix.is_empty() || taken(&join.prefix) {
        let message = "must not be empty, nor what __time begins with";
        return Err(QueryError::invalid(format!("{path}.rightPrefix"), message));
    }
    // A prefix that begins with another one would take its columns.
    let mut left = &join.left;
    loop {
        match left {
            DataSource::Join(inner) => {
                let (own, other) = (&join.prefix, &inner.prefix);
                if own.starts_with(other.as_str()) || other.starts_with(own.as_str()) {
                    let message = format!(
                        "'{}' and '{}' of the join on the left begin alike; columns would be hidden",
                        excerpt(own),
                        excerpt(other)
                    );
                    return Err(QueryError::invalid(format!("{path}.rightPrefix"), message));
                }
                left = &inner.left;
            }
            DataSource::Unnest(unnest) => left = &unnest.base,
            DataSource::Filtered(filtered) => left = &filtered.base,
            _ => break,
        }
    }
    let checked = join.condition.check_uses();
    checked.map_err(|error| QueryError::invalid(format!("{path}.condition"), error.to_string()))
}

fn unnest(unnest: &Unnest, path: &str) -> Result<()> {
    if unnest.column.name == TIME_COLUMN {
        let message = "__time cannot be unnested; give the elements another name";
        return Err(QueryError::invalid(format!("{path}.virtualColumn.name"), message));
    }
    Ok(())
}
