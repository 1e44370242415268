#!/usr/bin/env python3
"""Prints latency under load: clients with the dashboards' mix while a pusher ingests.

    concurrency_bench.py [--clients 32] [--rate 0] [--seconds 60] [--rows 2000000] [--push-rate 5000]
                         [--no-caches] [--low 0] [--seed 0] [--url URL] [--settings NAME=VALUE ...]

With --url the queries go to the table `pageviews` of a running server (as the comparison's
specs load it), else to a small synthetic one on a server of its own. `--low` clients more send
heavy groupBys with priority -1. Each client picks queries at random; half of them repeat a few
windows, as boards that many people look at do, the others are of their own.

Without --rate each client asks again as soon as it has its answer (a closed loop: how much the
server can take). With --rate the queries become due at random moments, so many a second, whether
or not the earlier ones are answered, and latency counts from the moment that each was due (an
open loop: what people who do not wait for each other see).
"""
import argparse
import json
import os
import random
import shutil
import tempfile
import threading
import time

import harness
from measure import SCHEMA, page_view, percentile

DAY_MS = 86_400_000
OFF = {'useCache': False, 'populateCache': False, 'useResultLevelCache': False, 'populateResultLevelCache': False}


def iso(ms):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000)) + f'.{ms % 1000:03d}Z'


def mix(rng, table, span, sites, context):
    """One query of the dashboards' mix: about 30 % plain aggregates, 60 % grouped, 10 % metadata and search."""
    start, end = span
    length = max((end - start) // 30, 60_000)
    first = start + (length * rng.randrange(25) if rng.random() < 0.5 else rng.randrange(max(end - start - 5 * length, 1)))
    interval = f'{iso(first)}/{iso(min(first + length * rng.choice((1, 2, 5)), end))}'
    site = {'type': 'selector', 'dimension': 'site', 'value': rng.choice(sites)}
    views, visitors = {'type': 'count', 'name': 'views'}, {'type': 'cardinality', 'name': 'visitors', 'fields': ['visitor_id']}
    base = {'dataSource': table, 'intervals': interval, 'granularity': 'all', 'context': context}
    top = {'queryType': 'topN', **base, 'metric': 'views', 'threshold': 10, 'aggregations': [views]}
    pick = rng.random()
    if pick < 0.15:
        return 'trend', {'queryType': 'timeseries', **base, 'granularity': 'hour', 'aggregations': [views, {'type': 'longSum', 'name': 'bytes', 'fieldName': 'bytes'}], 'filter': site}
    if pick < 0.30:
        return 'uniques', {'queryType': 'timeseries', **base, 'aggregations': [views, visitors], 'filter': site}
    if pick < 0.50:
        return 'top pages', {**top, 'dimension': 'uri', 'filter': site}
    if pick < 0.65:
        return 'top referrers', {**top, 'dimension': 'referrer'}
    if pick < 0.80:
        return 'by country', {'queryType': 'groupBy', **base, 'dimensions': ['country', 'device'], 'aggregations': [views], 'limitSpec': {'type': 'default', 'limit': 20, 'columns': [{'dimension': 'views', 'direction': 'descending'}]}}
    if pick < 0.90:
        return 'by day', {'queryType': 'groupBy', **base, 'granularity': 'day', 'dimensions': ['event_type'], 'aggregations': [views], 'filter': site}
    if pick < 0.95:
        return 'timeBoundary', {'queryType': 'timeBoundary', 'dataSource': table, 'context': context}
    return 'search', {'queryType': 'search', **base, 'searchDimensions': ['country'], 'query': {'type': 'insensitive_contains', 'value': 'c1'}, 'limit': 20}


class Load:
    def __init__(self, url, table, span, sites, options):
        self.url, self.table, self.span, self.sites = url, table, span, sites
        self.seed = options.seed * 1_000_003
        self.context = OFF if options.no_caches else {}
        self.stop_at = time.monotonic() + options.seconds
        self.lock, self.times, self.errors, self.pushed, self.low_times = threading.Lock(), {}, [], 0, []
        self.due = self.arrivals(options.rate) if options.rate else None

    def arrivals(self, rate):
        """The moments at which queries become due: a Poisson process."""
        rng, at = random.Random(self.seed + 7), time.monotonic()
        while at < self.stop_at:
            at += rng.expovariate(rate)
            yield at

    def next_start(self):
        """Waits until the next query is due; gives the moment from which its latency counts."""
        if self.due is None:
            return time.monotonic()
        with self.lock:
            due = next(self.due, self.stop_at)
        time.sleep(max(0.0, due - time.monotonic()))
        return due

    def client(self, seed):
        rng, connection, mine = random.Random(self.seed + seed), harness.Client(self.url), []
        while (started := self.next_start()) < self.stop_at:
            name, query = mix(rng, self.table, self.span, self.sites, self.context)
            try:
                connection.query(query)
                mine.append((name, (time.monotonic() - started) * 1000))
            except Exception as error:  # counted and shown: a load test has no single culprit
                with self.lock:
                    self.errors.append(f'{name}: {error}')
        with self.lock:
            for name, took in mine:
                self.times.setdefault(name, []).append(took)

    def reporter(self, seed):
        rng, connection = random.Random(self.seed + seed), harness.Client(self.url, timeout=600)
        while time.monotonic() < self.stop_at:
            query = {'queryType': 'groupBy', 'dataSource': self.table, 'intervals': f'{iso(self.span[0])}/{iso(self.span[1])}', 'granularity': 'all',
                     'dimensions': ['visitor_id', 'uri'], 'aggregations': [{'type': 'count', 'name': 'views'}],
                     'limitSpec': {'type': 'default', 'limit': 5 + rng.randrange(100), 'columns': [{'dimension': 'views', 'direction': 'descending'}]},
                     'context': {'priority': -1, **OFF}}
            started = time.perf_counter()
            status, answer = connection.call('POST', '/druid/v2', query)
            with self.lock:
                self.low_times.append(time.perf_counter() - started)
                if status not in (200, 429):
                    self.errors.append(f'report: HTTP {status}: {str(answer)[:300]}')

    def pusher(self, rate):
        rng, connection, batch = random.Random(1), harness.Client(self.url), 500
        now = int(time.time() * 1000)
        body = '\n'.join(json.dumps({**page_view(rng, i), 'time': now + i}) for i in range(batch)).encode()
        due = time.monotonic()
        while time.monotonic() < self.stop_at:
            connection.must('POST', '/v1/datasources/pushed/events', body)
            self.pushed += batch
            due += batch / rate
            time.sleep(max(0.0, due - time.monotonic()))

    def show(self, seconds, memory_mb):
        everything = [took for times in self.times.values() for took in times]
        for name, times in sorted(self.times.items()) + [('all', everything)]:
            shown = '  '.join(f'{label} {percentile(times, share):8.1f}' for label, share in (('p50', 0.5), ('p90', 0.9), ('p99', 0.99)))
            print(f'{name:14} {len(times):7}  {shown}  max {max(times, default=0):8.1f} ms')
        print(f'{len(everything) / seconds:.0f} queries/s, {len(self.errors)} errors, {self.pushed / seconds:,.0f} events/s pushed, server {memory_mb:.0f} MB')
        if self.low_times:
            print(f'reports: {len(self.low_times)}, median {percentile(self.low_times, 0.5):.2f} s')
        for error in self.errors[:5]:
            print(' ', error[:300])


def load_synthetic(client, folder, rows):
    rng, path = random.Random(3), os.path.join(folder, 'rows.json')
    span, step = (1_749_945_600_000, 1_749_945_600_000 + 30 * DAY_MS), max(30 * DAY_MS // rows, 1)
    kinds = [page_view(rng, i) for i in range(min(rows, 200_000))]
    with open(path, 'w', encoding='utf-8') as file:
        for i in range(rows):
            file.write(json.dumps({**kinds[rng.randrange(len(kinds))], 'time': span[0] + i * step}) + '\n')
    schema = {'dataSource': 'pageviews', **SCHEMA, 'granularitySpec': {'segmentGranularity': 'day', 'queryGranularity': 'none', 'rollup': False}}
    io = {'type': 'index_parallel', 'inputSource': {'type': 'local', 'files': [path]}, 'inputFormat': {'type': 'json'}}
    harness.run_task(client, {'type': 'index_parallel', 'spec': {'dataSchema': schema, 'ioConfig': io, 'tuningConfig': {'type': 'index_parallel'}}}, timeout=1800)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--clients', type=int, default=32)
    parser.add_argument('--rate', type=float, default=0, help='queries a second, due whether or not others are answered')
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--rows', type=int, default=2_000_000)
    parser.add_argument('--push-rate', type=float, default=5_000)
    parser.add_argument('--low', type=int, default=0)
    parser.add_argument('--no-caches', action='store_true')
    parser.add_argument('--seed', type=int, default=0, help='of a run: one with the seed of an earlier one asks what that one asked, and finds it in the caches')
    parser.add_argument('--url')
    parser.add_argument('--settings', nargs='*', default=[])
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='henge-concurrency-')
    server = None
    try:
        if not options.url:
            server = harness.Server(os.path.join(folder, 'data'), dict(setting.split('=', 1) for setting in options.settings)).start()
            load_synthetic(harness.Client(server.url), folder, options.rows)
        url = options.url or server.url
        client = harness.Client(url)
        client.must('PUT', '/v1/datasources/pushed', SCHEMA)
        bounds = client.query({'queryType': 'timeBoundary', 'dataSource': 'pageviews'})[0]['result']
        parse = lambda text: int(time.mktime(time.strptime(text[:19], '%Y-%m-%dT%H:%M:%S')) - time.timezone) * 1000
        span = (parse(bounds['minTime']), parse(bounds['maxTime']) + 1000)
        top = client.query({'queryType': 'topN', 'dataSource': 'pageviews', 'intervals': f'{iso(span[0])}/{iso(span[1])}', 'granularity': 'all', 'dimension': 'site', 'metric': 'n', 'threshold': 50, 'aggregations': [{'type': 'count', 'name': 'n'}]})
        sites = [row['site'] for row in top[0]['result']]
        load = Load(url, 'pageviews', span, sites, options)
        threads = [threading.Thread(target=load.client, args=(seed,)) for seed in range(options.clients)]
        threads += [threading.Thread(target=load.reporter, args=(seed,)) for seed in range(options.low)]
        threads += [threading.Thread(target=load.pusher, args=(options.push_rate,))] if options.push_rate else []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        load.show(options.seconds, server.memory_mb() if server else float('nan'))
    finally:
        if server:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
