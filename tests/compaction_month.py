#!/usr/bin/env python3
"""A month of small hourly segments is compacted while dashboards ask and late events come: every answer is right.

    compaction_month.py [--rows-an-hour 2000] [--boards 4] [--quiet-seconds 8]

The month is loaded by hours (720 segments), and each question is asked of it without pause: before, while the leader
compacts it by days, and after. Events of the hours that are compacted are pushed meanwhile under a tenant of their own,
which the questions leave out and which is counted at the end. Prints segments, bytes, seconds and latencies by phase.
"""
import argparse
import calendar
import json
import os
import random
import sys
import tempfile
import threading
import time

from harness import Client, Server, run_task

NAME, MONTH, DAYS = 'visits', '2020-03-01/2020-03-31', 30
NOT_LATE = {'type': 'not', 'field': {'type': 'selector', 'dimension': 'tenant', 'value': 'late'}}
SUMS = [{'type': 'longSum', 'name': 'x', 'fieldName': 'x'}, {'type': 'count', 'name': 'rows'}]
BASE = {'dataSource': NAME, 'intervals': [MONTH], 'granularity': 'all', 'aggregations': SUMS, 'filter': NOT_LATE,
        'context': {'useCache': False, 'populateCache': False, 'useResultLevelCache': False, 'populateResultLevelCache': False}}
QUESTIONS = [
    {**BASE, 'queryType': 'timeseries', 'granularity': 'hour'},
    {**BASE, 'queryType': 'timeseries', 'intervals': ['2020-03-14/2020-03-17']},
    {**BASE, 'queryType': 'topN', 'dimension': 'page', 'metric': 'x', 'threshold': 20},
    {**BASE, 'queryType': 'groupBy', 'dimensions': ['tenant', 'country']},
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows-an-hour', type=int, default=2000)
    parser.add_argument('--boards', type=int, default=4)
    parser.add_argument('--quiet-seconds', type=float, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='henge-month-') as folder:
        inputs = os.path.join(folder, 'inputs')
        os.mkdir(inputs)
        server = Server(os.path.join(folder, 'server'), {'INGESTION__LOCAL_ROOTS': inputs, 'INGESTION__HANDOFF_AGE_MS': 4000}).start()
        try:
            return month(server, inputs, options)
        finally:
            server.stop()


def month(server, folder, options):
    client = Client(server.url)
    load(client, folder, options.rows_an_hour)
    boards = Boards(server.url, options.boards)
    show(client, 'before', boards.phase(options.quiet_seconds))
    pusher = Pusher(server.url)
    started, found = time.monotonic(), segments(client)
    client.must('POST', '/druid/coordinator/v1/config/compaction',
                {'dataSource': NAME, 'skipOffsetFromLatest': 'PT0S', 'granularitySpec': {'segmentGranularity': 'DAY'}})
    boards.begin()
    whole_days = lambda: {s['start_ms'] for s in segments(client) if s['end_ms'] - s['start_ms'] > 3_600_000}
    while len(whole_days()) < DAYS:
        if time.monotonic() - started > 900:
            sys.exit(f"not compact after 15 minutes: {client.must('GET', '/druid/coordinator/v1/compaction/status')}")
        time.sleep(0.5)
    seconds = time.monotonic() - started
    show(client, 'while', boards.finish())
    pushed = pusher.stop()
    show(client, 'after', boards.phase(options.quiet_seconds))
    late = {**BASE, 'queryType': 'timeseries', 'filter': NOT_LATE['field']}
    counted = client.query(late)[0]['result']['rows']
    print(f'{len(found)} segments compacted in {seconds:.1f} s; {boards.asked:,} answers, {boards.wrong} wrong; {pushed:,} late events acknowledged, {counted:,} counted')
    return int(boards.wrong > 0 or pushed != counted)


def load(client, folder, rows_an_hour):
    started, rng = time.monotonic(), random.Random(5)
    for day in range(1, DAYS + 1):
        path = os.path.join(folder, f'day-{day}.json')
        with open(path, 'w', encoding='ascii') as file:
            for hour in range(24):
                for i in range(rows_an_hour):
                    row = {'t': f'2020-03-{day:02}T{hour:02}:{i % 60:02}:{i // 60 % 60:02}Z', 'page': f'/p{int(rng.paretovariate(0.7)) % 5000}',
                           'country': f'c{rng.randrange(40)}', 'tenant': f't{rng.randrange(12)}', 'x': rng.randrange(1000)}
                    file.write(json.dumps(row) + '\n')
        run_task(client, {'type': 'index_parallel', 'spec': {
            'dataSchema': {'dataSource': NAME, 'timestampSpec': {'column': 't'}, 'dimensionsSpec': {'useSchemaDiscovery': True},
                           'metricsSpec': [], 'granularitySpec': {'segmentGranularity': 'hour', 'rollup': False}},
            'ioConfig': {'type': 'index_parallel', 'appendToExisting': True, 'inputFormat': {'type': 'json'},
                         'inputSource': {'type': 'local', 'baseDir': folder, 'filter': f'day-{day}.json'}}}})
        os.remove(path)
    print(f'{DAYS * 24 * rows_an_hour:,} rows loaded in {time.monotonic() - started:.0f} s', flush=True)


def segments(client):
    stamp = lambda text: calendar.timegm(time.strptime(text[:19], '%Y-%m-%dT%H:%M:%S')) * 1000
    found = client.must('GET', f'/druid/coordinator/v1/metadata/datasources/{NAME}/segments?full')
    cut = lambda interval: [stamp(part) for part in interval.split('/')]
    return [{'start_ms': cut(s['interval'])[0], 'end_ms': cut(s['interval'])[1], 'size': s['size']} for s in found]


def show(client, phase, times):
    found, times = segments(client), sorted(times)
    at = lambda share: times[min(int(len(times) * share), len(times) - 1)]
    print(f"{phase:7s} {len(found):5d} segments {sum(s['size'] for s in found) / 1e6:8.1f} MB; {len(times):6,d} questions, p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, slowest {times[-1]:.0f} ms", flush=True)


class Boards:
    """Clients that ask without pause and compare with the first answers."""

    def __init__(self, url, count):
        self.url, self.count, self.wrong, self.asked = url, count, 0, 0
        client = Client(url)
        self.expected = [client.query(question) for question in QUESTIONS]
        self.threads, self.times, self.ends = [], [], threading.Event()

    def begin(self):
        self.ends.clear()
        self.times, self.threads = [], [threading.Thread(target=self.ask, args=(place,), daemon=True) for place in range(self.count)]
        for thread in self.threads:
            thread.start()

    def finish(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        return self.times

    def phase(self, seconds):
        self.begin()
        time.sleep(seconds)
        return self.finish()

    def ask(self, place):
        client, turn = Client(self.url), place
        while not self.ends.is_set():
            turn = (turn + 1) % len(QUESTIONS)
            started = time.perf_counter()
            try:
                answer = client.query(QUESTIONS[turn])
            except (OSError, RuntimeError) as error:
                answer = error
            self.times.append((time.perf_counter() - started) * 1000)
            self.asked += 1
            if answer != self.expected[turn]:
                self.wrong += 1
                print(f'WRONG: question {turn}: {str(answer)[:300]}', flush=True)


class Pusher:
    """Pushes late events of the whole month, a batch each tenth of a second."""

    def __init__(self, url):
        self.client, self.pushed, self.error, self.ends = Client(url), 0, None, threading.Event()
        schema = {'timestampSpec': {'column': 't'}, 'dimensionsSpec': {'useSchemaDiscovery': True}, 'metricsSpec': [],
                  'granularitySpec': {'segmentGranularity': 'hour', 'rollup': False}}
        self.client.must('PUT', f'/v1/datasources/{NAME}', schema)
        self.thread = threading.Thread(target=self.push, daemon=True)
        self.thread.start()

    def push(self):
        rng = random.Random(6)
        while not self.ends.is_set():
            rows = [{'t': f'2020-03-{rng.randrange(1, DAYS + 1):02}T{rng.randrange(24):02}:00:00Z', 'page': '/late', 'country': 'c1', 'tenant': 'late', 'x': 1} for _ in range(50)]
            try:
                self.client.must('POST', f'/v1/datasources/{NAME}/events', '\n'.join(map(json.dumps, rows)).encode())
            except (OSError, RuntimeError) as error:
                self.error = error
                return
            self.pushed += len(rows)
            self.ends.wait(0.1)

    def stop(self):
        self.ends.set()
        self.thread.join()
        if self.error:
            sys.exit(f'a push of late events failed: {self.error}')
        return self.pushed


if __name__ == '__main__':
    sys.exit(main())
