"""Builders of native queries, and of the entries of a list of queries.

An entry has a name, a table, the question in DuckDB's, ClickHouse's and DataFusion's SQL, and the native
query. Henge's SQL is DuckDB's, or what is given as `own`. The last columns of the SQL are the aggregations in the native query's order, then what follows
from them; `cols` gives their positions where that is not so.

An entry with `row` is compared row by row: these are the names in the native answer of the SQL's columns.
One without a native query says in `missing` why there is none.
"""


class List(list):
    """A list of queries: `ask` adds one."""

    def ask(self, name, table, sql, native, ch=None, df=None, own=None, cols=None, **rows):
        """UNIQ(x) in the SQL is each one's own estimate of the number of distinct values. `rows`: see `answers.py`."""
        said = lambda text, function: (text or sql).replace('UNIQ(', function + '(')
        self.append(dict(name=name, table=table, native=native, cols=cols, duck=said(None, 'approx_count_distinct'),
                         ch=said(ch, 'uniq'), df=said(df, 'approx_distinct'), sql=said(own, 'APPROX_COUNT_DISTINCT'), **rows))


def query(kind, table, interval, aggregations, granularity='all', **rest):
    """Fields that are None or empty are left out."""
    fields = dict(queryType=kind, dataSource=table, intervals=[interval], granularity=granularity, aggregations=aggregations)
    fields.update({name: value for name, value in rest.items() if value})
    return fields


def timeseries(table, interval, aggregations, granularity='all', filter=None, virtual=None, post=None):
    return query('timeseries', table, interval, aggregations, granularity, filter=filter, virtualColumns=virtual, postAggregations=post)


def top(table, interval, dimension, metric, threshold, aggregations, filter=None, virtual=None, post=None):
    return query('topN', table, interval, aggregations, dimension=dimension, metric=metric, threshold=threshold, filter=filter,
                 virtualColumns=virtual, postAggregations=post)


def group(table, interval, dimensions, aggregations, granularity='all', filter=None, order=None, limit=None, having=None, virtual=None, post=None,
          offset=None):
    cut = {name: value for name, value in (('limit', limit), ('offset', offset)) if value}
    limits = {'type': 'default', 'columns': order or [], **cut} if order or limit else None
    return query('groupBy', table, interval, aggregations, granularity, dimensions=dimensions, filter=filter, limitSpec=limits,
                 having=having, virtualColumns=virtual, postAggregations=post)


def scan(table, interval, columns, limit, order='none', filter=None):
    """`order` is a direction of time, or a list of columns, each ascending."""
    by = {'order': order} if isinstance(order, str) else {'orderBy': [{'columnName': column, 'order': 'ascending'} for column in order]}
    fields = dict(queryType='scan', dataSource=table, intervals=[interval], columns=list(columns), limit=limit, **by)
    return dict(fields, filter=filter) if filter else fields


COUNT = {'type': 'count', 'name': 'cnt'}


def agg(kind, field, name=None):
    return {'type': kind, 'name': name or field, 'fieldName': field}


def long_sum(field, name=None):
    return agg('longSum', field, name)


def double_sum(field, name=None):
    return agg('doubleSum', field, name)


def distinct(field):
    return {'type': 'HLLSketchBuild', 'name': 'uniques', 'fieldName': field, 'round': True}


def exact_distinct(field, name):
    return agg('exactDistinctCount', field, name)


def least(field):
    return agg('stringMin', field, field)


def where(filter, aggregator):
    return {'type': 'filtered', 'name': aggregator['name'], 'filter': filter, 'aggregator': aggregator}


def expression(name, text, type='LONG'):
    return {'type': 'expression', 'name': name, 'expression': text, 'outputType': type}


def ratio(name, above, below):
    fields = [{'type': 'fieldAccess', 'fieldName': field} for field in (above, below)]
    return {'type': 'arithmetic', 'name': name, 'fn': '/', 'fields': fields}


def long_dimension(name):
    return {'type': 'default', 'dimension': name, 'outputName': name, 'outputType': 'LONG'}


def is_(dimension, value):
    return {'type': 'selector', 'dimension': dimension, 'value': value}


def one_of(dimension, *values):
    return {'type': 'in', 'dimension': dimension, 'values': list(values)}


def like(dimension, pattern):
    return {'type': 'like', 'dimension': dimension, 'pattern': pattern}


def between(dimension, lower=None, upper=None, ordering='numeric', **strict):
    bounds = {name: str(value) for name, value in (('lower', lower), ('upper', upper)) if value is not None}
    return {'type': 'bound', 'dimension': dimension, 'ordering': ordering, **bounds, **strict}


def both(*filters):
    return {'type': 'and', 'fields': list(filters)}


def either(*filters):
    return {'type': 'or', 'fields': list(filters)}


def no(filter):
    return {'type': 'not', 'field': filter}


def ascending(*dimensions, order='lexicographic'):
    return [{'dimension': dimension, 'direction': 'ascending', 'dimensionOrder': order} for dimension in dimensions]


def descending(dimension):
    return [{'dimension': dimension, 'direction': 'descending', 'dimensionOrder': 'numeric'}]
