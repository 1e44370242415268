"""Chunks of different size under buffered rows: nothing hidden, doubled or lost, at no moment (A-1 to A-3, A-20)."""
V = {'dimensions': [{'type': 'long', 'name': 'v'}]}
SUM = {'queryType': 'timeseries', 'granularity': 'all', 'aggregations': [{'type': 'count', 'name': 'n'}, {'type': 'longSum', 'name': 's', 'fieldName': 'v'}]}


def rows(*pairs):
    return [{'t': f'2024-01-{day:02d}T{hour:02d}:{minute:02d}:00Z', 'v': v} for day, hour, minute, v in pairs]


def sized(granularity):
    return dict(V, granularity=granularity)


def total(n, s):
    return ('ask', {'query': SUM, 'expect': {'n': n, 's': s}})


BUFFERED = rows((1, 1, 0, 1), (1, 5, 0, 2), (1, 9, 0, 4))
ONE_HOUR = ('task', {'schema': sized('hour'), 'rows': rows((1, 5, 30, 100))})


def watched(allowed, *steps):
    return ('while', {'query': SUM, 'allowed': [{'n': n, 's': s} for n, s in allowed], 'steps': list(steps)})


def with_some_of(n, s, values):
    """While a push is under way its rows are seen one after the other."""
    found = [(n, s)]
    for value in values:
        found += [(n + 1, s + value) for n, s in found]
    return found


def changed(first, then):
    """Rows buffered under one granularity, then under another, through hand-off and kills."""
    return {
        'id': f'A-2-{first}-{then}', 'title': f'PUT from {first} to {then} while rows are buffered',
        'steps': [
            ('put', sized(first)), ('push', rows((1, 1, 0, 1), (2, 3, 0, 8))),
            ('put', sized(then)), total(2, 9),
            watched(with_some_of(2, 9, (2, 4, 16)), ('push', rows((1, 1, 30, 2), (1, 7, 0, 4), (2, 3, 10, 16)))), total(5, 31),
            ('restart', 'kill'), total(5, 31), ('push', rows((1, 1, 45, 32), (1, 23, 0, 64))), total(7, 127),
            ('restart', 'term'), total(7, 127), ('handoff', None), total(7, 127),
            ('push', rows((1, 2, 0, 128))), total(8, 255), ('restart', 'kill'), total(8, 255),
        ],
    }


def replaced(pushed, by, gone=(0, 0)):
    """A replace with chunks of another size over buffered rows: those survive it (ADR 3)."""
    n, s = 3 - gone[0] + 1, 7 - gone[1] + 100
    return {
        'id': f'A-1-{pushed}-{by}', 'title': f'a task by {by} replaces under rows that are buffered by {pushed}',
        'steps': [
            ('put', sized(pushed)), ('push', BUFFERED), total(3, 7),
            watched([(3, 7), (n, s)], ('task', {'schema': sized(by), 'rows': rows((1, 5, 30, 100))})), total(n, s),
            ('push', rows((1, 5, 40, 200), (1, 9, 1, 400))), total(n + 2, s + 600),
            ('restart', 'kill'), total(n + 2, s + 600), ('handoff', None), total(n + 2, s + 600),
            ('restart', 'kill'), total(n + 2, s + 600),
        ],
    }


CASES = [
    *[changed(a, b) for a, b in [('hour', 'day'), ('day', 'hour'), ('hour', 'week'), ('hour', 'month'), ('day', 'all'), ('month', 'day'), ('week', 'month'), ('minute', 'year')]],
    *[replaced(a, b) for a, b in [('day', 'hour'), ('hour', 'day'), ('month', 'day'), ('day', 'month'), ('hour', 'hour'), ('week', 'day')]],
    {
        'id': 'A-1-one', 'title': 'the one buffered row lies in the replaced hour',
        'steps': [('put', sized('day')), ('push', rows((1, 5, 0, 2))), ONE_HOUR, total(2, 102), ('restart', 'kill'), total(2, 102),
                  ('handoff', None), total(2, 102)],
    },
    {
        'id': 'A-3', 'title': 'several hours of a buffered day are replaced, one after the other',
        'steps': [
            ('put', sized('day')), ('push', BUFFERED), ONE_HOUR, total(4, 107),
            watched([(4, 107), (5, 1107)], ('task', {'schema': sized('hour'), 'rows': rows((1, 9, 10, 1000))})), total(5, 1107),
            # The hour is replaced again: the task's row goes, the pushed ones stay.
            watched([(5, 1107), (5, 1307)], ('task', {'schema': sized('hour'), 'rows': rows((1, 5, 20, 300))})), total(5, 1307),
            ('restart', 'kill'), total(5, 1307), ('handoff', None), total(5, 1307),
        ],
    },
    {
        'id': 'A-3-coarser-last', 'title': 'an hour of a buffered day is replaced, then the month',
        'steps': [
            ('put', sized('day')), ('push', BUFFERED), ONE_HOUR, total(4, 107),
            ('task', {'schema': sized('month'), 'rows': rows((3, 0, 0, 5000))}), total(4, 5007),
            ('restart', 'kill'), total(4, 5007), ('handoff', None), total(4, 5007),
        ],
    },
    {
        'id': 'A-20', 'title': 'dropExisting over a coarser segment changes in one instant',
        'steps': [
            ('task', {'schema': sized('year'), 'rows': rows((10, 0, 0, 1), (20, 0, 0, 2))}), total(2, 3),
            ('while', {'query': SUM, 'allowed': [{'n': 2, 's': 3}, {'n': 1, 's': 16}], 'linger_seconds': 2.5, 'steps': [
                ('task', {'schema': sized('month'), 'rows': rows((15, 0, 0, 16)), 'drop': True, 'intervals': ['2024/2025']})]}),
            total(1, 16), ('restart', 'kill'), total(1, 16),
        ],
    },
    {
        'id': 'A-20-days', 'title': 'dropExisting: several days become one, one month becomes days',
        'steps': [
            ('task', {'schema': sized('day'), 'rows': rows((1, 0, 0, 1), (2, 0, 0, 2), (3, 0, 0, 4))}), total(3, 7),
            watched([(3, 7), (1, 16)], ('task', {'schema': sized('day'), 'rows': rows((2, 5, 0, 16)), 'drop': True, 'intervals': ['2024-01-01/2024-01-04']})),
            total(1, 16),
            watched([(1, 16), (2, 96)], ('task', {'schema': sized('month'), 'rows': rows((2, 5, 0, 32), (9, 0, 0, 64))})), total(2, 96),
            watched([(2, 96), (3, 7)], ('task', {'schema': sized('day'), 'rows': rows((1, 0, 0, 1), (2, 0, 0, 2), (3, 0, 0, 4)), 'drop': True, 'intervals': ['2024-01-01/2024-02-01']})),
            total(3, 7), ('restart', 'kill'), total(3, 7),
        ],
    },
    {
        'id': 'A-20-pushed', 'title': 'dropExisting beside buffered rows: these stay',
        'steps': [
            ('task', {'schema': sized('month'), 'rows': rows((1, 0, 0, 1), (2, 0, 0, 2))}),
            ('put', sized('day')), ('push', rows((1, 5, 0, 8), (20, 5, 0, 16))), total(4, 27),
            watched([(4, 27), (3, 56)], ('task', {'schema': sized('hour'), 'rows': rows((2, 5, 0, 32)), 'drop': True, 'intervals': ['2024-01-01/2024-02-01']})),
            total(3, 56), ('restart', 'kill'), total(3, 56), ('handoff', None), total(3, 56),
        ],
    },
]
