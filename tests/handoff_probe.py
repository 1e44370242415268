#!/usr/bin/env python3
"""Asks without pause while events are pushed, handed off and replaced; counts wrong answers.

    handoff_probe.py [--seconds 30]

Three datasources. `steady`: pushed once and handed off; every answer must be the same before, during
and after (F-58, I-02). `growing`: pushed all the while with many hand-offs; an answer may never show
fewer events than were acknowledged before it was asked, nor more than were sent (I-01, I-02).
`replaced`: batch tasks replace a day again and again while events are pushed into it; every answer
must show exactly one task's rows (I-04, I-05) and every acknowledged pushed event (P-1).
"""
import argparse
import json
import shutil
import tempfile
import threading
import time

import harness

DAY_MS, START_MS = 86_400_000, 1_750_032_000_000
SETTINGS = {'INGESTION__HANDOFF_ROWS': 5000, 'INGESTION__HANDOFF_AGE_MS': 300, 'INGESTION__MAX_ROWS_IN_MEMORY': 1500}


def schema(granularity):
    return {
        'timestampSpec': {'column': 't', 'format': 'millis'},
        'dimensionsSpec': {'dimensions': ['kind', {'type': 'long', 'name': 'generation'}]},
        'metricsSpec': [{'type': 'count', 'name': 'events'}],
        'granularitySpec': {'segmentGranularity': granularity, 'queryGranularity': 'none', 'rollup': False},
    }


def events(count, kind, start=0, generation=0):
    return [{'t': START_MS + (start + i) * 7 % DAY_MS, 'kind': kind, 'generation': generation} for i in range(count)]


def ndjson(rows):
    return '\n'.join(map(json.dumps, rows)).encode()


def count_query(datasource):
    return {'queryType': 'timeseries', 'dataSource': datasource, 'intervals': ['2020/2040'], 'granularity': 'all',
            'aggregations': [{'type': 'longSum', 'name': 'n', 'fieldName': 'events'}]}


class Probe:
    def __init__(self, url):
        self.url, self.done, self.lock = url, threading.Event(), threading.Lock()
        self.queries = {'steady': 0, 'growing': 0, 'replaced': 0}
        self.wrong = []
        self.sent = {'growing': 0, 'replaced': 0}
        self.acknowledged = {'growing': 0, 'replaced': 0}
        self.generations = 0

    def report(self, name, text):
        with self.lock:
            self.wrong.append(f'{name}: {text}')

    def watch_steady(self, expected):
        client = harness.Client(self.url)
        while not self.done.is_set():
            answer = client.query(count_query('steady'))
            got = answer[0]['result']['n'] if answer else 0
            self.queries['steady'] += 1
            if got != expected:
                self.report('steady', f'{got} of {expected}')

    def watch_growing(self):
        client = harness.Client(self.url)
        while not self.done.is_set():
            low = self.acknowledged['growing']
            answer = client.query(count_query('growing'))
            got = (answer[0]['result']['n'] if answer else 0) or 0
            high = self.sent['growing']
            self.queries['growing'] += 1
            if not low <= got <= high:
                self.report('growing', f'{got}, acknowledged {low}, sent {high}')

    def watch_replaced(self, rows):
        client = harness.Client(self.url)
        query = {'queryType': 'groupBy', 'dataSource': 'replaced', 'intervals': ['2020/2040'], 'granularity': 'all',
                 'dimensions': ['kind', {'type': 'default', 'dimension': 'generation', 'outputName': 'generation', 'outputType': 'LONG'}],
                 'aggregations': [{'type': 'longSum', 'name': 'n', 'fieldName': 'events'}]}
        newest = 0
        while not self.done.is_set():
            low = self.acknowledged['replaced']
            groups = [row['event'] for row in client.query(query)]
            high = self.sent['replaced']
            self.queries['replaced'] += 1
            batch = [g for g in groups if g['kind'] == 'batch']
            pushed = sum(g['n'] for g in groups if g['kind'] == 'push')
            if len(batch) != 1 or batch[0]['n'] != rows:
                self.report('replaced', f'batch rows {batch}')
            elif batch[0]['generation'] < newest:
                self.report('replaced', f"generation went back from {newest} to {batch[0]['generation']}")
            else:
                newest = batch[0]['generation']
            # Published pushes are replaced with the rest of the day, as in Druid: only an upper bound.
            if pushed > high:
                self.report('replaced', f'{pushed} pushed rows, sent {high}')
            del low

    def push(self, datasource, size):
        client, start = harness.Client(self.url), 0
        while not self.done.is_set():
            self.sent[datasource] += size
            status, reply = client.call('POST', f'/v1/datasources/{datasource}/events', ndjson(events(size, 'push', start)))
            if status == 429:  # hand-offs are behind: nothing of it is stored, and it may come again
                self.sent[datasource] -= size
                time.sleep(0.1)
                continue
            if status != 200 or reply['accepted'] != size:
                self.report(datasource, f'push: HTTP {status} {str(reply)[:200]}')
            self.acknowledged[datasource] += size
            start += size
            time.sleep(0.003)

    def replace(self, rows):
        client = harness.Client(self.url)
        while not self.done.is_set():
            self.generations += 1
            harness.run_task(client, task(rows, self.generations))


def task(rows, generation):
    return {'type': 'index_parallel', 'spec': {
        'dataSchema': dict(schema('day'), dataSource='replaced'),
        'ioConfig': {'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': ndjson(events(rows, 'batch', 0, generation)).decode()},
                     'inputFormat': {'type': 'json'}, 'appendToExisting': False},
        'tuningConfig': {'type': 'index_parallel', 'maxRowsPerSegment': rows // 2}}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=30)
    options = parser.parse_args()
    data_dir = tempfile.mkdtemp(prefix='henge-probe-')
    server = harness.Server(data_dir, SETTINGS).start()
    client, probe, rows = harness.Client(server.url), Probe(server.url), 2000
    for name, granularity in (('steady', 'hour'), ('growing', 'hour'), ('replaced', 'day')):
        client.must('PUT', f'/v1/datasources/{name}', schema(granularity))
    harness.run_task(client, task(rows, 0))
    while not client.query(count_query('replaced')):
        time.sleep(0.01)
    steady = 4000
    client.must('POST', '/v1/datasources/steady/events', ndjson(events(steady, 'push')))
    work = [lambda: probe.watch_steady(steady), probe.watch_growing, lambda: probe.watch_replaced(rows),
            lambda: probe.push('growing', 200), lambda: probe.push('replaced', 50), lambda: probe.replace(rows)]

    def guarded(function):
        try:
            function()
        except Exception as error:  # a failed call is a finding, not the end of the probe
            probe.report('probe', f'{type(error).__name__}: {error}')

    threads = [threading.Thread(target=guarded, args=(function,)) for function in work]
    for thread in threads:
        thread.start()
    time.sleep(options.seconds)
    probe.done.set()
    for thread in threads:
        thread.join()
    final = client.query(count_query('growing'))[0]['result']['n']
    if final != probe.sent['growing']:
        probe.report('growing', f"{final} in the end, sent {probe.sent['growing']}")
    server.stop()
    asked = sum(probe.queries.values())
    print(f"hand-off probe: {asked} queries sent {probe.queries}, wrong answers {len(probe.wrong)}; "
          f"{probe.sent['growing']} events handed off, a day replaced {probe.generations} times")
    for text in probe.wrong[:20]:
        print('WRONG', text)
    print(f"hand-off probe: {'0 passed, 1 failed' if probe.wrong else '1 passed, 0 failed'}")
    if not probe.wrong:
        shutil.rmtree(data_dir)
    raise SystemExit(bool(probe.wrong))


if __name__ == '__main__':
    main()
