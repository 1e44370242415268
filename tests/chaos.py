#!/usr/bin/env python3
"""Breaks a real cluster while it is pushed to and asked: eleven processes on this machine.

    chaos.py [--minutes 2] [--seed N] [--dir DIR] [--base-port 18100] [--s3 folder] [--acks local,replicated]
             [--network] [--small-disks MB]

Nodes are killed, paused and stopped, historical nodes lose their disks, PostgreSQL and the S3 server go
away and come back; with --network (root) nodes are cut off from one another, in one direction or both, and
with --small-disks (root) their disks fill. Pushers repeat a batch with its key until it is acknowledged; every answer must lie
between what was acknowledged before it was asked and what was sent before it came (I-01, I-09), and once
the storm is over everything acknowledged is counted exactly once, within two minutes. Covers F-26, F-27,
F-34, F-35, F-40, F-42, F-52, F-57, F-59 and F-61 with real processes.
"""
import argparse
import glob
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from storms import faults, load
from storms.cluster import BROKERS, HISTORICALS, REALTIMES, Cluster
from storms.history import History


def names_of(acks):
    return {f'events_{ack}': ack for ack in acks.split(',')}


def small_disks(cluster, megabytes):
    """A disk of its own for each node that keeps much, so that it can be filled."""
    disks = [cluster.data_dir(node) for node in HISTORICALS + REALTIMES]
    for disk in disks:
        os.makedirs(disk, exist_ok=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={megabytes}m', 'henge', disk], check=True)
    return disks


def report(history, seconds, settled):
    for name, acknowledged in history.acknowledged.items():
        print(f'{name}: {acknowledged.rows} rows acknowledged')
    print(f'{seconds:.0f} s, settled {settled:.1f} s after the storm')
    for what, number in sorted(history.counts.items()):
        print(f'  {what}: {number}')
    print('longest time without a success, in seconds, by what and by the last fault:')
    for (what, kind), gap in sorted(history.gaps.items(), key=lambda entry: -entry[1])[:40]:
        print(f'  {gap:6.1f}  {what}  {kind}')
    latencies = sorted(history.latencies)
    if latencies:
        at = lambda share: latencies[min(len(latencies) - 1, int(len(latencies) * share))]
        print(f'queries: p50 {statistics.median(latencies):.1f} ms, p99 {at(0.99):.0f} ms, slowest {latencies[-1]:.0f} ms')
        for milliseconds, what, fault in sorted(history.slow, reverse=True)[: max(1, len(latencies) // 100)][:20]:
            print(f'  {milliseconds:7.0f} ms  {what}  {fault}')
    print(f'{len(history.wrong)} broken promises')
    for text in history.wrong[:20]:
        print('  ' + text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=2)
    parser.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    parser.add_argument('--dir')
    parser.add_argument('--base-port', type=int, default=18100)
    parser.add_argument('--s3', default='folder', choices=['folder', 'moto', 's3s-fs'])
    parser.add_argument('--acks', default='local,replicated')
    parser.add_argument('--network', action='store_true', help='each process in a network of its own, so that it can be cut off')
    parser.add_argument('--small-disks', type=int, metavar='MB', help='realtime and historical nodes on disks of this size')
    options = parser.parse_args()
    print(f'chaos: seed {options.seed}, {options.minutes} minutes', flush=True)
    if not glob.glob('/usr/lib/postgresql/*/bin/postgres'):
        print('SKIPPED, there is no PostgreSQL here: a real cluster under chaos')
        return 0
    folder = options.dir or tempfile.mkdtemp(prefix='henge-chaos-')
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    cluster = Cluster(os.path.join(folder, 'cluster'), options.base_port, options.s3, options.network)
    datasources = names_of(options.acks)
    history, stop, rng = History(datasources), threading.Event(), random.Random(options.seed)
    os.environ.update(HENGE_INGESTION__HANDOFF_ROWS='3000', HENGE_INGESTION__HANDOFF_AGE_MS='3000')
    disks = small_disks(cluster, options.small_disks) if options.small_disks else []
    cluster.up()
    try:
        for name, ack in datasources.items():
            cluster.must(BROKERS[0], 'PUT', f'/v1/datasources/{name}', load.schema(None if ack == 'local' else ack))
        own = lambda number: random.Random(options.seed * 1000 + number)
        actors = [
            threading.Thread(target=load.push, args=(cluster, history, stop, own(number), name, number))
            for number, name in enumerate(list(datasources) * 2)
        ]
        actors += [threading.Thread(target=load.ask, args=(cluster, history, stop, own(100 + number), list(datasources))) for number in range(3)]
        started = time.monotonic()
        for actor in actors:
            actor.start()
        faults.Storm(cluster, history, rng, stop).rage(options.minutes * 60)
        stop.set()
        for actor in actors:
            actor.join()
        settled = faults.settle(cluster, history, load.look, datasources)
        for name in datasources:
            for broker in BROKERS:
                history.judge_batches(name, load.by_batch(cluster, broker, name), load.BATCH)
        report(history, time.monotonic() - started, settled)
    finally:
        stop.set()
        cluster.down()
        for disk in disks:
            subprocess.run(['umount', disk], check=False)
    return 1 if history.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
