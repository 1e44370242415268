#!/usr/bin/env python3
"""Asks one process and a cluster the same questions in turn: whether the answers are the same, and what the way costs.

    DATA=DIR through_cluster.py --one URL --cluster URL [--only PREFIX] [--n 9] [--queries FILE.py ...]

Tables that either does not have are loaded there first; a cluster's realtime nodes have to be allowed to read DATA.
Each figure is the median of N warm answers in milliseconds, caches off. Answers have to be equal byte for byte, but
for sums of doubles, which are added in another order by several nodes: those to 1e-12.
"""
import argparse
import json
import math
import os
import statistics
import sys
import time

import compare
import engines
import loading

SMALL_MS = 5


def main():
    options = arguments()
    data = os.environ.get('DATA', os.path.expanduser('~/.cache/henge-bench'))
    entries = [entry for path in options.queries for entry in compare.load_queries(path)]
    entries = [entry for entry in entries if entry['name'].startswith(options.only) and entry['native'] is not None]
    urls = {'one': options.one, 'cluster': options.cluster}
    for table in sorted({entry['table'] for entry in entries}):
        for url in urls.values():
            load(url, data, table)
    runners = {name: engines.henge(url) for name, url in urls.items()}
    medians, differing = [], []
    for entry in entries:
        times, bodies = measure(entry, runners, options.n)
        same = equal(json.loads(bodies['one']), json.loads(bodies['cluster']))
        medians.append(times)
        if not same:
            differing.append(entry['name'])
        print(f"{entry['name']:26s} one={times['one']:.2f} cluster={times['cluster']:.2f} {len(bodies['one']):9,d} bytes  {'same' if same else 'DIFFERENT'}", flush=True)
    summary(medians, differing)
    return 1 if differing else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--one', required=True)
    parser.add_argument('--cluster', required=True)
    parser.add_argument('--only', default='')
    parser.add_argument('--n', type=int, default=9)
    parser.add_argument('--queries', nargs='*', default=[os.path.join(engines.HERE, name) for name in ('queries.py', 'dashboards.py', 'star_schema.py')])
    return parser.parse_args()


def load(url, data, table):
    client = loading.harness.Client(url)
    if loading.rows(client, table):
        return
    print(f'# {table}: loading into {url}', flush=True)
    with open(loading.spec_of(table, False), encoding='utf-8') as file:
        task = json.loads(file.read().replace('@DATA@', os.path.abspath(data)))
    task['spec']['dataSchema']['dataSource'] = table
    loading.follow(client, task, table, loading.Peak(os.getpid(), reset=False))


def measure(entry, runners, repeats):
    """Medians, asked in turn so that whatever else the machine does meets both."""
    samples, bodies = {name: [] for name in runners}, {}
    for turn in range(repeats + 1):
        for name, run in runners.items():
            started = time.perf_counter()
            bodies[name] = run(entry)
            if turn:
                samples[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(of) for name, of in samples.items()}, bodies


def equal(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-12)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return type(left) is type(right) and left == right


def summary(medians, differing):
    small = [times['cluster'] - times['one'] for times in medians if times['one'] < SMALL_MS]
    large = [times['cluster'] / times['one'] for times in medians if times['one'] >= SMALL_MS]
    print(f'{len(medians)} questions, {len(differing)} different: {differing}')
    if small:
        print(f'{len(small)} below {SMALL_MS} ms in one process: {statistics.median(small):+.2f} ms median, {max(small):+.2f} ms at most')
    if large:
        print(f'{len(large)} above: {statistics.median(large):.2f}x median, {max(large):.2f}x at most')


if __name__ == '__main__':
    sys.exit(main())
