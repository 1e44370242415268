#!/usr/bin/env python3
"""Prints how many events a second four clients push over HTTP and over gRPC, in turn, in one run.

    push_bench.py [--clients 4] [--seconds 10] [--batch 1000] [--window 8] [--turns 3]

Over HTTP each client waits for the acknowledgement of a batch before it sends the next; over gRPC it does the
same, and then with a window of batches under way in its stream. Bodies are made before. Beside the rate it
prints the processor time of the server, for the clients are Python and take their share of the machine.
"""
import argparse
import json
import multiprocessing
import os
import random
import shutil
import statistics
import tempfile
import threading
import time

import harness
from measure import SCHEMA, page_view

NAME = 'pushed'


def bodies(seed, batch):
    """Some batches, used in turn: they have no key, so none is taken for another."""
    rng, now = random.Random(seed), int(time.time() * 1000)
    row = lambda i: json.dumps({**page_view(rng, i), 'time': now + i})
    return ['\n'.join(row(number * batch + i) for i in range(batch)).encode() for number in range(8)]


def over_http(address, bodies, until, _window):
    client, pushed = harness.Client(address), 0
    while time.time() < until:
        client.must('POST', f'/v1/datasources/{NAME}/events', bodies[pushed % len(bodies)])
        pushed += 1
    return pushed


def over_grpc(address, bodies, until, window):
    import grpc
    from google.protobuf import descriptor_pool, message_factory
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
    channel = grpc.insecure_channel(address)
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    method = pool.FindServiceByName('henge.v1.Push').methods_by_name['PushEvents']
    Batch, Answer = message_factory.GetMessageClass(method.input_type), message_factory.GetMessageClass(method.output_type)
    room, stored = threading.Semaphore(window), 0

    def batches():
        number = 0
        while time.time() < until:
            room.acquire()
            number += 1
            yield Batch(batch=number, datasource=NAME, events=bodies[number % len(bodies)])

    push = channel.stream_stream('/henge.v1.Push/PushEvents', Batch.SerializeToString, Answer.FromString)
    for answer in push(batches()):
        if not answer.HasField('stored'):
            raise RuntimeError(answer)
        stored += 1
        room.release()
    return stored


def one(way, address, seed, batch, seconds, window, gate, results):
    prepared = bodies(seed, batch)
    gate.wait()
    results.put(way(address, prepared, time.time() + seconds, window))


def run(way, address, options, window):
    """Events a second of all clients together."""
    gate, results = multiprocessing.Barrier(options.clients + 1), multiprocessing.Queue()
    arguments = lambda seed: (way, address, seed, options.batch, options.seconds, window, gate, results)
    clients = [multiprocessing.Process(target=one, args=arguments(seed)) for seed in range(options.clients)]
    for client in clients:
        client.start()
    gate.wait()
    started = time.time()
    pushed = sum(results.get() for _ in clients)
    took = time.time() - started
    for client in clients:
        client.join()
    return pushed * options.batch, took


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--clients', type=int, default=4)
    parser.add_argument('--seconds', type=float, default=10)
    parser.add_argument('--batch', type=int, default=1000)
    parser.add_argument('--window', type=int, default=8)
    parser.add_argument('--turns', type=int, default=3)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='henge-push-')
    server = harness.Server(folder).start()
    try:
        harness.Client(server.url).must('PUT', f'/v1/datasources/{NAME}', SCHEMA)
        grpc_address = server.ready_line.rsplit('gRPC on ', 1)[1].rstrip(')')
        ways = {
            'HTTP': (over_http, server.url, 1),
            'gRPC': (over_grpc, grpc_address, 1),
            f'gRPC, {options.window} under way': (over_grpc, grpc_address, options.window),
        }
        rates, costs = {name: [] for name in ways}, {name: [] for name in ways}
        for _ in range(options.turns):
            for name, (way, address, window) in ways.items():
                before = cpu_seconds(server.process.pid)
                events, took = run(way, address, options, window)
                rates[name].append(events / took)
                costs[name].append((cpu_seconds(server.process.pid) - before) / events * 1e6)
        base = statistics.median(rates['HTTP'])
        for name, measured in rates.items():
            rate = statistics.median(measured)
            print(f'{name:22} {rate:10,.0f} events/s  {rate / base:5.2f}x HTTP  {statistics.median(costs[name]):5.2f} µs of the server an event')
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
