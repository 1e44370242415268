#!/usr/bin/env python3
"""Loses a hot node, then a whole zone, under dashboards' load, and prints what that cost (F-57).

    tier_drill.py [--seconds 15] [--base-port 18700] [--rows 200000]

Two hot nodes in two zones and a cold one, a copy of each segment in either tier. The hot node dies by kill -9: queries
go to the cold copy at once, and the hot one is rebuilt on the other hot node. Then everything of the zone without
the cold node dies. Errors are counted, and so are answers that differ from the one before; both have to be 0. Full
replication is when the inventories of the nodes that live have each used segment in both tiers.
"""
import argparse
import json
import sys
import threading
import time

from harness import binary
from measure import percentile
from storms.cluster import BROKERS, in_new_cluster

RULES = [{'type': 'loadForever', 'tieredReplicants': {'hot': 1, 'cold': 1}}]
SCHEMA = {'timestampSpec': {'column': 'time', 'format': 'auto'}, 'dimensionsSpec': {'dimensions': ['site', 'country']},
          'metricsSpec': [{'type': 'count', 'name': 'views'}, {'type': 'longSum', 'name': 'spent', 'fieldName': 'spent'}],
          'granularitySpec': {'segmentGranularity': 'hour', 'queryGranularity': 'none', 'rollup': False}}
SUMS = [{'type': 'longSum', 'name': name, 'fieldName': name} for name in ('views', 'spent')]
OFF = {'useCache': False, 'populateCache': False, 'useResultLevelCache': False, 'populateResultLevelCache': False}
BASE = {'dataSource': 'visits', 'intervals': ['2026-01-01/2026-01-03'], 'granularity': 'all', 'aggregations': SUMS, 'context': OFF}
BOARD = [{'queryType': 'timeseries', **BASE, 'granularity': 'hour'},
         {'queryType': 'topN', **BASE, 'dimension': 'site', 'metric': 'views', 'threshold': 10},
         {'queryType': 'groupBy', **BASE, 'dimensions': ['country', 'site'], 'limitSpec': {'type': 'default', 'columns': ['country', 'site']}}]
TASK_SECONDS = WHOLE_SECONDS = 120


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=15)
    parser.add_argument('--base-port', type=int, default=18700)
    parser.add_argument('--rows', type=int, default=200_000)
    options = parser.parse_args()
    print(f'drill with {binary()}', flush=True)
    return in_new_cluster('the loss of nodes of a tier', options.base_port, lambda cluster: drill(cluster, options), tiers=True)


def drill(cluster, options):
    cluster.up()
    try:
        return lose_nodes(cluster, options)
    finally:
        cluster.down()


def lose_nodes(cluster, options):
    cluster.must(BROKERS[0], 'POST', '/druid/coordinator/v1/rules/_default', RULES)
    load(cluster, options.rows)
    wait_until_seen(cluster, options.rows)
    whole = Replication(cluster, []).seconds()
    print(f'{options.rows:,} rows in {len(segments(cluster))} segments, a copy in each tier {whole:.1f} s later', flush=True)
    boards = Boards(cluster)
    boards.phase('before', options.seconds)
    for what, lost in (('hot node lost', ['historical-1']), ('zone lost', ['historical-2', 'realtime-2', 'coordinator-2', 'broker-2'])):
        # Who asks a broker that is gone asks the other one, as behind a load balancer.
        boards.brokers = [name for name in boards.brokers if name not in lost]
        for name in lost:
            cluster.kill(name)
        replication = Replication(cluster, lost)
        boards.phase(what, options.seconds)
        print(f'{"":14s} full replication {replication.seconds():.1f} s after the loss', flush=True)
        boards.phase('after it', options.seconds)
        for name in lost:
            cluster.start(name)
        boards.brokers = list(BROKERS)
        wait_until_whole(cluster)
    boards.end()
    print(f'{boards.errors} errors, {boards.wrong} wrong answers')
    return 1 if boards.errors or boards.wrong else 0


def load(cluster, rows):
    step_ms = 2 * 24 * 3_600_000 // rows
    start_ms = 1_767_225_600_000
    lines = '\n'.join(json.dumps({'time': start_ms + row * step_ms, 'site': f's{row * row % 97}', 'country': f'c{row % 31}', 'spent': row % 1009}) for row in range(rows))
    task = {'type': 'index_parallel', 'spec': {'dataSchema': {'dataSource': 'visits', **SCHEMA}, 'tuningConfig': {'type': 'index_parallel'},
            'ioConfig': {'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': lines}, 'inputFormat': {'type': 'json'}}}}
    path = '/druid/indexer/v1/task/' + cluster.must(BROKERS[0], 'POST', '/druid/indexer/v1/task', task)['task'] + '/status'
    end = time.monotonic() + TASK_SECONDS
    while (status := cluster.must(BROKERS[0], 'GET', path)['status'])['statusCode'] != 'SUCCESS':
        if status['statusCode'] == 'FAILED' or time.monotonic() > end:
            sys.exit(f'the rows were not loaded: {status}')
        time.sleep(0.2)


def wait_until_seen(cluster, rows):
    """Until both brokers count every row: the end of a task is not yet known to them."""
    count = {'queryType': 'timeseries', **BASE}
    end = time.monotonic() + WHOLE_SECONDS
    for broker in BROKERS:
        while not (answer := cluster.must(broker, 'POST', '/druid/v2', count)) or answer[0]['result']['views'] != rows:
            if time.monotonic() > end:
                sys.exit(f'{broker} counts {answer}, and {rows} were loaded')
            time.sleep(0.1)


def segments(cluster):
    return cluster.must(BROKERS[0], 'GET', '/druid/coordinator/v1/metadata/datasources/visits/segments')


class Replication:
    """When the nodes that live hold all again, by their inventories: a load status counts nodes that are away, too."""

    def __init__(self, cluster, lost):
        self.cluster, self.lost = cluster, {f'historical-{name}' for name in lost}
        self.began, self.took = time.monotonic(), None
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        while self.took is None and time.monotonic() - self.began < WHOLE_SECONDS:
            try:
                if self.is_full():
                    self.took = time.monotonic() - self.began
                    return
            except OSError:
                pass
            time.sleep(0.1)

    def is_full(self):
        used_status, used, _ = self.cluster.call(BROKERS[0], 'GET', '/druid/coordinator/v1/metadata/datasources/visits/segments')
        status, servers, _ = self.cluster.call(BROKERS[0], 'GET', '/druid/coordinator/v1/servers?full')
        if (used_status, status) != (200, 200) or not used:
            return False
        tiers = RULES[0]['tieredReplicants']
        held = {tier: set() for tier in tiers}
        for server in servers:
            if server['type'] == 'historical' and server['host'] not in self.lost and server['tier'] in held:
                held[server['tier']].update(server['segments'])
        return all(set(used) <= held[tier] for tier in tiers)

    def seconds(self):
        self.thread.join()
        if self.took is None:
            sys.exit(f'not fully replicated after {WHOLE_SECONDS} s')
        return self.took


def wait_until_whole(cluster):
    """Until nothing waits to be loaded; what nodes have that are away for a moment counts as loaded."""
    began = time.monotonic()
    while True:
        try:
            status, left, _ = cluster.call(BROKERS[0], 'GET', '/druid/coordinator/v1/loadstatus?full')
            if status == 200 and left and all(count == 0 for tier in left.values() for count in tier.values()):
                return
        except OSError:
            pass
        if time.monotonic() - began > WHOLE_SECONDS:
            sys.exit(f'not whole after {WHOLE_SECONDS} s: {left}')
        time.sleep(0.1)


class Boards:
    """Four dashboards that ask without pause."""

    def __init__(self, cluster):
        self.cluster, self.brokers, self.took, self.errors, self.wrong, self.on = cluster, list(BROKERS), [], 0, 0, True
        self.right = [cluster.must(BROKERS[0], 'POST', '/druid/v2', query) for query in BOARD]
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.ask, args=(number,)) for number in range(4)]
        for thread in self.threads:
            thread.start()

    def ask(self, number):
        while self.on:
            number += 1
            query, right, broker = BOARD[number % len(BOARD)], self.right[number % len(BOARD)], self.brokers[number % len(self.brokers)]
            started = time.monotonic()
            try:
                status, answer, _ = self.cluster.call(broker, 'POST', '/druid/v2', query)
            except OSError as error:
                if broker in self.brokers:
                    self.errors += 1
                    print(f'    {error}', flush=True)
                continue
            self.took.append((time.monotonic() - started) * 1000)
            if status != 200:
                self.errors += 1
                print(f'    {broker}: HTTP {status} {str(answer)[:200]}', flush=True)
            elif answer != right:
                self.wrong += 1

    def phase(self, name, seconds):
        self.took, errors, self.began = [], self.errors, time.monotonic()
        time.sleep(seconds)
        took = sorted(self.took) or [float('nan')]
        print(f'{name:14s} {len(took):6d} queries, p50 {percentile(took, 0.5):.1f} ms, p99 {percentile(took, 0.99):.1f} ms, slowest {took[-1]:.0f} ms, {self.errors - errors} errors', flush=True)

    def end(self):
        self.on = False
        for thread in self.threads:
            thread.join()


if __name__ == '__main__':
    sys.exit(main())
