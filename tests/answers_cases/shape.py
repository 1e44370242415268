"""The shape of answers: buckets, time boundaries, columns of the result, flags and paths (A-4, A-5, A-19, A-21 to A-23)."""
HOURS = [{'t': f'2024-01-01T{hour:02d}:30:00Z', 'k': 'a' if hour % 2 else 'b', 'v': hour} for hour in range(12)]
COUNT = [{'type': 'count', 'name': 'n'}]
TWO = ['2024-01-01T01:00Z/2024-01-01T02:00Z', '2024-01-01T05:00Z/2024-01-01T06:00Z']
V = {'dimensions': [{'type': 'long', 'name': 'v'}]}
NUMBERS = {'dimensions': ['k', {'type': 'long', 'name': 'l'}, {'type': 'float', 'name': 'f'}]}


def at(hour, n=1):
    return [f'2024-01-01T{hour:02d}:00:00.000Z', {'n': n}]


def sized(granularity):
    return dict(V, granularity=granularity)


def boundary(first, last):
    return ('ask', {'query': {'queryType': 'timeBoundary'}, 'expect': {'minTime': first, 'maxTime': last}})


def having(flt, granularity='day'):
    return {'queryType': 'groupBy', 'granularity': granularity, 'dimensions': ['k'], 'aggregations': COUNT, 'having': flt}


def beside_numbers(text, other):
    """Groups by what an expression gives and by a column as a number."""
    return {'queryType': 'groupBy', 'granularity': 'all', 'aggregations': COUNT, 'virtualColumns': [{'type': 'expression', 'name': 'x', 'expression': text, 'outputType': 'STRING'}],
            'dimensions': ['x', {'type': 'default', 'dimension': other, 'outputName': other, 'outputType': 'FLOAT' if other == 'f' else 'LONG'}]}


CASES = [
    {'id': 'A-4', 'title': 'no buckets are invented between disjoint intervals', 'schema': {'dimensions': ['k', {'type': 'long', 'name': 'v'}]}, 'rows': HOURS,
     'asks': [
         {'query': {'queryType': 'timeseries', 'intervals': TWO, 'granularity': 'hour', 'aggregations': COUNT}, 'expect': [at(1), at(5)]},
         {'query': {'queryType': 'timeseries', 'intervals': TWO[::-1], 'granularity': 'hour', 'aggregations': COUNT}, 'expect': [at(1), at(5)]},
         {'query': {'queryType': 'timeseries', 'intervals': TWO, 'granularity': 'hour', 'filter': {'type': 'selector', 'dimension': 'k', 'value': 'b'}, 'aggregations': COUNT}, 'expect': [at(1, 0), at(5, 0)]},
         {'query': {'queryType': 'timeseries', 'intervals': TWO, 'granularity': 'hour', 'context': {'skipEmptyBuckets': True}, 'aggregations': COUNT}, 'expect': [at(1), at(5)]},
         {'query': {'queryType': 'timeseries', 'intervals': ['2024-01-01T01:00Z/2024-01-01T03:00Z', '2024-01-01T02:30Z/2024-01-01T04:00Z'], 'granularity': 'hour', 'aggregations': COUNT}, 'expect': [at(1), at(2), at(3)]},
         {'query': {'queryType': 'timeseries', 'intervals': ['2024-01-01T01:00Z/2024-01-01T02:00Z', '2024-01-02/2024-01-03', '2024-01-01T05:00Z/2024-01-01T06:00Z'], 'granularity': 'all', 'aggregations': COUNT}, 'expect': {'n': 2}},
         {'query': {'queryType': 'topN', 'intervals': TWO, 'granularity': 'hour', 'dimension': 'k', 'metric': 'n', 'threshold': 5, 'aggregations': COUNT},
          'expect': [[at(1)[0], [{'k': 'a', 'n': 1}]], [at(5)[0], [{'k': 'a', 'n': 1}]]]},
         {'query': {'queryType': 'groupBy', 'intervals': TWO, 'granularity': 'hour', 'dimensions': ['k'], 'aggregations': COUNT}, 'expect': [{'k': 'a', 'n': 1}, {'k': 'a', 'n': 1}]},
     ]},
    {'id': 'A-5', 'title': 'a time boundary looks at rows, not at intervals of segments', 'steps': [
        ('task', {'schema': sized('year'), 'rows': [{'t': '2021-05-10', 'v': 1}]}), ('task', {'schema': sized('month'), 'rows': [{'t': '2021-05-20', 'v': 4}]}),
        boundary('2021-05-20T00:00:00.000Z', '2021-05-20T00:00:00.000Z')]},
    {'id': 'A-5-ends', 'title': 'the first and the last month are replaced', 'steps': [
        ('task', {'schema': sized('year'), 'rows': [{'t': f'2021-{m:02d}-10', 'v': m} for m in (1, 2, 6)]}),
        ('task', {'schema': sized('month'), 'rows': [{'t': '2021-01-20', 'v': 4}]}), boundary('2021-01-20T00:00:00.000Z', '2021-06-10T00:00:00.000Z'),
        ('task', {'schema': sized('month'), 'rows': [{'t': '2021-06-05', 'v': 4}]}), boundary('2021-01-20T00:00:00.000Z', '2021-06-05T00:00:00.000Z'),
        ('ask', {'query': {'queryType': 'timeBoundary', 'bound': 'maxTime'}, 'expect': {'maxTime': '2021-06-05T00:00:00.000Z'}}),
        ('restart', 'kill'), boundary('2021-01-20T00:00:00.000Z', '2021-06-05T00:00:00.000Z')]},
    {'id': 'A-5-filter', 'title': 'a time boundary with a filter', 'steps': [
        ('task', {'schema': sized('day'), 'rows': [{'t': f'2021-01-{d:02d}', 'v': d} for d in range(1, 9)]}),
        ('ask', {'query': {'queryType': 'timeBoundary', 'filter': {'type': 'in', 'dimension': 'v', 'values': ['3', '5']}}, 'expect': {'minTime': '2021-01-03T00:00:00.000Z', 'maxTime': '2021-01-05T00:00:00.000Z'}})]},
    {'id': 'A-19', 'title': 'having knows every column of the result', 'schema': {'dimensions': ['k', {'type': 'long', 'name': 'v'}]}, 'rows': HOURS[:1],
     'asks': [{'query': having({'type': 'filter', 'filter': {'type': 'bound', 'dimension': '__time', 'ordering': 'numeric', 'lower': '0'}}), 'expect': [{'k': 'b', 'n': 1}]},
              {'query': having({'type': 'filter', 'filter': {'type': 'bound', 'dimension': '__time', 'ordering': 'numeric', 'lower': '1704067200001'}}), 'expect': []},
              {'query': having({'type': 'greaterThan', 'aggregation': '__time', 'value': 5}), 'expect': [{'k': 'b', 'n': 1}]},
              {'query': having({'type': 'filter', 'filter': {'type': 'interval', 'dimension': '__time', 'intervals': ['2024/2025']}}), 'expect': [{'k': 'b', 'n': 1}]},
              {'query': having({'type': 'dimSelector', 'dimension': 'k', 'value': 'b'}), 'expect': [{'k': 'b', 'n': 1}]}]},
    {'id': 'A-21', 'title': 'statements that run as tasks are named as not built', 'steps': [
        ('refused', {'method': 'POST', 'path': path, 'body': {'query': 'SELECT 1'}, 'status': 501, 'says': 'statements'}) for path in ('/druid/v2/sql/task', '/druid/v2/sql/statements')]},
    {'id': 'A-23', 'title': 'computed lists stand beside keys that are numbers', 'schema': NUMBERS, 'rows': [{'t': '2024-01-01T00:30:00Z', 'k': 'x', 'l': -3}],
     'asks': [{'query': beside_numbers(text, other), 'expect': [dict(values, n=1) for values in expected]} for text, other, expected in (
         ('filter((v) -> v != 0, l)', 'f', [{'x': '-3', 'f': None}]),
         ('filter((v) -> v != 0, l)', 'l', [{'x': '-3', 'l': -3}]),
         ("filter((v) -> v != 'y', k)", 'l', [{'x': 'x', 'l': -3}]),
         ('array_append(array(l), 5)', 'f', [{'x': '-3', 'f': None}, {'x': '5', 'f': None}]))]},
    {'id': 'A-22', 'title': 'serializeDateTimeAsLong gives numbers', 'schema': V, 'rows': HOURS[:2],
     'asks': [{'query': {'queryType': 'timeseries', 'granularity': 'day', 'aggregations': COUNT, 'context': {'serializeDateTimeAsLong': True}}, 'expect': [[1704067200000, {'n': 2}]]}]},
]
