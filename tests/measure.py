#!/usr/bin/env python3
"""Prints what operators ask first: ingestion rate, time to visibility, memory, start-up.

    measure.py [--events 2000000] [--clients 4] [--batch 1000]

The load generator shares the machine with the server; bodies are made beforehand and sent again and
again, so that it takes little of it.
"""
import argparse
import json
import random
import shutil
import tempfile
import threading
import time

import harness

START_MS = 1_750_032_000_000
SCHEMA = {
    'timestampSpec': {'column': 'time', 'format': 'millis'},
    'dimensionsSpec': {'dimensions': ['site', 'uri', 'referrer', 'country', 'browser', 'device', 'visitor_id', 'event_type',
                                      {'type': 'long', 'name': 'duration_ms'}, {'type': 'long', 'name': 'bytes'}, {'type': 'double', 'name': 'revenue'}]},
    'granularitySpec': {'segmentGranularity': 'hour', 'queryGranularity': 'none', 'rollup': False},
}


def page_view(rng, i):
    site = int(rng.random() ** 3 * 200)
    return {'time': START_MS + i, 'site': f'site-{site}', 'uri': f'/s{site}/page/{int(rng.random() ** 4 * 20000)}',
            'referrer': rng.choice([None, f'https://ref{int(rng.random() ** 4 * 3000)}.example/']), 'country': f'C{int(rng.random() ** 3 * 200)}',
            'browser': rng.choice(['Chrome', 'Safari', 'Firefox', 'Edge']), 'device': rng.choice(['mobile', 'desktop', 'tablet']),
            'visitor_id': f'v{int(rng.random() ** 1.6 * 2000000)}', 'event_type': rng.choice(['view', 'click', 'scroll', 'purchase']),
            'duration_ms': int(rng.random() ** 4 * 600000), 'bytes': int(200 + rng.random() * 60000), 'revenue': round(rng.random() * 200, 2)}


def bodies(count, batch):
    rng = random.Random(42)
    return ['\n'.join(json.dumps(page_view(rng, b * batch + i), separators=(',', ':')) for i in range(batch)).encode() for b in range(count)]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float('nan')


def measure_ingestion(server, options):
    harness.Client(server.url).must('PUT', '/v1/datasources/pageviews', SCHEMA)
    prepared = bodies(200, options.batch)
    left, lock, latencies, refused = [options.events // options.batch], threading.Lock(), [], [0]

    def client(number):
        connection, at = harness.Client(server.url), number
        while True:
            with lock:
                if left[0] <= 0:
                    return
                left[0] -= 1
            at = (at + options.clients) % len(prepared)
            started = time.perf_counter()
            while connection.call('POST', '/v1/datasources/pageviews/events', prepared[at])[0] != 200:
                refused[0] += 1
                time.sleep(0.01)
            latencies.append((time.perf_counter() - started) * 1000)

    done, memory, visible = threading.Event(), [], []

    def watch_memory():
        while not done.is_set():
            memory.append(server.memory_mb())
            time.sleep(0.5)

    def watch_visibility():
        connection, number = harness.Client(server.url), 0
        while not done.is_set():
            number += 1
            marker = f'marker-{number}'
            event = dict(page_view(random.Random(number), number), site=marker)
            connection.must('POST', '/v1/datasources/pageviews/events', event)
            acknowledged = time.perf_counter()
            query = {'queryType': 'timeseries', 'dataSource': 'pageviews', 'intervals': ['2020/2040'], 'granularity': 'all',
                     'filter': {'type': 'selector', 'dimension': 'site', 'value': marker}, 'aggregations': [{'type': 'count', 'name': 'n'}]}
            while connection.query(query)[0]['result']['n'] != 1:
                pass
            visible.append((time.perf_counter() - acknowledged) * 1000)
            time.sleep(0.05)

    watchers = [threading.Thread(target=watch_memory), threading.Thread(target=watch_visibility)]
    clients = [threading.Thread(target=client, args=(n,)) for n in range(options.clients)]
    started = time.perf_counter()
    for thread in watchers + clients:
        thread.start()
    for thread in clients:
        thread.join()
    seconds = time.perf_counter() - started
    done.set()
    for thread in watchers:
        thread.join()
    events = options.events // options.batch * options.batch
    third = memory[len(memory) // 3:] or memory
    print(f'ingestion: {events} page views of 12 fields in {seconds:.1f} s: {events / seconds:,.0f} events/s durable and queryable '
          f'({options.clients} clients, batches of {options.batch}, {sum(map(len, prepared)) / len(prepared) / options.batch:.0f} bytes an event, {refused[0]} answers asked to wait)')
    print(f'acknowledgement: median {percentile(latencies, .5):.1f} ms, p99 {percentile(latencies, .99):.1f} ms a batch')
    print(f'acknowledged to seen by a query, under that load: median {percentile(visible, .5):.1f} ms, p99 {percentile(visible, .99):.1f} ms, {len(visible)} probes, the query included')
    print(f'resident memory: largest {max(memory):.0f} MB; in the last two thirds between {min(third):.0f} and {max(third):.0f} MB')
    expected = events + len(visible)
    got = harness.Client(server.url).query({'queryType': 'timeseries', 'dataSource': 'pageviews', 'intervals': ['2020/2040'], 'granularity': 'all', 'aggregations': [{'type': 'count', 'name': 'n'}]})[0]['result']['n']
    print(f"counted: {got} of {expected} acknowledged{'' if got == expected else '  WRONG'}")
    return got == expected


def measure_start(segments):
    data_dir = tempfile.mkdtemp(prefix='henge-start-')
    server = harness.Server(data_dir).start()
    client = harness.Client(server.url)
    print(f'idle server: {server.memory_mb():.0f} MB resident, {server.ready_ms:.0f} ms from start to ready')
    rows = '\n'.join(json.dumps({'time': START_MS + i * 3_600_000, 'site': f'site-{i}', 'bytes': i}) for i in range(segments))
    task = {'type': 'index_parallel', 'spec': {'dataSchema': dict(SCHEMA, dataSource='many'), 'ioConfig': {
        'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': rows}, 'inputFormat': {'type': 'json'}}}}
    harness.run_task(client, task)
    count = {'queryType': 'timeseries', 'dataSource': 'many', 'intervals': ['2020/2040'], 'granularity': 'all', 'aggregations': [{'type': 'count', 'name': 'n'}]}
    while (client.query(count) or [{'result': {'n': 0}}])[0]['result']['n'] != segments:
        time.sleep(0.05)
    server.kill()
    times = []
    for _ in range(5):
        server.start()
        times.append(server.ready_ms)
        got = harness.Client(server.url).query(count)[0]['result']['n']
        server.kill()
    print(f'restart with {segments} segments: median {percentile(times, .5):.0f} ms from start to ready, {got} of {segments} rows queryable at once')
    shutil.rmtree(data_dir)
    return got == segments


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--events', type=int, default=2_000_000)
    parser.add_argument('--clients', type=int, default=4)
    parser.add_argument('--batch', type=int, default=1000)
    parser.add_argument('--segments', type=int, default=1000)
    options = parser.parse_args()
    ok = measure_start(options.segments)
    data_dir = tempfile.mkdtemp(prefix='henge-measure-')
    server = harness.Server(data_dir).start()
    ok = measure_ingestion(server, options) and ok
    server.stop()
    shutil.rmtree(data_dir)
    raise SystemExit(not ok)


if __name__ == '__main__':
    main()
