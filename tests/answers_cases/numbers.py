"""Numbers compared exactly, summed widely, and those that are none (A-7, A-8, A-10, A-14, A-18)."""
T = '2024-01-01T00:10:00Z'
BIG = 9007199254740992
LONGS = {'dimensions': [{'type': 'long', 'name': 'l'}]}


def grouped(having=None, **more):
    query = {'queryType': 'groupBy', 'granularity': 'all', 'dimensions': [{'type': 'default', 'dimension': 'l', 'outputName': 'l', 'outputType': 'LONG'}],
             'aggregations': [{'type': 'longSum', 'name': 'v', 'fieldName': 'l'}], **more}
    return dict(query, having=having) if having else query


def scan(flt, column='l'):
    return {'queryType': 'scan', 'columns': [column], 'resultFormat': 'list', 'filter': flt}


def kept(*values, column='l'):
    return [{column: value} for value in values]


def asks(pairs, column='l'):
    return [{'query': scan(flt, column), 'expect': kept(*values, column=column), 'any_order': True} for flt, values in pairs]


def bound(column='l', **ends):
    return {'type': 'bound', 'dimension': column, 'ordering': 'numeric', **ends}


def span(kind, column='l', **ends):
    return {'type': 'range', 'column': column, 'matchValueType': kind, **ends}


COUNT_AND_SUM = {'queryType': 'timeseries', 'granularity': 'all', 'aggregations': [{'type': 'count', 'name': 'n'}, {'type': 'longSum', 'name': 's', 'fieldName': 'v'}]}
V = {'dimensions': [{'type': 'long', 'name': 'v'}]}
MOST = 9223372036854775807
DOUBLES = {'dimensions': ['k', {'type': 'double', 'name': 'd'}, {'type': 'float', 'name': 'f'}, {'type': 'long', 'name': 'l'}]}
WEIRD = [{'t': T, 'k': 'a', 'd': 1.5, 'f': 1.5, 'l': 1}, {'t': T, 'k': 'b', 'd': 'NaN', 'f': 'NaN', 'l': 'NaN'},
         {'t': T, 'k': 'c', 'd': 'Infinity', 'f': '-Infinity', 'l': 'Infinity'}, {'t': T, 'k': 'd', 'd': 'abc', 'f': None, 'l': 'abc'}]
WIDE = {'dimensions': ['s', {'type': 'long', 'name': 'l'}, {'type': 'double', 'name': 'd'}]}
HUGE = ['9223372036854775807', '-9223372036854775808', '9007199254740993', '9007199254740992', '9223372036854775809', '-9223372036854775809']
# Text that is no LONG is refused there, so it stands in STRING alone.
HUGE_ROWS = [{'t': T, 's': text, **({'l': int(text)} if -MOST - 1 <= int(text) <= MOST else {})} for text in HUGE]
CASES = [
    {'id': 'A-8-digits', 'title': 'numbers of a query beyond 64 bits are compared by their digits', 'schema': WIDE, 'rows': HUGE_ROWS,
     'asks': asks([
         (shape, [int(text) for text in HUGE[:4] if want(int(text))]) for value in
         (-MOST - 2, 2**64, MOST + 2)
         for shape, want in [
             ({'type': 'selector', 'dimension': 'l', 'value': value}, lambda x, v=value: x == v),
             ({'type': 'in', 'dimension': 'l', 'values': [value]}, lambda x, v=value: x == v),
             (bound(lower=value), lambda x, v=value: x >= v), (bound(upper=value), lambda x, v=value: x <= v),
             (bound(lower=value, lowerStrict=True), lambda x, v=value: x > v)]
     ]) + [
         {'query': grouped({'type': kind, 'aggregation': 'v', 'value': int(text)}, filter={'type': 'not', 'field': {'type': 'selector', 'dimension': 'l', 'value': None}}),
          'expect': [{'l': x, 'v': x} for x in want], 'any_order': True}
         for kind, text, want in [('equalTo', '-9223372036854775809', []), ('greaterThan', '-9223372036854775809', [int(text) for text in HUGE[:4]]),
                                  ('lessThan', '9223372036854775808', [int(text) for text in HUGE[:4]])]
     ] + [
         {'query': scan({'type': 'selector', 'dimension': 's', 'value': int(text)}, 's'), 'expect': kept(text, column='s')} for text in HUGE[4:]
     ] + [
         {'query': scan(span('LONG', lower=-MOST - 2)), 'status': 400, 'says': 'does not fit into a LONG'},
     ]},
    {'id': 'A-7-digits', 'title': 'doubles of a query are those of their digits, not ones beside them', 'schema': LONGS, 'rows': [{'t': T, 'l': BIG - 1}, {'t': T, 'l': BIG - 2}],
     'asks': asks([(span('DOUBLE', lower=BIG - 1.0), [BIG - 1]), ({'type': 'equals', 'column': 'l', 'matchValueType': 'DOUBLE', 'matchValue': BIG - 1.0}, [BIG - 1]),
                   ({'type': 'in', 'dimension': 'l', 'values': [BIG - 1.0]}, [BIG - 1])])
             + [{'query': grouped({'type': 'equalTo', 'aggregation': 'v', 'value': BIG - 1.0}), 'expect': [{'l': BIG - 1, 'v': BIG - 1}]}]},
    {
        'id': 'A-7', 'title': 'HAVING compares longs as longs', 'schema': LONGS,
        'rows': [{'t': T, 'l': BIG}, {'t': T, 'l': BIG + 1}, {'t': T, 'l': -5}],
        'asks': [
            {'query': grouped({'type': kind, 'aggregation': 'v', 'value': value}), 'expect': [{'l': x, 'v': x} for x in want], 'any_order': True}
            for kind, value, want in [
                ('equalTo', BIG + 1, [BIG + 1]), ('equalTo', BIG, [BIG]), ('greaterThan', BIG, [BIG + 1]), ('lessThan', BIG + 1, [BIG, -5]),
                ('equalTo', BIG + 0.0, [BIG]), ('greaterThan', -5.5, [BIG, BIG + 1, -5]), ('greaterThan', -4.5, [BIG, BIG + 1]),
                ('lessThan', 1e300, [BIG, BIG + 1, -5]), ('equalTo', 0.5, []), ('lessThan', BIG - 1.0, [-5]), ('greaterThan', BIG - 1.0, [BIG, BIG + 1]),
            ]
        ] + [
            {'query': grouped({'type': 'filter', 'filter': flt}), 'expect': [{'l': x, 'v': x} for x in want], 'any_order': True}
            for flt, want in [
                (bound('v', lower=str(BIG), lowerStrict=True), [BIG + 1]),
                ({'type': 'selector', 'dimension': 'v', 'value': str(BIG + 1)}, [BIG + 1]),
                ({'type': 'equals', 'column': 'v', 'matchValueType': 'LONG', 'matchValue': BIG}, [BIG]),
                (span('LONG', 'v', lower=BIG, lowerOpen=True), [BIG + 1]),
                ({'type': 'in', 'dimension': 'l', 'values': [str(BIG + 1), '-5']}, [BIG + 1, -5]),
                ({'type': 'not', 'field': {'type': 'selector', 'dimension': 'v', 'value': str(BIG)}}, [BIG + 1, -5]),
            ]
        ],
    },
    {
        'id': 'A-8', 'title': 'ranges and bounds on longs with decimal and large literals', 'schema': LONGS,
        'rows': [{'t': T, 'l': x} for x in (BIG, BIG + 1, 10**17, -10**17, 7)],
        'asks': asks([
            (span('DOUBLE', lower=float(BIG), lowerOpen=True), [BIG + 1, 10**17]),
            (span('DOUBLE', lower=float(BIG)), [BIG, BIG + 1, 10**17]),
            (span('DOUBLE', upper=float(BIG), upperOpen=True), [-10**17, 7]),
            (bound(lower='1e17', lowerStrict=True), []), (bound(lower='1e17'), [10**17]),
            (bound(upper='-1e17', upperStrict=True), []), (bound(upper='-1e17'), [-10**17]),
            (bound(lower='9007199254740992.5'), [BIG + 1, 10**17]), (bound(upper='9007199254740992.5', lower='7.0'), [BIG, 7]),
            (bound(lower='99999999999999999999'), []), (bound(upper='99999999999999999999', lower='8'), [BIG, BIG + 1, 10**17]),
            (bound(lower='6.999999999999999', upper='7.0000000000000001'), [7]),
            ({'type': 'selector', 'dimension': 'l', 'value': str(BIG + 1)}, [BIG + 1]),
            ({'type': 'in', 'dimension': 'l', 'values': [str(BIG + 1), '100000000000000000']}, [BIG + 1, 10**17]),
            ({'type': 'equals', 'column': 'l', 'matchValueType': 'LONG', 'matchValue': BIG + 1}, [BIG + 1]),
            ({'type': 'equals', 'column': 'l', 'matchValueType': 'DOUBLE', 'matchValue': 7.0}, [7]),
            ({'type': 'equals', 'column': 'l', 'matchValueType': 'DOUBLE', 'matchValue': 7.5}, []),
        ]),
    },
    {
        'id': 'A-8-double', 'title': 'bounds on doubles and on text that is ordered as numbers',
        'schema': {'dimensions': ['s', {'type': 'double', 'name': 'd'}]},
        'rows': [{'t': T, 's': str(BIG), 'd': 0.1}, {'t': T, 's': str(BIG + 1), 'd': 0.30000000000000004}, {'t': T, 's': '-3.50', 'd': -0.0}, {'t': T, 's': 'x', 'd': 1e300}],
        'asks': asks([
            (bound('d', lower='0.3', lowerStrict=True), [0.30000000000000004, 1e300]), (bound('d', lower='0.1', lowerStrict=True, upper='0.5'), [0.30000000000000004]),
            (bound('d', upper='0', lower='0'), [-0.0]), (bound('d', lower='1e300'), [1e300]),
        ], 'd') + asks([
            (bound('s', lower=str(BIG), lowerStrict=True), [str(BIG + 1)]), (bound('s', lower='-3.5', upper='-3.5'), ['-3.50']),
        ], 's'),
    },
    *[{
        'id': f'A-10-{number}', 'title': f'the filter of a transformSpec compares as a query does: {list(flt.values())[:3]}',
        'schema': dict(LONGS, transform={'filter': flt}), 'lives': ('buffered', 'killed', 'stored'),
        'rows': [{'t': T, 'l': x} for x in (BIG, BIG + 1, 10**17, 7)],
        'asks': [{'query': dict(scan({'type': 'true'}), intervals=['0001/9999']), 'expect': kept(*want), 'any_order': True}],
    } for number, (flt, want) in enumerate([
        (bound(lower=str(BIG), lowerStrict=True), [BIG + 1, 10**17]), (bound(lower='1e17'), [10**17]), (span('LONG', lower=BIG, lowerOpen=True), [BIG + 1, 10**17]),
        ({'type': 'selector', 'dimension': 'l', 'value': str(BIG + 1)}, [BIG + 1]), ({'type': 'in', 'dimension': 'l', 'values': [str(BIG), '7']}, [BIG, 7]),
        (bound(upper='7.5'), [7]), ({'type': 'equals', 'column': 'l', 'matchValueType': 'LONG', 'matchValue': BIG + 1}, [BIG + 1]),
        ({'type': 'not', 'field': {'type': 'selector', 'dimension': 'l', 'value': str(BIG)}}, [BIG + 1, 10**17, 7]),
    ])],
    {
        'id': 'A-14', 'title': 'NaN and infinities keep their row; a long takes null', 'schema': DOUBLES, 'rows': WEIRD,
        'asks': [
            {'query': {'queryType': 'scan', 'columns': ['k', 'd', 'f', 'l'], 'resultFormat': 'list'}, 'any_order': True,
             'expect': [{'k': 'a', 'd': 1.5, 'f': 1.5, 'l': 1}, {'k': 'b', 'd': 'NaN', 'f': 'NaN', 'l': None},
                        {'k': 'c', 'd': 'Infinity', 'f': '-Infinity', 'l': None}, {'k': 'd', 'd': None, 'f': None, 'l': None}]},
            {'query': {'queryType': 'timeseries', 'granularity': 'all', 'filter': bound('d', lower='2', upper='1e308'), 'aggregations': [{'type': 'count', 'name': 'n'}]}, 'expect': {'n': 0}},
            {'query': {'queryType': 'timeseries', 'granularity': 'all', 'filter': {'type': 'selector', 'dimension': 'd', 'value': None}, 'aggregations': [{'type': 'count', 'name': 'n'}]}, 'expect': {'n': 1}},
        ],
    },
    {
        'id': 'A-18', 'title': 'a long sum that fits is given, however the rows lie', 'schema': V,
        'rows': [{'t': '2024-01-01T00:00:00Z', 'v': MOST}, {'t': '2024-01-01T00:00:01Z', 'v': 1}, {'t': '2024-01-01T01:00:00Z', 'v': -2}, {'t': '2024-01-01T02:00:00Z', 'v': 0}],
        'asks': [
            {'query': COUNT_AND_SUM, 'expect': {'n': 4, 's': MOST - 1}},
            {'query': {'queryType': 'groupBy', 'granularity': 'all', 'dimensions': [], 'aggregations': [{'type': 'longSum', 'name': 's', 'fieldName': 'v'}]}, 'expect': [{'s': MOST - 1}]},
            {'query': dict(COUNT_AND_SUM, granularity='hour', intervals=['2024-01-01T00/2024-01-01T01']), 'status': 400, 'says': '64 bits'},
        ],
    },
    {
        'id': 'A-18-low', 'title': 'the same below zero, and by group', 'schema': {'dimensions': ['k', {'type': 'long', 'name': 'v'}]},
        'rows': [{'t': f'2024-01-01T0{hour}:00:00Z', 'k': k, 'v': v} for k in 'ab' for hour, v in enumerate((-MOST, -2, -100, 103))],
        'asks': [{'query': {'queryType': 'groupBy', 'granularity': 'all', 'dimensions': ['k'], 'aggregations': [{'type': 'longSum', 'name': 's', 'fieldName': 'v'}]},
                  'expect': [{'k': 'a', 's': -MOST + 1}, {'k': 'b', 's': -MOST + 1}]},
                 {'query': {'queryType': 'topN', 'granularity': 'all', 'dimension': 'k', 'metric': 's', 'threshold': 1, 'aggregations': [{'type': 'longSum', 'name': 's', 'fieldName': 'v'}]},
                  'expect': [['2024-01-01T00:00:00.000Z', [{'k': 'a', 's': -MOST + 1}]]]}],
    },
]
