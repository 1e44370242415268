"""Whole rows of answers, read from each engine and compared.

An entry of a list asks for it with `row`, the names in Henge's answer of the SQL's columns. `order` gives the positions
of the columns that rows are ordered by, None where any rows will do; `limit` and `offset` say where the order is cut.
Which of the rows that tie at a cut are shown is up to each engine: of those only the values they are ordered by count.
"""
import datetime
import decimal
import json
import math

TOLERANCE = 1e-9
EPOCH = datetime.datetime(1970, 1, 1)
ESCAPES = {'t': '\t', 'n': '\n', 'r': '\r', '0': '\0', 'b': '\b', 'f': '\f'}


def rows_of(engine, entry, answer):
    """Rows as lists of the engine's own values."""
    return {'duck': lambda: answer, 'ch': lambda: clickhouse_rows(answer), 'df': lambda: arrow_rows(answer),
            'henge': lambda: henge_rows(entry, answer), 'sql': lambda: json.loads(answer)}[engine]()


def clickhouse_rows(text):
    """Of its tab-separated format."""
    return [[None if field == r'\N' else unescaped(field) for field in line.split('\t')] for line in text.removesuffix('\n').split('\n')] if text else []


def unescaped(field):
    first, *others = field.split('\\')
    parts, literal = [first], False
    for other in others:
        # An empty part stands between two backslashes, and the next one follows as it is.
        parts.append('\\' if not other and not literal else other if literal else ESCAPES.get(other[0], other[0]) + other[1:])
        literal = not other and not literal
    return ''.join(parts)


def arrow_rows(batches):
    return [row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns))]


def henge_rows(entry, body):
    rows = []
    for part in json.loads(body):
        found = part.get('events', part.get('event', part.get('result')))
        rows += [dict(row, timestamp=part.get('timestamp')) for row in (found if isinstance(found, list) else [found])]
    return [[row.get(name) for name in entry['row']] for row in rows]


def difference(entry, expected, actual):
    """What is wrong with rows, given those that are right; empty when nothing is."""
    if len(actual) != len(expected):
        return f'{len(actual)} rows for {len(expected)}'
    if not expected or entry['order'] is None:
        return ''
    kinds = [kind(next((value for value in column if value is not None), None)) for column in zip(*expected)]
    try:
        expected, actual = ([[plain(*pair) for pair in zip(kinds, row, strict=True)] for row in rows] for rows in (expected, actual))
    except (TypeError, ValueError) as error:
        return str(error)
    key = lambda row: [row[position] for position in entry['order']]
    for right, found in zip(expected, actual):
        if not all(map(same, key(right), key(found))):
            return f'ordered by {shown(key(found))} for {shown(key(right))}'
    cuts = [key(expected[-1])] if len(expected) == entry.get('limit') else []
    cuts += [key(expected[0])] if entry.get('offset') else []
    # Rows come in the order of their texts and whole numbers, as far as doubles may differ in their last digits.
    exact = lambda row: [(value is not None, value) for value, kind in zip(row, kinds) if kind != 'double']
    inner = lambda rows: sorted((row for row in rows if not any(all(map(same, key(row), cut)) for cut in cuts)), key=exact)
    for right, found in zip(inner(expected), inner(actual)):
        if not all(map(same, right, found)):
            return f'{shown(found)} for {shown(right)}'
    return ''


def kind(value):
    if isinstance(value, datetime.date):
        return 'time'
    if isinstance(value, (float, decimal.Decimal)):
        return 'double'
    return 'long' if isinstance(value, int) else 'text'


def plain(kind, value):
    """Texts with null as the empty one, times in milliseconds, numbers."""
    if kind == 'text':
        return '' if value is None else str(value)
    if value is None or value == '':
        return None
    if kind == 'time':
        return milliseconds(value)
    return float(value) if kind == 'double' else int(value)


def milliseconds(value):
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    elif not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    return (value.replace(tzinfo=None) - EPOCH) // datetime.timedelta(milliseconds=1)


def same(right, found):
    if isinstance(right, float) and found is not None:
        return math.isclose(right, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return right == found


def shown(values):
    text = ', '.join(map(str, values))
    return text if len(text) <= 80 else text[:77] + '...'
