#!/usr/bin/env python3
"""Kills the server again and again while events are pushed, queried and handed off.

    kill_loop.py [--kills 100] [--seed N] [--data-dir DIR]

Pushers send batches under idempotency keys and repeat each batch until it is acknowledged. A watcher
asks all the while for the rows of acknowledged batches: never one missing, never one twice (I-02).
In the end every acknowledged event is counted exactly once (I-01), before and after one more restart.
Covers F-01 to F-05, F-15 and F-16 with real kills.
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

DATASOURCE = 'kills'
SCHEMA = {
    'timestampSpec': {'column': 't', 'format': 'millis'},
    'dimensionsSpec': {'dimensions': ['batch', 'pusher']},
    'metricsSpec': [{'type': 'count', 'name': 'events'}, {'type': 'longSum', 'name': 'ids', 'fieldName': 'id'}],
    'granularitySpec': {'segmentGranularity': 'hour', 'queryGranularity': 'none', 'rollup': False},
}
# Small limits, so that persists, merges, publishes and log rotations happen between any two kills.
SETTINGS = {'INGESTION__HANDOFF_ROWS': 3000, 'INGESTION__HANDOFF_AGE_MS': 400, 'INGESTION__MAX_ROWS_IN_MEMORY': 700}
HOUR_MS = 3_600_000
START_MS = 1_750_000_000_000


class Shared:
    def __init__(self):
        self.lock = threading.Lock()
        self.url = None
        self.up = threading.Event()
        self.done = threading.Event()
        self.acked = {}
        self.next_id = 0
        self.repeats = self.duplicates = self.watched = 0
        self.errors = []


def totals(where):
    return {'queryType': 'timeseries', 'dataSource': DATASOURCE, 'intervals': ['2020/2040'], 'granularity': 'all', 'filter': where,
            'aggregations': [{'type': 'longSum', 'name': 'events', 'fieldName': 'events'}, {'type': 'longSum', 'name': 'ids', 'fieldName': 'ids'}]}


def count(client, where=None):
    answer = client.query(totals(where or {'type': 'true'}))
    result = answer[0]['result'] if answer else {}
    return result.get('events') or 0, result.get('ids') or 0


def pusher(shared, number, seed):
    rng = random.Random(seed * 1000 + number)
    sequence = 0
    while not shared.done.is_set():
        size = rng.randint(1, 400)
        with shared.lock:
            first = shared.next_id
            shared.next_id += size
        name = f'{number}-{sequence}'
        sequence += 1
        # Two chunks, sometimes within one batch.
        events = [{'t': START_MS + (HOUR_MS if rng.random() < 0.5 else 0) + i, 'batch': name, 'pusher': str(number), 'id': first + i} for i in range(size)]
        body = '\n'.join(map(json.dumps, events)).encode()
        ids = sum(range(first, first + size))
        push_until_acknowledged(shared, name, body, size, ids)


def push_until_acknowledged(shared, name, body, size, ids):
    path, headers = f'/v1/datasources/{DATASOURCE}/events', {'Idempotency-Key': name}
    attempts = 0
    while True:
        shared.up.wait()
        attempts += 1
        try:
            status, reply = harness.Client(shared.url, 20).call('POST', path, body, headers)
        except (OSError, EOFError, harness.http.client.HTTPException):
            time.sleep(0.005)
            continue
        if status in (429, 503):
            time.sleep(0.02)
            continue
        with shared.lock:
            shared.repeats += attempts - 1
            if status != 200 or reply['accepted'] != size:
                shared.errors.append(f'batch {name}: HTTP {status} {str(reply)[:300]}')
            shared.duplicates += bool(status == 200 and reply['duplicate'])
            shared.acked[name] = (size, ids)
        return


def watcher(shared, seed):
    rng = random.Random(seed)
    while not shared.done.is_set():
        shared.up.wait()
        with shared.lock:
            batches = list(shared.acked.items())
        if not batches:
            time.sleep(0.01)
            continue
        # Recent batches are where hand-off is at work.
        name, expected = rng.choice(batches[-50:]) if rng.random() < 0.7 else rng.choice(batches)
        try:
            got = count(harness.Client(shared.url, 20), {'type': 'selector', 'dimension': 'batch', 'value': name})
        except (OSError, EOFError, harness.http.client.HTTPException):
            time.sleep(0.005)
            continue
        except RuntimeError as error:
            shared.errors.append(f'watch: {error}')
            continue
        shared.watched += 1
        if got != expected:
            shared.errors.append(f'batch {name}: {got} of {expected} visible')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    parser.add_argument('--data-dir')
    options = parser.parse_args()
    print(f'kill loop: seed {options.seed}, {options.kills} kills', flush=True)
    data_dir = options.data_dir or tempfile.mkdtemp(prefix='henge-kills-')
    rng, shared = random.Random(options.seed), Shared()
    server = harness.Server(data_dir, SETTINGS).start()
    harness.Client(server.url).must('PUT', f'/v1/datasources/{DATASOURCE}', SCHEMA)
    threads = [threading.Thread(target=pusher, args=(shared, n, options.seed)) for n in range(3)]
    threads += [threading.Thread(target=watcher, args=(shared, options.seed + n)) for n in range(2)]
    shared.url = server.url
    shared.up.set()
    for thread in threads:
        thread.start()
    started, restarts_ms = time.monotonic(), []
    for kill in range(options.kills):
        time.sleep(rng.uniform(0.0, 0.9) ** 2)
        shared.up.clear()
        server.kill()
        server.start()
        restarts_ms.append(server.ready_ms)
        shared.url = server.url
        shared.up.set()
        if (kill + 1) % 25 == 0:
            print(f'  {kill + 1} kills, {len(shared.acked)} batches acknowledged, {len(shared.errors)} errors', flush=True)
    time.sleep(1)
    shared.done.set()
    for thread in threads:
        thread.join()
    expected = tuple(map(sum, zip(*shared.acked.values())))
    before = count(harness.Client(server.url))
    server.kill()
    server.start()
    after = count(harness.Client(server.url))
    segments = len(harness.Client(server.url).query({'queryType': 'segmentMetadata', 'dataSource': DATASOURCE, 'intervals': ['2020/2040'], 'analysisTypes': []}))
    server.stop()
    restarts_ms.sort()
    print(f'acknowledged: {len(shared.acked)} batches, {expected[0]} events; requests repeated {shared.repeats}, answered as duplicates {shared.duplicates}')
    print(f'counted:      {before[0]} events before the last restart, {after[0]} after; sums of ids {"equal" if before[1] == after[1] == expected[1] else "DIFFER"}')
    print(f'watched:      {shared.watched} looks at acknowledged batches, {len(shared.errors)} wrong')
    print(f'restarts:     {len(restarts_ms) + 1}, median {restarts_ms[len(restarts_ms) // 2]:.0f} ms, slowest {restarts_ms[-1]:.0f} ms; {segments} segments; {time.monotonic() - started:.0f} s')
    for error in shared.errors[:20]:
        print('ERROR', error)
    ok = before == after == expected and not shared.errors
    print(f'kill loop: {"1 passed, 0 failed" if ok else "0 passed, 1 failed"}')
    if not options.data_dir and ok:
        shutil.rmtree(data_dir)
    raise SystemExit(not ok)


if __name__ == '__main__':
    main()
