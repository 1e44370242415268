#!/usr/bin/env python3
"""Kills the server again and again while everything goes on, and breaks its files in between.

    kill_loop.py [--kills 60] [--seed N] [--data-dir DIR] [--longest-life 0.8] [--no-damage]

Four datasources are pushed to (flat, with roll-up, with discovered columns, and one that tasks replace
in chunks of any size, with and without dropExisting), their segment granularity changes all the while,
keys are retried long after, some with another body. Between kills files of the cache and of deep
storage are lost, cut and flipped, the log's end is torn, logs are lost, logs and metadata put back from
older copies, the metadata are lost and rebuilt, the clock is set forth and back by days, and deep
storage refuses the chunks of some time for a while. Every acknowledged batch is counted wholly and once (I-01, I-02), before
and after each restart; a replace is seen wholly or not at all (I-04, I-05); nothing is left out in
silence (I-09); accepted + refused = received (I-16). Covers F-01, F-02, F-03, F-04, F-05,
F-15, F-16, F-17, F-20, F-22, F-39, F-46 and F-47, and for replaces F-77, with real kills.
"""
import argparse
import os
import shutil
import tempfile
import threading
import time

import harness
from kills import actors, damage, refusals
from kills.model import PUSHED, Model, schema

# Small limits, so that persists, merges, publishes and log rotations happen between any two kills.
SETTINGS = {'INGESTION__HANDOFF_ROWS': 3000, 'INGESTION__HANDOFF_AGE_MS': 400, 'INGESTION__MAX_ROWS_IN_MEMORY': 700}
DAY_SECONDS = 86_400


def check(model, client, when):
    """Counts every batch; gives the number of events."""
    total = 0
    for datasource in PUSHED:
        found = actors.by_batch(client, datasource)
        for name in [name for name in found if name and name.startswith('task')]:
            del found[name]
        for name, batch in model.acked.items():
            if name.startswith(datasource + '-'):
                have = found.pop(name, None)
                total += have[0] if have else 0
                judge(model, name, batch, have, when)
        for name, batch in model.unknown.items():
            have = found.pop(name, None) if name.startswith(datasource + '-') else None
            if have and have != (batch['size'], batch['ids']):
                model.wrong(f'{when}: {name}, whose outcome was unknown, is there in part: {have} of {batch}')
        if found:
            model.wrong(f'{when}: {datasource} has rows of nobody: {dict(list(found.items())[:5])}')
    return total


def judge(model, name, batch, have, when):
    if have == (batch['size'], batch['ids']):
        if batch.get('gone'):
            model.wrong(f'{when}: {name} came back after a replace')
        return
    hour = batch['hour']
    # What was published before a replace of its hour went with it; what was buffered stays.
    may_be_replaced = hour is not None and model.replaced.covered[hour] > batch['replaces_before']
    if have is None and may_be_replaced:
        batch['gone'] = True
        return
    model.wrong(f'{when}: {name} has {have}, acknowledged {batch}')


def run(model, server, options, shim, breaks, refused):
    rng, restarts_ms = model.rng('kills'), []
    for kill in range(options.kills):
        time.sleep(rng.uniform(0.0, options.longest_life**0.5) ** 2)
        refused.look(server)
        model.up.clear()
        server.kill()
        done = breaks.something() if breaks else None
        refused.step()
        if shim:
            shift = rng.choice([0, 0, 3 * DAY_SECONDS, -3 * DAY_SECONDS, 400 * DAY_SECONDS])
            server.env.update(LD_PRELOAD=shim, CLOCK_SHIFT_SECONDS=str(shift))
            model.count('clock steps', shift != 0)
        server.start()
        restarts_ms.append(server.ready_ms)
        model.url = server.url
        if kill % 10 == 9:
            with model.lock:
                quiet = dict(model.acked)
            looked = check_acknowledged(model, server, quiet, f'after kill {kill + 1} ({done or "nothing damaged"})')
            print(f'  {kill + 1} kills, {looked} batches, {len(model.errors)} errors', flush=True)
        model.up.set()
        if len(model.errors) > 50:
            break
    return sorted(restarts_ms)


def check_acknowledged(model, server, quiet, when):
    """A look at all batches acknowledged before, while nobody acts."""
    client = harness.Client(server.url)
    for datasource in PUSHED:
        try:
            found = actors.by_batch(client, datasource)
        except RuntimeError as error:
            model.wrong(f'{when}: {error}')
            continue
        for name, batch in quiet.items():
            if name.startswith(datasource + '-'):
                judge(model, name, batch, found.get(name), when)
    return len(quiet)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=60)
    parser.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    parser.add_argument('--data-dir')
    parser.add_argument('--longest-life', type=float, default=0.8, help='seconds between a start and the next kill; more for a slow machine or build')
    parser.add_argument('--no-damage', action='store_true', help='kills only')
    options = parser.parse_args()
    print(f'kill loop: seed {options.seed}, {options.kills} kills', flush=True)
    scratch = options.data_dir or tempfile.mkdtemp(prefix='henge-kills-')
    data_dir = os.path.join(scratch, 'data')
    model = Model(options.seed)
    shim = None if options.no_damage else damage.build_clock_shim(scratch)
    breaks = None if options.no_damage else damage.Damage(model, data_dir)
    server = harness.Server(data_dir, SETTINGS, log='error').start()
    for name in PUSHED:
        harness.Client(server.url).must('PUT', f'/v1/datasources/{name}', schema(name))
    threads = [threading.Thread(target=actors.pusher, args=(model, n)) for n in range(3)]
    threads += [threading.Thread(target=actors.watcher, args=(model, n)) for n in range(2)]
    threads += [threading.Thread(target=actors.replacer, args=(model,)), threading.Thread(target=actors.schema_changer, args=(model,))]
    model.url = server.url
    model.up.set()
    for thread in threads:
        thread.start()
    started = time.monotonic()
    refused = refusals.Refusals(model, data_dir)
    restarts_ms = run(model, server, options, shim, breaks, refused)
    time.sleep(1)
    model.done.set()
    for thread in threads:
        thread.join()
    before = check(model, harness.Client(server.url), 'at the end')
    refused.settle(server)
    server.kill()
    server.start()
    after = check(model, harness.Client(server.url), 'after one more restart')
    server.stop()
    report(model, before, after, restarts_ms, time.monotonic() - started)
    if not options.data_dir and not model.errors:
        shutil.rmtree(scratch)
    raise SystemExit(bool(model.errors) or before != after)


def report(model, before, after, restarts_ms, seconds):
    gone = sum(batch['size'] for batch in model.acked.values() if batch.get('gone'))
    acknowledged = sum(batch['size'] for batch in model.acked.values())
    print(f'acknowledged: {len(model.acked)} batches, {acknowledged} events, of which {gone} went with a replaced hour')
    print(f'counted:      {before} events before the last restart, {after} after, {acknowledged - gone} right')
    print('done:         ' + ', '.join(f'{name} {count}' for name, count in sorted(model.counts.items())))
    print(f'restarts:     {len(restarts_ms) + 1}, median {restarts_ms[len(restarts_ms) // 2]:.0f} ms, slowest {restarts_ms[-1]:.0f} ms; {seconds:.0f} s')
    for error in model.errors[:20]:
        print('ERROR', error)
    print(f'kill loop: {"0 passed, 1 failed" if model.errors or before != after else "1 passed, 0 failed"}')


if __name__ == '__main__':
    main()
