#!/usr/bin/env python3
"""Restarts every process of a cluster in turn under load, and counts the queries that failed or were wrong (F-66).

    rolling_upgrade.py [--from OLD] [--seed N] [--base-port 18400]

The cluster starts with the program OLD (default: the one that is tested) and ends with the one that is tested:
historical nodes first, then realtime nodes, coordinators and brokers, each stopped in order. Clients ask the
broker that is not restarted at the time, as behind a load balancer, and pushers repeat what was not acknowledged.
"""
import argparse
import os
import random
import sys
import threading
import time

from chaos import report
from harness import binary
from storms import faults, load
from storms.cluster import BROKERS, COORDINATORS, HISTORICALS, REALTIMES, in_new_cluster
from storms.history import History

DATASOURCES = {'events_local': None, 'events_replicated': 'replicated'}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--from', dest='old', default=binary())
    parser.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    parser.add_argument('--base-port', type=int, default=18400)
    options = parser.parse_args()
    print(f'rolling upgrade: seed {options.seed}', flush=True)
    return in_new_cluster('an upgrade of a cluster under load', options.base_port, lambda cluster: upgrade(options, cluster))


def upgrade(options, cluster):
    history, stop, brokers = History(DATASOURCES), threading.Event(), list(BROKERS)
    os.environ.update(HENGE_INGESTION__HANDOFF_ROWS='3000', HENGE_INGESTION__HANDOFF_AGE_MS='3000')
    cluster.run_with(options.old)
    cluster.up()
    try:
        for name, ack in DATASOURCES.items():
            cluster.must(BROKERS[0], 'PUT', f'/v1/datasources/{name}', load.schema(ack))
        own = lambda number: random.Random(options.seed * 1000 + number)
        actors = [threading.Thread(target=load.push, args=(cluster, history, stop, own(number), name, number, brokers)) for number, name in enumerate(DATASOURCES)]
        actors += [threading.Thread(target=load.ask, args=(cluster, history, stop, own(100 + number), list(DATASOURCES), brokers)) for number in range(2)]
        started = time.monotonic()
        for actor in actors:
            actor.start()
        time.sleep(5)
        cluster.run_with(binary())
        for name in HISTORICALS + REALTIMES + COORDINATORS + BROKERS:
            restart(cluster, history, name, brokers)
        stop.set()
        for actor in actors:
            actor.join()
        settled = faults.settle(cluster, history, load.look, DATASOURCES)
        for name in DATASOURCES:
            history.judge_batches(name, load.by_batch(cluster, BROKERS[0], name), load.BATCH)
        report(history, time.monotonic() - started, settled)
    finally:
        stop.set()
        cluster.down()
    failed = sum(number for what, number in history.counts.items() if what.startswith('queries: '))
    print(f'{failed} queries failed')
    return 1 if history.wrong or failed else 0


def restart(cluster, history, name, brokers):
    history.begin_fault(f'restart {faults.role(name)}', name)
    print(f'  restart {name}', flush=True)
    if name in brokers:
        brokers.remove(name)
        time.sleep(0.5)  # what was asked before is answered
    cluster.xtask('stop', name)
    cluster.start(name)
    end = time.monotonic() + 60
    while not all(is_complete(cluster, broker) for broker in BROKERS):
        if time.monotonic() > end:
            history.fail(f'{name} started again, and the cluster is not whole after 60 s')
            return
        time.sleep(0.1)
    if name in BROKERS:
        brokers.append(name)
    time.sleep(2)


def is_complete(cluster, broker):
    try:
        status, ready, _ = cluster.call(broker, 'GET', '/status/ready')
    except OSError:
        return False
    return status == 200 and ready['complete']


if __name__ == '__main__':
    sys.exit(main())
