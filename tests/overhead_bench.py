#!/usr/bin/env python3
"""Prints what a query costs that has next to nothing to read: latency over one keep-alive connection.

    overhead_bench.py [--count 10000] [--only KIND] [--settings NAME=VALUE ...]

Builds a datasource of eight segments that all reach into the last five minutes, and an open realtime
chunk to which nothing is sent. The client speaks HTTP over a plain socket, so that it adds little.
"""
import argparse
import json
import random
import shutil
import socket
import tempfile
import time
import urllib.parse

import harness
from measure import percentile

SEGMENTS, ROWS = 8, 20_000
DIMENSIONS = ['site', 'uri', 'country', 'visitor_id', {'type': 'long', 'name': 'duration_ms'}]
UNIQUES = [{'type': 'count', 'name': 'views'}, {'type': 'cardinality', 'name': 'visitors', 'fields': ['visitor_id']}]


def iso(ms):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000)) + f'.{ms % 1000:03d}Z'


def load(client, now_ms):
    """Eight appended segments over the ten minutes up to now, and a few rows that stay in memory."""
    rng = random.Random(7)

    def rows(count):
        for _ in range(count):
            site = int(rng.random() ** 3 * 200)
            yield json.dumps({'time': now_ms - rng.randrange(600_000), 'site': f's{site}', 'uri': f'/s{site}/{int(rng.random() ** 4 * 2000)}',
                              'country': f'C{int(rng.random() ** 3 * 200)}', 'visitor_id': f'v{int(rng.random() ** 1.6 * 50000)}',
                              'duration_ms': int(rng.random() ** 4 * 600000)})
    schema = {'timestampSpec': {'column': 'time', 'format': 'millis'}, 'dimensionsSpec': {'dimensions': DIMENSIONS},
              'granularitySpec': {'segmentGranularity': 'day', 'queryGranularity': 'none', 'rollup': False}}
    for _ in range(SEGMENTS):
        io = {'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': '\n'.join(rows(ROWS))}, 'inputFormat': {'type': 'json'}, 'appendToExisting': True}
        harness.run_task(client, {'type': 'index_parallel', 'spec': {'dataSchema': {'dataSource': 'now', **schema}, 'ioConfig': io, 'tuningConfig': {'type': 'index_parallel'}}})
    client.must('PUT', '/v1/datasources/now', schema)
    client.must('POST', '/v1/datasources/now/events', '\n'.join(rows(500)).encode())


def kinds(now_ms):
    base = {'dataSource': 'now', 'granularity': 'all', 'aggregations': UNIQUES}
    last = f'{iso(now_ms - 300_000)}/{iso(now_ms)}'
    off = {'useCache': False, 'populateCache': False, 'useResultLevelCache': False, 'populateResultLevelCache': False}
    return {
        'empty interval': {'queryType': 'timeseries', **base, 'intervals': '2001-01-01/2001-01-02'},
        'timeBoundary': {'queryType': 'timeBoundary', 'dataSource': 'now'},
        'dataSourceMetadata': {'queryType': 'dataSourceMetadata', 'dataSource': 'now'},
        'segmentMetadata': {'queryType': 'segmentMetadata', 'dataSource': 'now', 'merge': True},
        'now board': {'queryType': 'timeseries', **base, 'intervals': last},
        'now board, no caches': {'queryType': 'timeseries', **base, 'intervals': last, 'context': off},
        'top 10 now, no caches': {'queryType': 'topN', **base, 'dimension': 'uri', 'metric': 'views', 'threshold': 10, 'intervals': last, 'context': off},
    }


class Socket:
    """HTTP/1.1 keep-alive, as little of it as will do."""

    def __init__(self, url):
        netloc = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((netloc.hostname, netloc.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, request):
        self.socket.sendall(request)
        data = self.socket.recv(1 << 16)
        while b'\r\n\r\n' not in data:
            data += self.socket.recv(1 << 16)
        head, body = data.split(b'\r\n\r\n', 1)
        length = int(head.lower().split(b'content-length:')[1].split(b'\r\n')[0])
        while len(body) < length:
            body += self.socket.recv(1 << 16)
        if not head.startswith(b'HTTP/1.1 200'):
            raise RuntimeError(f'{head!r} {body[:500]!r}')
        return body


def run(url, name, query, count):
    body = json.dumps(query).encode()
    request = b'POST /druid/v2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(body) + body
    connection, times = Socket(url), []
    for _ in range(200):
        connection.post(request)
    for _ in range(count):
        started = time.perf_counter()
        connection.post(request)
        times.append((time.perf_counter() - started) * 1000)
    shown = '  '.join(f'{label} {percentile(times, share):7.3f}' for label, share in (('p50', 0.5), ('p90', 0.9), ('p99', 0.99), ('p99.9', 0.999)))
    print(f'{name:24} {shown}  max {max(times):7.3f} ms', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--count', type=int, default=10_000)
    parser.add_argument('--only')
    parser.add_argument('--settings', nargs='*', default=[])
    options = parser.parse_args()
    data_dir = tempfile.mkdtemp(prefix='henge-overhead-')
    server = harness.Server(data_dir, dict(setting.split('=', 1) for setting in options.settings)).start()
    try:
        now_ms = int(time.time() * 1000)
        load(harness.Client(server.url), now_ms)
        print(f'server {server.process.pid} {server.url}', flush=True)
        for name, query in kinds(now_ms).items():
            if options.only in (None, name):
                run(server.url, name, query, options.count)
    finally:
        server.kill()
        shutil.rmtree(data_dir, ignore_errors=True)


if __name__ == '__main__':
    main()
