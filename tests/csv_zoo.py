#!/usr/bin/env python3
"""Loads the files of csv_zoo/cases.py with `henge ingest`, each into a datasource of its own, and compares what was
read with what is to be read, and with what the sniffer of DuckDB reads, where Python has it.

    csv_zoo.py [--only TEXT]

Prints a table; fails when Henge reads one wrongly.
"""
import argparse
import datetime
import os
import re
import subprocess
import sys
import tempfile

from csv_zoo.cases import CASES
from harness import Client, Server, binary

TIME = re.compile(r'(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.0+)?(Z|\+00:00)?$')


def plain(value):
    """A value as text, in which different writings of the same are equal."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (datetime.date, datetime.datetime)):
        value = value.isoformat()
    text = str(value)
    found = TIME.match(text)
    return f'{found[1]} {found[2]}' if found else text


def sortable(rows):
    return sorted(([(name, value is not None, value or '') for name, value in row] for row in rows))


def is_same(found, expected):
    clean = [[(name, plain(value)) for name, value in sorted(row.items())] for row in found]
    wanted = [[(name, plain(value)) for name, value in sorted(row.items())] for row in expected]
    return sortable(clean) == sortable(wanted)


def henge(server, client, number, case, path):
    """('right' or what is wrong, what was printed)"""
    datasource = f'zoo{number}'
    command = [binary(), 'ingest', '--url', server.url, '--datasource', datasource, *case.get('options', [])]
    stdin = None
    if case.get('stdin'):
        command.append('-')
        stdin = open(path, 'rb')
    else:
        command.append(path)
    done = subprocess.run(command, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, check=False)
    printed = done.stdout.decode('utf-8', 'replace')
    if stdin:
        stdin.close()
    refused = case.get('refused')
    if refused and refused not in printed:
        return f'is not refused with {refused!r}', printed
    if refused and 'exit' not in case:
        return ('right (says what to do)' if done.returncode == 1 else f'exit code {done.returncode}'), printed
    if done.returncode != case.get('exit', 0):
        return f'exit code {done.returncode}', printed
    answer = client.query({'queryType': 'scan', 'dataSource': datasource, 'intervals': ['0001/3000'],
                           'resultFormat': 'list'})
    events = [event for block in answer for event in block['events']]
    found_times = sorted(event.pop('__time') for event in events)
    names = {name for row in case['rows'] for name in row}
    missing = [{**dict.fromkeys(names), **event} for event in events]
    if not is_same(missing, case['rows']):
        return f'reads {missing}', printed
    if case.get('times'):
        shown = [datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc) for ms in found_times]
        shown = [time.strftime('%Y-%m-%dT%H:%M:%S.') + f'{time.microsecond // 1000:03}Z' for time in shown]
        if shown != sorted(case['times']):
            return f'times {shown}', printed
    return 'right', printed


def in_utc(value):
    """A point in time as Henge writes it; other values as they are."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo:
            value = value.astimezone(datetime.timezone.utc)
        return value.strftime('%Y-%m-%dT%H:%M:%S.000Z')
    if isinstance(value, datetime.date):
        return value.strftime('%Y-%m-%dT00:00:00.000Z')
    return value


def duck(duckdb, case, path):
    """What DuckDB's sniffer makes of it: 'right', or what it does."""
    if duckdb is None:
        return 'not asked'
    try:
        found = duckdb.sql(f"SELECT * FROM read_csv('{path}')")
        rows = [dict(zip(found.columns, row)) for row in found.fetchall()]
    except Exception as error:  # pylint: disable=broad-except
        return 'refuses: ' + str(error).split('\n')[0][:60]
    if case['rows'] is None:
        return f'reads {len(rows)} rows'
    if is_same(rows, case['rows']):
        return 'right'
    # It makes the time of the column of the time, which stays as it was written here.
    timed = [{**row, next(iter(row)): time} for row, time in zip(case['rows'], case.get('times') or [])]
    if timed and is_same([{name: in_utc(value) for name, value in row.items()} for row in rows], timed):
        return 'right'
    # Columns without a name are called otherwise.
    nameless = [dict(enumerate(row.values())) for row in rows]
    if is_same(nameless, [dict(enumerate(row.values())) for row in case['rows']]):
        return 'right, other names'
    return f'reads {rows}'[:100]


def write(folder, number, case):
    path = os.path.join(folder, str(number), case['file'])
    os.makedirs(os.path.dirname(path))
    content = case['content']
    with open(path, 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--only', default='')
    options = parser.parse_args()
    try:
        import duckdb  # pylint: disable=import-outside-toplevel
    except ImportError:
        duckdb = None
        print('SKIPPED: DuckDB is not asked, for Python has no duckdb (pip install duckdb)')
    wrong = 0
    cases = [case for case in CASES if options.only in case['name']]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(os.path.join(folder, 'data')).start()
        client = Client(server.url)
        print(f'{"file":30} {"Henge":30} DuckDB')
        for number, case in enumerate(cases):
            if case['content'] is None:
                print(f'{case["name"]:30} SKIPPED: no program packs it here')
                continue
            path = write(folder, number, case)
            found, printed = henge(server, client, number, case, path)
            print(f'{case["name"]:30} {found:30} {duck(duckdb, case, path)}', flush=True)
            if not found.startswith('right'):
                wrong += 1
                print('    ' + printed.strip().replace('\n', '\n    '))
        server.stop()
    print(f'{len(cases)} files, {wrong} read wrongly by Henge')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
