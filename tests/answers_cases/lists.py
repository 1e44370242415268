"""Lists and nulls: ingestion filters, expressions and SQL mean what queries mean (A-11, A-13, A-24)."""
T = '2024-01-01T00:10:00Z'
TAGS = {'dimensions': ['id', 'tags']}
ROWS = [{'t': T, 'id': '1', 'tags': [None, 'z']}, {'t': T, 'id': '2', 'tags': None}, {'t': T, 'id': '3', 'tags': ['x', 'y']}, {'t': T, 'id': '4', 'tags': 'x'},
        {'t': T, 'id': '5', 'tags': []}, {'t': T, 'id': '6', 'tags': ['']}]
IDS = {'queryType': 'scan', 'columns': ['id'], 'resultFormat': 'list'}


def selector(value):
    return {'type': 'selector', 'dimension': 'tags', 'value': value}


def negated(flt):
    return {'type': 'not', 'field': flt}


FILTERS = [
    (selector(None), '125'), (selector('x'), '34'), (negated(selector('x')), '6'), (negated(selector(None)), '346'), (selector(''), '6'),
    ({'type': 'in', 'dimension': 'tags', 'values': ['z', None]}, '125'), (negated({'type': 'in', 'dimension': 'tags', 'values': ['z', 'y']}), '46'),
    ({'type': 'null', 'column': 'tags'}, '125'), ({'type': 'like', 'dimension': 'tags', 'pattern': 'x%'}, '34'),
    (negated({'type': 'like', 'dimension': 'tags', 'pattern': 'x%'}), '6'),
    ({'type': 'bound', 'dimension': 'tags', 'lower': 'y', 'ordering': 'lexicographic'}, '13'),
    ({'type': 'and', 'fields': [negated(selector('q')), negated(selector(None))]}, '346'),
    ({'type': 'or', 'fields': [selector('z'), negated(selector('x'))]}, '16'),
]


# One equal value is enough, also where no native query decides it.
BEYOND = [("tags = 'x'", '34'), ("NOT tags = 'x'", '6'), ("tags IN ('y', 'z')", '13'), ("tags <> 'y' AND tags IS NOT NULL", '46')]


def beyond(condition):
    return f'SELECT id FROM (SELECT id, tags FROM T LIMIT 100) WHERE {condition} ORDER BY id'


def with_ids(text):
    return [{'id': id} for id in text]


def expression(text):
    return {'type': 'expression', 'expression': text}


CASES = [
    {'id': 'A-11', 'title': 'filters of queries over lists with null', 'schema': TAGS, 'rows': ROWS,
     'asks': [{'query': dict(IDS, filter=flt), 'expect': with_ids(ids), 'any_order': True} for flt, ids in FILTERS]},
    *[{'id': f'A-11-{n}', 'title': 'the filter of a transformSpec keeps what a query would', 'schema': dict(TAGS, transform={'filter': flt}),
       'lives': ('buffered', 'killed', 'stored'), 'rows': ROWS, 'asks': [{'query': IDS, 'expect': with_ids(ids), 'any_order': True}]}
      for n, (flt, ids) in enumerate(FILTERS)],
    {'id': 'A-13', 'title': 'an array function beside a list column', 'schema': TAGS, 'rows': ROWS,
     'asks': [{'query': dict(IDS, filter=expression(text)), 'expect': with_ids(ids), 'any_order': True, 'note': text} for text, ids in [
         ("tags == 'x'", '34'), ("scalar_in_array(tags,array('x'))", '34'), ("tags == 'x' && scalar_in_array('5',array('5'))", '34'),
         ("array_length(array('a','b')) == 2 && tags == 'y'", '3'), ("strlen(tags) == array_length(array(1))", '134'),
     ]] + [{'query': {'queryType': 'groupBy', 'granularity': 'all', 'dimensions': ['v'], 'filter': {'type': 'in', 'dimension': 'id', 'values': ['3', '4']},
                      'virtualColumns': [{'type': 'expression', 'name': 'v', 'expression': "concat(array_to_string(array('a','b'),'-'),tags)", 'outputType': 'STRING'}],
                      'aggregations': [{'type': 'count', 'name': 'n'}]}, 'expect': [{'v': 'a-bx', 'n': 2}, {'v': 'a-by', 'n': 1}]}]},
    {'id': 'A-24', 'title': 'SQL compares lists as native queries do, wherever it does', 'schema': TAGS, 'rows': ROWS, 'lives': ('stored',),
     'asks': [{'sql': beyond(condition), 'expect': [[id] for id in ids]} for condition, ids in BEYOND]
     + [{'sql': "SELECT COUNT(*) FILTER (WHERE x.tags = 'y') FROM T x JOIN T y ON x.id = y.id", 'expect': [[1]]}]},
]
