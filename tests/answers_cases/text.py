"""Regular expressions in Java's dialect (A-17): what cannot be had is refused by name."""
T = '2024-01-01T00:10:00Z'
VALUES = ['日本', '١٢٣', '\u212a', 'line\n', 'a\rb', 'a\nb', 'k', 'foo.bar', 'a b', 'É', 'é', 'tab\tx', 'a-b', '12', '']
MATCHES = [
    (r'^\w+$', ['k', '12', 'line\n']), (r'^\d+$', ['12']), (r'(?i)^k$', ['k']), ('line$', ['line\n']), ('a.b', ['a b', 'a-b']),
    (r'\s', ['line\n', 'a\rb', 'a\nb', 'a b', 'tab\tx']), (r'^\W+$', ['日本', '١٢٣', '\u212a', 'É', 'é']), (r'(?i)É', ['É']), (r'(?iu)É', ['É', 'é']),
    (r'(?s)a.b', ['a\rb', 'a\nb', 'a b', 'a-b']), (r'^b', []), (r'(?m)^b', ['a\rb', 'a\nb']), (r'\Qo.b\E', ['foo.bar']), (r'\bb', ['a\rb', 'a\nb', 'foo.bar', 'a b', 'a-b']),
    (r'\p{L}{2}', ['日本', 'line\n', 'foo.bar', 'tab\tx']), (r'^\p{Alpha}$', ['k']), (r'\h', ['a b', 'tab\tx']), (r'^\D*$', [v for v in VALUES if '12' not in v]),
    (r'[\w&&[^a-z]]', ['12']), (r'line\z', []), (r'line\Z', ['line\n']), (r'^$', ['']),
]
REFUSED = [r'(?=a)b', r'(?<!a)b', r'(a)\1', r'\Ga', r'(?<name>a)\k<name>']
STRINGS = {'dimensions': ['s']}


def scan(pattern):
    return {'queryType': 'scan', 'columns': ['s'], 'resultFormat': 'list', 'filter': {'type': 'regex', 'dimension': 's', 'pattern': pattern}}


CASES = [
    {'id': 'A-17', 'title': 'patterns match what java.util.regex matches', 'schema': STRINGS, 'rows': [{'t': T, 's': v} for v in VALUES],
     'asks': [{'query': scan(p), 'expect': [{'s': v} for v in want], 'any_order': True} for p, want in MATCHES]
             + [{'query': scan(p), 'status': 400, 'says': 'pattern', 'note': p} for p in REFUSED]},
    {'id': 'A-17-ingestion', 'title': 'the same at ingestion', 'schema': dict(STRINGS, transform={'filter': {'type': 'regex', 'dimension': 's', 'pattern': r'^\w+$'}}),
     'lives': ('buffered', 'killed', 'stored'), 'rows': [{'t': T, 's': v} for v in VALUES],
     'asks': [{'query': {'queryType': 'scan', 'columns': ['s'], 'resultFormat': 'list'}, 'expect': [{'s': 'k'}, {'s': '12'}, {'s': 'line\n'}], 'any_order': True}]},
]
