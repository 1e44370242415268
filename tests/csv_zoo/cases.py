"""The animals: small files as people have them, each with what is to be read of it.

A case is a dict: `name`; `file`, the file's name; `content`, text or bytes; `rows`, what is to be read, a dict a row
(numbers as numbers, texts as texts, None for nothing); `times`, the times of the rows where they matter; `refused`,
words of the error where the file is to be refused, or of what is printed where rows are; `options` of `henge ingest`;
`exit`, the exit code where it is not 0; `stdin`, when it goes through a pipe.
"""
import bz2
import gzip
import io
import shutil
import subprocess
import zipfile

DAYS = ['2024-03-01', '2024-03-02', '2024-03-03']
MIDNIGHTS = [f'{day}T00:00:00.000Z' for day in DAYS]


def table(separator=',', end='\n', header=('day', 'name', 'n'), names=('ann', 'bob', 'cid')):
    lines = [header] if header else []
    lines += [(day, name, str(n)) for n, (day, name) in enumerate(zip(DAYS, names), 1)]
    return end.join(separator.join(line) for line in lines) + end


def read(columns=('day', 'name', 'n'), names=('ann', 'bob', 'cid')):
    return [dict(zip(columns, (day, name, n))) for n, (day, name) in enumerate(zip(DAYS, names), 1)]


def column(name, texts, values=None):
    """A file of days and one more column, and what is to be read of it."""
    lines = [f'day,{name}'] + [f'{day},{text}' for day, text in zip(DAYS, texts)]
    rows = [{'day': day, name: value} for day, value in zip(DAYS, values or texts)]
    return {'content': '\n'.join(lines) + '\n', 'rows': rows}


def times(texts, zulu, **fields):
    """A file whose time is written so."""
    lines = ['when,n'] + [f'{text},{n}' for n, text in enumerate(texts, 1)]
    rows = [{'when': text, 'n': n} for n, text in enumerate(texts, 1)]
    return {'content': '\n'.join(lines) + '\n', 'rows': rows, 'times': zulu, **fields}


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def zstandard(content):
    """None where no program packs it."""
    if not shutil.which('zstd'):
        return None
    return subprocess.run(['zstd', '-q', '-c'], input=content.encode(), stdout=subprocess.PIPE, check=True).stdout


def case(name, file='a.csv', content=None, rows=None, **fields):
    return {'name': name, 'file': file, 'content': content, 'rows': rows, **fields}


PLAIN, PLAIN_ROWS = table(), read()
NAMES_OF_THE_WORLD = ('änn', 'Борис', '猫🐈')
WORLD, WORLD_ROWS = table(names=NAMES_OF_THE_WORLD), read(names=NAMES_OF_THE_WORLD)

CASES = [
    # What separates values and lines.
    case('comma', content=PLAIN, rows=PLAIN_ROWS, times=MIDNIGHTS),
    case('semicolon', content=table(';'), rows=PLAIN_ROWS),
    case('tab, called csv', content=table('\t'), rows=PLAIN_ROWS),
    case('tab, called tsv', 'a.tsv', table('\t'), PLAIN_ROWS),
    case('bar, no ending', 'table', table('|'), PLAIN_ROWS),
    case('tilde, told', 'a.txt', table('~'), PLAIN_ROWS, options=['--delimiter', '~']),
    case('sep= line', content='sep=;\n' + table(';'), rows=PLAIN_ROWS),
    case('CR LF', content=table(end='\r\n'), rows=PLAIN_ROWS),
    case('CR alone', content=table(end='\r'), refused='CR alone'),
    case('no last line break', content=PLAIN.rstrip('\n'), rows=PLAIN_ROWS),
    case('blank lines', content=PLAIN.replace('\n', '\n\n'), rows=PLAIN_ROWS),
    # Quotes.
    case('comma in quotes', content=table(names=('"a, b"', 'bob', 'cid')), rows=read(names=('a, b', 'bob', 'cid'))),
    case('line break in quotes', content=table(names=('"a\nb"', 'bob', 'cid')), rows=read(names=('a\nb', 'bob', 'cid'))),
    case('quotes in quotes', content=table(names=('"a ""b"""', 'bob', 'cid')), rows=read(names=('a "b"', 'bob', 'cid'))),
    case('all in quotes', content='"day","name","n"\n' + ''.join(f'"{d}","x","{i}"\n' for i, d in enumerate(DAYS, 1)),
         rows=read(names=('x', 'x', 'x'))),
    case('nothing and empty text', **column('name', ['', '""', 'x'], [None, '', 'x'])),
    # Headers.
    case('no header', content=table(header=None), rows=read(('column_1', 'column_2', 'column_3'))),
    case('header of texts over texts', content='day,name\n2024-03-01,ann\n2024-03-02,bob\n',
         rows=[{'day': '2024-03-01', 'name': 'ann'}, {'day': '2024-03-02', 'name': 'bob'}]),
    case('column without a name', content=table(header=('day', '', 'n')), rows=read(('day', 'column_2', 'n'))),
    case('names twice', content=table(header=('day', 'n', 'n')), refused='twice'),
    case('header alone', content='day,name\n', refused='no line of values'),
    case('one column', content='day\n' + '\n'.join(DAYS) + '\n', rows=[{'day': day} for day in DAYS]),
    # Encodings.
    case('byte-order mark', content='\ufeff' + PLAIN, rows=PLAIN_ROWS),
    case('letters of the world', content=WORLD, rows=WORLD_ROWS),
    case('UTF-16 with a mark', content=WORLD.encode('utf-16'), rows=WORLD_ROWS),
    case('UTF-16 with a mark, high bytes first', content=('\ufeff' + WORLD).encode('utf-16-be'), rows=WORLD_ROWS),
    case('UTF-16 with a mark, CR LF and semicolons', content=table(';', '\r\n').encode('utf-16'), rows=PLAIN_ROWS),
    case('UTF-16 with a mark, packed', 'a.csv.gz', gzip.compress(WORLD.encode('utf-16')), WORLD_ROWS),
    case('UTF-16 with a mark, sent', content=WORLD.encode('utf-16'), rows=WORLD_ROWS, options=['--upload']),
    case('UTF-16 with a mark, through a pipe', content=WORLD.encode('utf-16'), rows=WORLD_ROWS, stdin=True),
    case('JSON in UTF-16', 'a.json', '{"day":"2024-03-01","name":"änn"}\n'.encode('utf-16'),
         [{'day': '2024-03-01', 'name': 'änn'}]),
    case('UTF-16 without a mark', content=PLAIN.encode('utf-16-le'), refused='--encoding utf-16le'),
    case('UTF-16 without a mark, told', content=WORLD.encode('utf-16-be'), rows=WORLD_ROWS,
         options=['--encoding', 'utf-16be']),
    case('UTF-16 that breaks off', content=WORLD.encode('utf-16') + b'\n', rows=WORLD_ROWS, refused='REFUSED', exit=1),
    case('UTF-32', content=PLAIN.encode('utf-32'), refused='iconv -f UTF-32'),
    case('Latin-1', content=table(names=('ann', 'böb', 'cid')).encode('latin-1'), refused='line 3 is not UTF-8'),
    case('Latin-1, what to do', content=table(names=('änn', 'bob', 'cid')).encode('latin-1'),
         refused='--encoding windows-1252'),
    case('Latin-1, told', content=table(names=('änn', 'böb', 'cid')).encode('latin-1'),
         rows=read(names=('änn', 'böb', 'cid')), options=['--encoding', 'latin1']),
    case('Windows-1252, told', content=table(names=('„a“', '€ 5', 'cid')).encode('cp1252'),
         rows=read(names=('„a“', '€ 5', 'cid')), options=['--encoding', 'windows-1252']),
    case('Shift JIS, told', content=table(names=('猫', 'ソ', 'cid')).encode('shift_jis'),
         rows=read(names=('猫', 'ソ', 'cid')), options=['--encoding', 'shift_jis']),
    case('UTF-8, told', content=WORLD, rows=WORLD_ROWS, options=['--encoding', 'utf-8']),
    case('one line of Latin-1 among UTF-8', content=WORLD.encode() + '2024-03-04,dän,4\n'.encode('latin-1'),
         rows=WORLD_ROWS, refused='--encoding', exit=1),
    # Values.
    case('leading zeros', **column('code', ['007', '042', '100'])),
    case('decimals', **column('x', ['1.5', '-2.25', '1e3'], [1.5, -2.25, 1000.0])),
    case('whole numbers, then decimals', **column('x', ['1', '2', '2.5'], [1.0, 2.0, 2.5])),
    case('whole numbers, then text', **column('x', ['1', '2', 'n/a'])),
    case('beyond 64 bits', **column('x', ['9223372036854775808', '1', '2'])),
    case('true and false', **column('x', ['true', 'false', 'true'])),
    case('blanks around', **column('name', [' a', 'b ', ' c '])),
    case('JSON in a column', **column('x', ['"{""a"": 1}"', '[]', 'x'], ['{"a": 1}', '[]', 'x'])),
    # Times.
    case('date and time', **times(['2024-03-01 10:20:30', '2024-03-02 00:00:00'],
                                  ['2024-03-01T10:20:30.000Z', '2024-03-02T00:00:00.000Z'])),
    case('ISO with a zone', **times(['2024-03-01T10:20:30+02:00'], ['2024-03-01T08:20:30.000Z'])),
    case('seconds since 1970', content='ts,n\n1709251200,1\n1709337600,2\n', times=MIDNIGHTS[:2],
         rows=[{'ts': 1709251200, 'n': 1}, {'ts': 1709337600, 'n': 2}]),
    case('milliseconds since 1970', content='ts,n\n1709251200000,1\n1709337600000,2\n', times=MIDNIGHTS[:2],
         rows=[{'ts': 1709251200000, 'n': 1}, {'ts': 1709337600000, 'n': 2}]),
    case('German dates', **times(['01.03.2024', '02.03.2024'], MIDNIGHTS[:2])),
    case('American dates', **times(['03/01/2024', '03/31/2024'], [MIDNIGHTS[0], '2024-03-31T00:00:00.000Z'])),
    case('British dates', **times(['01/03/2024', '31/03/2024'], [MIDNIGHTS[0], '2024-03-31T00:00:00.000Z'])),
    case('dates of either', **{**times(['01/03/2024', '02/03/2024'], None), 'refused': 'say --timestamp-column'}),
    case('dates of either, told', **times(['01/03/2024', '02/03/2024'], MIDNIGHTS[:2],
                                          options=['--timestamp-format', 'dd/MM/yyyy'])),
    case('no time at all', content='name,n\nann,1\nbob,2\n', times=['2000-01-01T00:00:00.000Z'] * 2,
         rows=[{'name': 'ann', 'n': 1}, {'name': 'bob', 'n': 2}]),
    # Broken lines: the others are stored, and the exit code says that some are not.
    case('a line too short', content=PLAIN + '2024-03-04,dan\n', rows=PLAIN_ROWS, refused='REFUSED', exit=1),
    case('a line too long', content=PLAIN + '2024-03-04,dan,4,5\n', rows=PLAIN_ROWS, refused='REFUSED', exit=1),
    case('a broken time', content=PLAIN + 'soon,dan,4\n', rows=PLAIN_ROWS, refused='REFUSED', exit=1,
         options=['--timestamp-column', 'day']),
    case('empty', content='', refused='it is empty'),
    # Packed, by content whatever the name.
    case('gzip', 'a.csv.gz', gzip.compress(PLAIN.encode()), PLAIN_ROWS),
    case('gzip without the name', content=gzip.compress(PLAIN.encode()), rows=PLAIN_ROWS),
    case('plain with the name', 'a.csv.gz', PLAIN, PLAIN_ROWS),
    case('Zstandard', 'a.csv.zst', zstandard(PLAIN), PLAIN_ROWS),
    case('ZIP', 'a.zip', zipped({'t.csv': PLAIN}), PLAIN_ROWS),
    case('ZIP of two', 'a.zip', zipped({'1.csv': PLAIN, '2.csv': PLAIN, '__MACOSX/1.csv': 'x'}), PLAIN_ROWS * 2),
    case('bzip2', 'a.csv.bz2', bz2.compress(PLAIN.encode()), refused='bunzip2'),
    case('through a pipe', content=PLAIN, rows=PLAIN_ROWS, stdin=True),
]
