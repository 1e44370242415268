#!/usr/bin/env python3
"""Two binaries, one machine, one run: every query of the lists, the binaries alternating at each repetition.

    DATA=DIR before_after.py BEFORE AFTER [--n 9] [--only PREFIX] [--lists queries,star_schema,dashboards,hits] [--load]

Prints after/before of the least of N times each (milliseconds, with HTTP and JSON, caches off): a query that is
slower by a fifth and 0.3 ms is marked. --load compares loading the tables too, --push the rate of pushes. --cpu
counts the milliseconds of processor that the servers take instead of those that pass, which says more while the
machine has other work.
"""
import argparse
import importlib
import json
import math
import os
import sys
import tempfile
import threading
import time

import engines
from loading import Henge

import harness  # found through loading's path

MARK_RATIO, MARK_MS = 1.2, 0.3
PUSH_SCHEMA = {'timestampSpec': {'column': 't', 'format': 'millis'},
               'dimensionsSpec': {'dimensions': ['page', 'user', 'country', 'device', {'type': 'long', 'name': 'size'}]},
               'metricsSpec': [], 'granularitySpec': {'segmentGranularity': 'hour', 'queryGranularity': 'none', 'rollup': False}}


def start(binary, data, tables, folder):
    os.environ['BINARY'] = binary
    return Henge(data, tables, folder=folder)


def fastest(entry, runners, clocks, repetitions):
    """The least time of each, in milliseconds."""
    best = [math.inf] * len(runners)
    for repetition in range(repetitions + 1):
        for number, (run, clock) in enumerate(zip(runners, clocks)):
            started = clock()
            run(entry)
            if repetition:  # the first run warms
                best[number] = min(best[number], (clock() - started) * 1000)
    return best


def cpu_clock(pid):
    """The seconds of processor that a process has taken, by the clock that the kernel keeps of it."""
    clock = ~pid << 3 | 2  # CPUCLOCK_SCHED, as clock_getcpuclockid(3) makes it
    return lambda: time.clock_gettime(clock)


def settle(clocks, busy_share=0.05, patience_s=60):
    """Waits until the servers are done with what loading left them to do."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        before = [clock() for clock in clocks]
        time.sleep(1)
        if all(clock() - start < busy_share for clock, start in zip(clocks, before)):
            return


def push_rate(url, batches=60, rows=2000, pushers=3):
    client = harness.Client(url)
    client.must('PUT', '/v1/datasources/pushed', PUSH_SCHEMA)
    event = lambda i: {'t': 1_750_032_000_000 + i * 7, 'page': f'/p{i * 7919 % 5000}', 'user': f'u{i * 104729 % 200000}', 'country': f'c{i % 60}', 'device': f'd{i % 4}', 'size': i % 9973}
    bodies = ['\n'.join(json.dumps(event(b * rows + i)) for i in range(rows)).encode() for b in range(batches)]

    def work(mine):
        own = harness.Client(url)
        for body in mine:
            own.must('POST', '/v1/datasources/pushed/events', body)

    threads = [threading.Thread(target=work, args=(bodies[n::pushers],)) for n in range(pushers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return batches * rows / (time.perf_counter() - started)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('before')
    parser.add_argument('after')
    parser.add_argument('--n', type=int, default=9)
    parser.add_argument('--only', default='')
    parser.add_argument('--lists', default='queries,star_schema,dashboards')
    parser.add_argument('--load', action='store_true')
    parser.add_argument('--push', action='store_true')
    parser.add_argument('--cpu', action='store_true')
    return parser.parse_args()


def main():
    options = arguments()
    data = os.environ.get('DATA', os.path.expanduser('~/.cache/henge-bench'))
    entries = [entry for name in options.lists.split(',') for entry in importlib.import_module(name).Q
               if entry['native'] and entry['name'].startswith(options.only)]
    tables = sorted({entry['table'] for entry in entries})
    with tempfile.TemporaryDirectory(prefix='henge-before-after-') as scratch:
        servers = [start(binary, data, tables, os.path.join(scratch, str(n))) for n, binary in enumerate((options.before, options.after))]
        if options.load:
            for table in tables:
                before, after = (server.loads[table]['seconds'] for server in servers)
                print(f'load {table:32} {before:9.2f} s  {after:9.2f} s  {after / before:5.2f}', flush=True)
        if options.push:
            rates = [max(push_rate(server.url) for _ in range(1)) for server in servers]
            print(f'push, events/s {rates[0]:,.0f} {rates[1]:,.0f}  {rates[1] / rates[0]:.2f}', flush=True)
        runners = [engines.henge(server.url, {}, False) for server in servers]
        clocks = [cpu_clock(server.server.process.pid) for server in servers]
        settle(clocks)
        clocks = clocks if options.cpu else [time.perf_counter] * len(servers)
        ratios = []
        for entry in entries:
            before, after = fastest(entry, runners, clocks, options.n)
            ratios.append(after / before)
            slow = ' SLOWER' if after > before * MARK_RATIO and after > before + MARK_MS else ''
            print(f"{entry['name']:36} {before:9.2f} {after:9.2f}  {after / before:5.2f}{slow}", flush=True)
        print(f'geometric mean of after/before: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.3f} over {len(ratios)} queries, worst {max(ratios):.2f}')
        for server in servers:
            server.server.stop()
    return 0


if __name__ == '__main__':
    sys.exit(main())
