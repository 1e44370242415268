"""Silent loss at the door: types, roll-up, times, names (A-12, A-15, section 4 of issue 9)."""
COUNT = {'queryType': 'timeseries', 'granularity': 'all', 'aggregations': [{'type': 'count', 'name': 'n'}]}
FOUND = {'dimensionsSpec': {'dimensions': [], 'useSchemaDiscovery': True}, 'metrics': [], 'rollup': False}


def at(minute, **values):
    return {'t': f'2024-01-01T00:{minute:02d}:00Z', **values}


def scan(*columns, **more):
    return {'queryType': 'scan', 'columns': list(columns), 'resultFormat': 'list', 'order': 'none', **more}


def times(column_format, values, want):
    return {'id': f'T-{column_format}-{type(values[0]).__name__}-{values[0]}'.replace(':', ''), 'title': f'times like {values[0]!r} are what they look like', 'lives': ('buffered', 'killed', 'stored'),
            'schema': {'dimensions': ['k'], 'timestamp': {'column': 't', 'format': column_format}},
            'rows': [{'t': v, 'k': 'a'} for v in values],
            'asks': [{'query': {'queryType': 'timeBoundary'}, 'expect': {'minTime': want[0], 'maxTime': want[-1]}}]}


NEW_YEAR = '2026-11-01T00:00:00.000Z'
CASES = [
    {'id': 'A-12', 'title': 'discovered types widen, nothing is cut', 'schema': FOUND, 'lives': ('buffered', 'killed', 'stored'),
     'rows': [at(0, v=1), at(1, v=1.5), at(2, v='abc')],
     'asks': [{'query': scan('v'), 'expect': [{'v': '1'}, {'v': '1.5'}, {'v': 'abc'}], 'any_order': True}]},
    {'id': 'A-12-numbers', 'title': 'longs become doubles', 'schema': FOUND, 'lives': ('buffered', 'killed', 'stored'),
     'rows': [at(0, v=1, w=2), at(1, v=1.5, w=3)],
     'asks': [{'query': scan('v', 'w'), 'expect': [{'v': 1.0, 'w': 2}, {'v': 1.5, 'w': 3}], 'any_order': True},
              {'query': {'queryType': 'timeseries', 'granularity': 'all', 'aggregations': [{'type': 'doubleSum', 'name': 's', 'fieldName': 'v'}]}, 'expect': {'s': 2.5}}]},
    {'id': 'A-12-later', 'title': 'a later push brings a wider type', 'steps': [
        ('put', FOUND), ('push', [at(0, v=1)]), ('push', [at(1, v=1.5)]), ('push', [at(2, v='abc')]),
        *[step for restart in (None, 'kill', 'handoff') for step in [
            *([('restart', 'kill')] if restart == 'kill' else [('handoff', None)] if restart else []),
            ('ask', {'query': COUNT, 'expect': {'n': 3}}),
            ('ask', {'query': dict(COUNT, filter={'type': 'selector', 'dimension': 'v', 'value': '1.5'}), 'expect': {'n': 1}}),
            ('ask', {'query': dict(COUNT, filter={'type': 'selector', 'dimension': 'v', 'value': 'abc'}), 'expect': {'n': 1}}),
            ('ask', {'query': dict(COUNT, filter={'type': 'selector', 'dimension': 'v', 'value': '1'}), 'expect': {'n': 1}}),
        ]]]},
    *[{'id': f'A-15-{length}', 'title': 'a name that is taken can be published', 'name': 'n' * length, 'steps': [
        ('put', {'dimensions': ['k']}), ('push', [at(0, k='a')]), ('handoff', None), ('ask', {'query': COUNT, 'expect': {'n': 1}})]}
      for length in (201, 235, 255)],
    {'id': 'A-15-long', 'title': 'a name that could never be published is refused at once', 'steps': [
        ('refused', {'method': 'PUT', 'path': '/v1/datasources/' + name, 'status': 400, 'says': 'name', 'body': {
            'timestampSpec': {'column': 't', 'format': 'auto'}, 'dimensionsSpec': {'dimensions': ['k']}, 'metricsSpec': [], 'granularitySpec': {'segmentGranularity': 'day'}}})
        for name in ('n' * 256, 'N' * 200, '%C3%A9' * 100)]},
    {'id': 'D-rollup', 'title': 'pushed rows are not rolled up unless metrics are asked for', 'steps': [
        ('put', {'dimensions': ['page'], 'metrics': [], 'rollup': None}), ('push', [at(0, page='/home')] * 3),
        ('ask', {'query': COUNT, 'expect': {'n': 3}})]},
    times('auto', [1793491200], [NEW_YEAR]), times('auto', ['1793491200'], [NEW_YEAR]), times('auto', [1793491200000], [NEW_YEAR]),
    times('auto', [1793491200000000], [NEW_YEAR]), times('auto', [1793491200000000000], [NEW_YEAR]), times('auto', ['20261101'], [NEW_YEAR]),
    times('auto', [20261101], [NEW_YEAR]), times('auto', ['2026-11-01T00:00:00Z', '2026-11-01T05:00:00+01:00'], [NEW_YEAR, '2026-11-01T04:00:00.000Z']),
    {'id': 'D-typos', 'title': 'a field one letter from a known one is refused, with the suggestion', 'steps': [
        ('put', {'dimensions': ['k']}), ('push', [at(0, k='a')]),
        # Alone, and beside the right one.
        *[('ask', {'query': {**{name: given for name, given in COUNT.items() if name != right}, **beside, typo: value}, 'status': 400, 'says': right}) for typo, value, right in [
            ('filtre', {'type': 'true'}, 'filter'), ('fliter', {'type': 'true'}, 'filter'), ('granularty', 'day', 'granularity'),
            ('virtualColumn', [], 'virtualColumns'), ('desending', True, 'descending'), ('interval', ['2024/2025'], 'intervals'),
            ('context', {'stirct': True}, 'strict'), ('context', {'timout': 5}, 'timeout'),
            ('filter', {'type': 'selector', 'dimension': 'k', 'value': 'a', 'vaule': 'b'}, 'value'),
            ('aggregations', [{'type': 'longSum', 'name': 's', 'fieldName': 'v', 'feildName': 'w'}], 'fieldName'),
            ('granularity', {'type': 'period', 'period': 'P1D', 'timezone': 'Asia/Tokyo'}, 'timeZone'),
        ] for beside in ({}, {right: COUNT[right]} if right in COUNT else {})],
        ('ask', {'query': dict(COUNT, context={'lang': 'en', 'user': 'u', 'vectorize': 'force', 'sqlQueryId': 'q', 'useFilterCNF': True}), 'expect': {'n': 1}}),
        ('ask', {'query': dict(COUNT, context={'strict': True}, filter={'type': 'selector', 'dimension': 'no_such_column', 'value': 'a'}), 'status': 400, 'says': 'no_such_column'}),
        ('ask', {'query': dict(COUNT, context={'strict': True}, dataSource='no_such_datasource'), 'status': 400, 'says': 'no_such_datasource'}),
    ]},
]
