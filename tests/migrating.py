#!/usr/bin/env python3
"""Asks for what docs/migrating-from-druid.md says is refused: 501 has to come back, and name it.

Of the table of what is refused, the rows of native queries are tried, name by name. A name that is built meanwhile fails
here, so that the page is put right.
"""
import os
import re
import sys
import tempfile

from harness import ROOT, Client, Server

PAGE = os.path.join(ROOT, 'docs', 'migrating-from-druid.md')
BASE = {'queryType': 'timeseries', 'dataSource': 'visits', 'intervals': ['2026/2027'], 'granularity': 'all'}
GROUPED = {**BASE, 'queryType': 'groupBy', 'dimensions': ['page']}
# By the first column of the page's row: a query with a part of that type.
PLACES = {
    'queries': lambda name: {**BASE, 'queryType': name},
    'data sources': lambda name: {**BASE, 'dataSource': {'type': name}},
    'aggregators': lambda name: {**BASE, 'aggregations': [{'type': name, 'name': 'a', 'fieldName': 'ms'}]},
    'post-aggregators': lambda name: {**BASE, 'postAggregations': [{'type': name, 'name': 'a'}]},
    'filters': lambda name: {**BASE, 'filter': {'type': name, 'dimension': 'page'}},
    'dimensions': lambda name: {**GROUPED, 'dimensions': [{'type': name, 'delegate': 'page'}]},
    'extraction functions': lambda name: {**BASE, 'filter': {
        'type': 'selector', 'dimension': 'page', 'value': 'x', 'extractionFn': {'type': name}}},
    'virtual columns': lambda name: {**BASE, 'virtualColumns': [{'type': name, 'name': 'v'}]},
}
# What rows name beside types that are refused.
SKIPPED = re.compile(r'[^A-Za-z-]|^expression$|^outputType$|^mv-')
LEAST_NAMES = 25


def refused(page):
    """(place, name) of what the page says is refused and can be tried."""
    table = page[page.index('## What is refused'):page.index('## How to move')]
    for row in re.findall(r'^\| ([a-z -]+?) \| (.*) \|$', table, re.M):
        place, said = row
        if place in PLACES:
            said = re.sub(r'\([^)]*\)', '', said)
            names = [name for name in re.findall(r'`([^`]+)`', said) if not SKIPPED.search(name)]
            yield from ((place, name) for name in names)


def main():
    with open(PAGE, encoding='utf-8') as file:
        names = list(refused(file.read()))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        server = Server(os.path.join(folder, 'data'), log='error').start()
        client = Client(server.url)
        for place, name in names:
            status, answer = client.call('POST', '/druid/v2', PLACES[place](name))
            if status != 501 or name.lower() not in str(answer).lower():
                failed += 1
                print(f'FAIL: {place}: {name}: HTTP {status} {answer}')
        server.stop()
    print('FAIL' if failed or len(names) < LEAST_NAMES else f'PASS: {len(names)} types are refused by name')
    return 1 if failed or len(names) < LEAST_NAMES else 0


if __name__ == '__main__':
    sys.exit(main())
