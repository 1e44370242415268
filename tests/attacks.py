#!/usr/bin/env python3
"""Attacks on a server's folder and processes, each with what must hold. Others: kill_loop.py, memory_ceiling.py.

    attacks.py [--only TEXT] [--list] [--jobs N]

Every attack ends in the right answer, or in an error that names what is wrong: never in fewer rows.
"""
import argparse
import glob
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import harness

DAY_MS, HOUR_MS, START_MS = 86_400_000, 3_600_000, 1_750_032_000_000
HANDED_OFF_SOON = {'INGESTION__HANDOFF_ROWS': 3000, 'INGESTION__HANDOFF_AGE_MS': 200, 'INGESTION__MAX_ROWS_IN_MEMORY': 700}
KEPT_IN_LOG = {'INGESTION__HANDOFF_AGE_MS': 3_600_000, 'INGESTION__WAL_FILE_BYTES': 1 << 20}
SCHEMA = {'timestampSpec': {'column': 't', 'format': 'millis'}, 'dimensionsSpec': {'dimensions': ['batch', 'noise']},
          'metricsSpec': [{'type': 'count', 'name': 'events'}],
          'granularitySpec': {'segmentGranularity': 'hour', 'queryGranularity': 'none', 'rollup': False}}
COUNT = {'queryType': 'timeseries', 'intervals': ['0001/9999'], 'granularity': 'all',
         'aggregations': [{'type': 'longSum', 'name': 'n', 'fieldName': 'events'}]}
ATTACKS = []


def attack(function):
    ATTACKS.append(function)
    return function


def must(holds, text):
    if not holds:
        raise AssertionError(text)


class Box:
    """A scratch folder and the server in it."""

    def __init__(self, scratch, settings):
        self.scratch, self.data_dir = scratch, os.path.join(scratch, 'data')
        self.server = harness.Server(self.data_dir, settings, log='error')

    def start(self):
        self.server.start()
        return harness.Client(self.server.url)

    def launch(self):
        """A server process that nobody waits for."""
        command = [harness.binary(), 'server', '--data-dir', self.data_dir, '--port', '0', '--log', 'warn']
        return subprocess.Popen(command, env=self.server.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def refusal(self):
        """What a server that does not start says; `None` when it does start."""
        process = self.launch()
        try:
            out, _ = process.communicate(timeout=6)
            return out if process.returncode != 0 else None
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None

    def files(self, pattern):
        return sorted(f for f in glob.glob(os.path.join(self.data_dir, pattern), recursive=True) if os.path.isfile(f))

    def fill(self, name='d', hours=4, rows=1000, settled=True):
        client = self.start()
        client.must('PUT', f'/v1/datasources/{name}', SCHEMA)
        for hour in range(hours):
            push(client, name, hour, rows)
            if settled:
                self.settle(name, hour + 1)
        return client

    def settle(self, name, segments):
        """Waits until so many segments are served from the cache and nothing is in between."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            served = {f.split('.')[0] for f in map(os.path.basename, self.files(f'segment-cache/{name}/*'))}
            if len(served) >= segments and not self.files('spill/**/*.segment'):
                return
            time.sleep(0.02)
        raise AssertionError(f'hand-off of {name} did not end: {len(served)} of {segments}')


def push(client, name, hour, rows, key=None, text='x', random_bytes=0):
    events = [{'t': START_MS + hour * HOUR_MS + i, 'batch': f'h{hour}', 'noise': f'{text}{i}{os.urandom(random_bytes).hex()}'} for i in range(rows)]
    headers = {'Idempotency-Key': key} if key else {}
    reply = client.must('POST', f'/v1/datasources/{name}/events', '\n'.join(map(json.dumps, events)).encode(), headers)
    must(reply['accepted'] == rows, f'push: {reply}')


def count(client, name='d', **context):
    """Rows, or the error's text."""
    status, answer = client.call('POST', '/druid/v2', dict(COUNT, dataSource=name, context=context))
    if status != 200:
        return str(answer)
    return (answer[0]['result']['n'] or 0) if answer else 0


def spoil(path, how):
    if how == 'delete':
        os.remove(path)
    elif how == 'flip':
        with open(path, 'r+b') as file:
            data = bytearray(file.read())
            data[len(data) // 2] ^= 1
            file.seek(0)
            file.write(data)
    elif how == 'truncate':
        os.truncate(path, os.path.getsize(path) // 2)
    elif how == 'flip the header' or how == 'flip the footer':
        with open(path, 'r+b') as file:
            file.seek(3 if how.endswith('header') else os.path.getsize(path) - 40)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 4]))
    else:
        raise ValueError(how)


def spoil_second(paths, how):
    if how == 'exchange':
        shutil.copy(paths[2], paths[1])
    else:
        spoil(paths[1], how)


@attack
def p_10_two_servers_on_one_folder(scratch):
    box = Box(scratch, KEPT_IN_LOG)
    client = box.fill(hours=1, settled=False)
    said = box.refusal()
    must(said and str(box.server.process.pid) in said, f'the second server must be refused with the pid of the first: {said}')
    os.symlink(box.data_dir, scratch + '/link')
    other = Box(scratch, KEPT_IN_LOG)
    other.data_dir = scratch + '/link'
    must(other.refusal(), 'the second server, by a symbolic link')
    push(client, 'd', 1, 10)
    box.server.kill()
    must(count(box.start()) == 1010, 'a dead owner is followed')


@attack
def stopped_while_it_starts_and_the_moment_it_is_ready(scratch):
    box = Box(scratch, KEPT_IN_LOG)
    box.fill(hours=1, settled=False)
    box.server.stop()
    for turn in range(20):
        box.start()
        time.sleep(turn * 0.0001)
        must(box.server.stop() == 0, 'a signal that comes at once is neither lost nor the end without goodbye')
    for turn in range(10):
        process = box.launch()
        time.sleep(0.02 + turn * 0.01)
        process.terminate()
        # Before it listens for signals, the system ends it.
        must(process.wait(timeout=20) in (0, -15), 'a start can be stopped')
        process.stdout.close()
    must(count(box.start()) == 1000, 'everything is there')


def a_damaged_copy(scratch, how, where, codec):
    box = Box(scratch, dict(HANDED_OFF_SOON, HISTORICAL__CODEC=codec, HISTORICAL__SCRUB_BYTES_PER_SECOND=1 << 30))
    box.fill()
    box.server.kill()
    victims = box.files('deep-storage/segments/**/*.segment') if where == 'deep storage' else box.files('segment-cache/d/*')
    must(len(victims) >= 4, f'{victims}')
    with open(victims[1], 'rb') as file:
        good = file.read()
    spoil_second(victims, how)
    client = box.start()
    found = count(client)
    must(found == 4000, f'{how} of one copy in {where}: {found}')
    if where == 'deep storage':
        is_mended(client, victims[1], good)
        shutil.rmtree(os.path.join(box.data_dir, 'segment-cache'))
    box.server.kill()
    must(count(box.start()) == 4000, 'after another restart, without the other copy')


def is_mended(client, path, good):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if os.path.exists(path):
            with open(path, 'rb') as file:
                if file.read() == good:
                    break
        time.sleep(0.05)
    else:
        raise AssertionError(f'{path} is not mended')
    # The file is in its place a moment before that is counted.
    while time.monotonic() < end and 'henge_damages_repaired_total 1' not in client.must('GET', '/metrics'):
        time.sleep(0.05)
    must('henge_damages_repaired_total 1' in client.must('GET', '/metrics'), 'metrics count it')
    must(not client.must('GET', '/status/ready')['endangeredSegments'], 'nothing is in danger any more')


def both_copies_damaged(scratch, how, codec):
    box = Box(scratch, dict(HANDED_OFF_SOON, HISTORICAL__CODEC=codec))
    box.fill()
    box.server.kill()
    for path in box.files('segment-cache/d/*'):
        os.remove(path)
    spoil_second(box.files('deep-storage/segments/**/*.segment'), how)
    client = box.start()
    found = count(client)
    must(isinstance(found, str) and '2025-06-16T01' in found, f'{how}: the answer must be an error that names the segment, not {found}')
    status, answer = client.call('POST', '/druid/v2', dict(COUNT, dataSource='d', context={'allowPartial': True}))
    must(status == 200 and answer[0]['result']['n'] == 3000, f'allowPartial: {status} {answer}')
    response = client.connection is not None
    must(response, 'the connection stays')
    metrics = client.must('GET', '/metrics')
    must(any('unavailable' in line and not line.startswith('#') and line.rsplit(' ', 1)[1] not in ('0', '0.0') for line in metrics.splitlines()),
         'metrics say what is unavailable')
    # Other hours go on being answered.
    part = dict(COUNT, dataSource='d', intervals=['2025-06-16T02/2025-06-16T04'])
    status, answer = client.call('POST', '/druid/v2', part)
    must(status == 200 and answer[0]['result']['n'] == 2000, f'other hours: {status} {answer}')


for _how in ('delete', 'flip', 'flip the header', 'flip the footer', 'truncate', 'exchange'):
    for _codec in ('none', 'as_stored'):
        for _where in ('deep storage', 'the cache'):
            def _one(scratch, how=_how, where=_where, codec=_codec):
                a_damaged_copy(scratch, how, where, codec)
            _one.__name__ = f'f_46_{_how.replace(" ", "_")}_of_one_copy_in_{_where.replace(" ", "_")}_{_codec}'
            attack(_one)

        def _both(scratch, how=_how, codec=_codec):
            both_copies_damaged(scratch, how, codec)
        _both.__name__ = f'f_40_{_how}_of_all_copies_{_codec}'
        attack(_both)


@attack
def f_47_a_file_is_cut_under_the_running_server(scratch):
    box = Box(scratch, HANDED_OFF_SOON)
    client = box.fill()
    for path in box.files('segment-cache/d/*')[:2]:
        os.truncate(path, 100)
    scan = {'queryType': 'groupBy', 'dataSource': 'd', 'intervals': ['0001/9999'], 'granularity': 'all', 'dimensions': ['noise'],
            'aggregations': [{'type': 'longSum', 'name': 'n', 'fieldName': 'events'}], 'context': {'useCache': False, 'useResultLevelCache': False}}
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            status, answer = client.call('POST', '/druid/v2', scan)
        except (OSError, EOFError, harness.http.client.HTTPException):
            must(box.server.process.poll() is None, 'the server died of a truncated file')
            continue
        if status == 200:
            must(sum(row['event']['n'] for row in answer) == 4000, 'a smaller answer')
            return
        time.sleep(0.1)
    raise AssertionError(f'never repaired: {status} {str(answer)[:300]}')


@attack
def f_33_metadata_damaged_or_lost(scratch):
    box = Box(os.path.join(scratch, 'base'), HANDED_OFF_SOON)
    box.fill(hours=5)
    box.server.kill()
    kept, wal = box.data_dir, 'metadata.sqlite-wal'
    size = os.path.getsize(os.path.join(kept, wal))
    damages = [('flip', size // 4), ('flip', size // 2), ('flip', size * 3 // 4), ('flip', size - 100), ('truncate', size // 2), ('truncate', size - 1), ('delete', 0),
               ('lose all', 0), ('lose all and the cache', 0), ('empty', 0)]
    for how, at in damages:
        work = Box(os.path.join(scratch, 'work'), HANDED_OFF_SOON)
        shutil.rmtree(work.data_dir, ignore_errors=True)
        shutil.copytree(kept, work.data_dir)
        damage_metadata(work, how, at)
        said = work.refusal()
        if said is None:
            found = count(work.start())
            must(found == 5000, f'{how} at {at}: started, counted {found} of 5000')
            work.server.kill()
            continue
        must('metadata' in said, f'{how} at {at}: {said[-300:]}')
        checked = subprocess.run([harness.binary(), 'metadata', 'check', '--data-dir', work.data_dir], capture_output=True, text=True, check=False)
        must(checked.returncode != 0 and checked.stdout, f'{how} at {at}: metadata check says nothing: {checked}')
        rebuilt = subprocess.run([harness.binary(), 'metadata', 'rebuild', '--data-dir', work.data_dir], capture_output=True, text=True, check=False)
        must(rebuilt.returncode == 0, f'{how} at {at}: rebuild: {rebuilt.stderr[-400:]}')
        client = work.start()
        must(count(client) == 5000, f'{how} at {at}: rebuilt, counted {count(client)} of 5000')
        push(client, 'd', 9, 100)
        work.server.kill()
        must(count(work.start()) == 5100, f'{how} at {at}: rows after the rebuild')
        work.server.kill()


def damage_metadata(box, how, at):
    path = os.path.join(box.data_dir, 'metadata.sqlite-wal')
    if how == 'flip':
        with open(path, 'r+b') as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 4]))
    elif how == 'truncate':
        os.truncate(path, at)
    elif how == 'delete':
        os.remove(path)
    elif how == 'empty':
        for file in box.files('metadata.sqlite*'):
            os.truncate(file, 0)
    else:
        for file in box.files('metadata.sqlite*'):
            os.remove(file)
        if how.endswith('cache'):
            shutil.rmtree(os.path.join(box.data_dir, 'segment-cache'))


@attack
def f_34_the_folders_of_another_cluster(scratch):
    first, second = Box(os.path.join(scratch, 'a'), HANDED_OFF_SOON), Box(os.path.join(scratch, 'b'), HANDED_OFF_SOON)
    for box in (first, second):
        box.fill(hours=2)
        box.server.kill()
    for folder in ('deep-storage', 'wal', 'segment-cache'):
        mixed = Box(os.path.join(scratch, 'mixed'), HANDED_OFF_SOON)
        shutil.rmtree(mixed.data_dir, ignore_errors=True)
        shutil.copytree(first.data_dir, mixed.data_dir)
        shutil.rmtree(os.path.join(mixed.data_dir, folder))
        shutil.copytree(os.path.join(second.data_dir, folder), os.path.join(mixed.data_dir, folder))
        must(mixed.refusal(), f'{folder} of another cluster is taken without a word')


@attack
def f_17_damage_to_the_log(scratch):
    base = Box(os.path.join(scratch, 'base'), KEPT_IN_LOG)
    client = base.fill(hours=0, settled=False)
    for hour in range(30):  # several files of the log
        push(client, 'd', hour, 1000, key=f'k{hour}', random_bytes=120)
    base.server.kill()
    logs = base.files('wal/**/*.wal')
    must(len(logs) >= 4, f'{logs}')
    for how in ('delete the middle', 'flip in the middle', 'replace by an older one', 'delete the first', 'cut in the middle', 'flip the last', 'delete the last'):
        work = Box(os.path.join(scratch, 'work'), KEPT_IN_LOG)
        shutil.rmtree(work.data_dir, ignore_errors=True)
        shutil.copytree(base.data_dir, work.data_dir)
        files = work.files('wal/**/*.wal')
        middle, last = files[len(files) // 2], files[-1]
        if how.endswith('older one'):
            shutil.copy(files[0], middle)
        elif how == 'cut in the middle':
            os.truncate(middle, os.path.getsize(middle) * 2 // 3)
        else:
            spoil({'middle': middle, 'first': files[0], 'last': last}[how.split()[-1]], how.split()[0])
        said = work.refusal()
        if said is not None:
            must('log' in said or 'wal' in said, f'{how}: {said[-300:]}')
            continue
        client = work.start()
        found = count(client)
        must(found == 30_000 or 'last' in how, f'{how}: {found} of 30000 without a word')
        if found != 30_000:
            metrics = client.must('GET', '/metrics')
            must(any(('torn' in l or 'quarantine' in l) and not l.startswith('#') and not l.endswith(' 0') for l in metrics.splitlines()), f'{how}: {found}, and nothing says so')
        work.server.kill()


@attack
def f_17_the_whole_folder_of_a_log(scratch):
    """Gone, emptied, an older copy, or another's: nothing within the folder tells, so a mark beside it does."""
    base = Box(os.path.join(scratch, 'base'), KEPT_IN_LOG)
    client = base.fill(hours=0, settled=False)
    for name, rows in (('d', 300), ('e', 50)):
        client.must('PUT', f'/v1/datasources/{name}', SCHEMA)
        for hour in range(rows // 10):
            push(client, name, hour, 10)
    wal = os.path.join(base.data_dir, 'wal')
    base.server.kill()
    shutil.copytree(base.data_dir, scratch + '/older')
    client = base.start()
    for hour in range(20):
        push(client, 'd', hour, 10)
    must(base.server.stop() == 0, 'an orderly end')
    shutil.copytree(base.data_dir, scratch + '/newest')
    for how in ('older copy', 'gone', 'emptied', 'swapped', 'a link to nowhere', 'older copy of all logs', 'older copy with its marks'):
        shutil.rmtree(base.data_dir)
        shutil.copytree(scratch + '/newest', base.data_dir)
        harm_a_log(how, wal, scratch)
        said = base.refusal()
        must(said and "the log of 'd'" in said, f'{how}: {said or "started without a word"}')
        must('swapped' == how or ('records 31 to 50 (20 pushes)' if how.startswith('older') else '(50 pushes)') in said, f'{how}: {said}')
        checked = subprocess.run([harness.binary(), 'metadata', 'check', '--data-dir', base.data_dir], capture_output=True, text=True, check=False)
        must(checked.returncode == 1 and "the log of 'd'" in checked.stdout, f'{how}: metadata check: {checked}')
        if how.startswith('older copy') or how in ('gone', 'emptied'):
            given_up_or_put_back(base, how, scratch)
    shutil.rmtree(base.data_dir)
    shutil.copytree(scratch + '/newest', base.data_dir)
    os.remove(os.path.join(base.data_dir, 'marks'))
    must(count(base.start()) == 500, 'without its marks, the log is what it was')


def harm_a_log(how, wal, scratch):
    place = os.path.join(wal, 'd')
    if how == 'swapped':
        for source, target in (('d', 'x'), ('e', 'd'), ('x', 'e')):
            os.rename(os.path.join(wal, source), os.path.join(wal, target))
    elif how == 'older copy of all logs':
        shutil.rmtree(wal)
        shutil.copytree(scratch + '/older/wal', wal)
    else:
        shutil.rmtree(place)
    if how in ('older copy', 'older copy with its marks'):
        shutil.copytree(scratch + '/older/wal/d', place)
    if how.endswith('its marks'):
        shutil.copy(scratch + '/older/marks', os.path.join(os.path.dirname(wal), 'marks'))
    if how == 'emptied':
        os.mkdir(place)
    if how.startswith('a link'):
        os.symlink(scratch + '/nowhere', place)


def given_up_or_put_back(box, how, scratch):
    place = os.path.join(box.data_dir, 'wal', 'd')
    kept = 300 if how.startswith('older') else 0
    accepted = subprocess.run([harness.binary(), 'metadata', 'accept-log-loss', '--data-dir', box.data_dir, '--datasource', 'd'], capture_output=True, text=True, check=False)
    must(accepted.returncode == 0 and f'kept: {kept // 10} record' in accepted.stdout, f'{how}: accept: {accepted}')
    client = box.start()
    must(count(client) == kept and count(client, 'e') == 50, f'{how}: {count(client)} after giving up the rest')
    push(client, 'd', 1, 10)
    box.server.kill()
    must(count(box.start()) == kept + 10, f'{how}: after another kill')
    box.server.kill()
    # The copy of before is now another log than the one that is marked.
    shutil.rmtree(place)
    shutil.copytree(scratch + '/newest/wal/d', place)
    said = box.refusal()
    must(said and "the log of 'd'" in said, f'{how}: another log than the marked one: {said}')


@attack
def f_67_a_stale_cache(scratch):
    """The cached copy of an id whose segment is another one now (metadata restored): checksums decide."""
    box = Box(scratch, dict(HANDED_OFF_SOON, HISTORICAL__CODEC='as_stored'))
    for text in ('aaaa', 'bbbb'):
        client = box.start()
        client.must('PUT', '/v1/datasources/d', SCHEMA)
        push(client, 'd', 0, 1000, text=text)
        box.settle('d', 1)
        box.server.kill()
        if text == 'aaaa':
            shutil.copytree(os.path.join(box.data_dir, 'segment-cache'), scratch + '/old-cache')
            shutil.rmtree(box.data_dir)
    new = box.files('segment-cache/d/*')
    for path in glob.glob(scratch + '/old-cache/d/*'):
        for target in new:
            if os.path.basename(target) == os.path.basename(path):
                shutil.copy(path, target)
    client = box.start()
    flt = {'type': 'like', 'dimension': 'noise', 'pattern': 'bbbb%'}
    status, answer = client.call('POST', '/druid/v2', dict(COUNT, dataSource='d', filter=flt))
    must(status == 200 and answer[0]['result']['n'] == 1000, f'{status} {str(answer)[:300]}')


@attack
def f_19_a_full_disk_at_hand_off(scratch):
    mount = os.path.join(scratch, 'small')
    os.makedirs(mount)
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', mount], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        print(f'    SKIPPED: no small disk can be mounted: {mounted.stderr.strip()}')
        return
    try:
        fill_a_small_disk(mount)
    finally:
        subprocess.run(['umount', '-l', mount], check=False)


def fill_a_small_disk(mount):
    box = Box(mount, {'INGESTION__HANDOFF_ROWS': 10**7, 'INGESTION__HANDOFF_AGE_MS': 4000, 'INGESTION__MAX_ROWS_IN_MEMORY': 10**6})
    client = box.fill(hours=0, settled=False)
    for hour in range(4):
        push(client, 'd', hour, 20_000, random_bytes=20)
    free = os.statvfs(mount)
    with open(os.path.join(mount, 'ballast'), 'wb') as file:
        file.write(b'x' * max(0, free.f_bavail * free.f_frsize - 1_400_000))
    end = time.monotonic() + 12
    while time.monotonic() < end:
        must(box.server.process.poll() is None, 'the server died of a full disk')
        found = count(client)
        must(found == 80_000, f'while the disk is full: {found}')
        time.sleep(0.1)
    os.remove(os.path.join(mount, 'ballast'))
    box.settle('d', 4)
    must(count(client) == 80_000, 'once there is room')
    box.server.kill()
    must(count(box.start()) == 80_000, 'after a restart')
    box.server.kill()


@attack
def h_89_expression_bombs(scratch):
    box = Box(scratch, {'QUERY__THREADS': 2})
    client = box.fill(hours=1, rows=2000, settled=False)
    array = 'array(' + ','.join(['1'] * 1000) + ')'

    def nested(depth):
        return '0' if depth == 0 else f'fold((x{depth}, a{depth}) -> {nested(depth - 1)} + a{depth}, {array}, 0)'

    doubling = "fold((x, acc) -> array_concat(acc, acc), " + 'array(' + ','.join(['1'] * 60) + "), array('aaaaaaaaaaaaaaaa'))"
    texts = "fold((x, acc) -> concat(acc, acc), " + 'array(' + ','.join(['1'] * 60) + "), 'aaaaaaaaaaaaaaaa')"
    for bomb in (f'{nested(5)} + events', f'array_length({doubling}) + events', f'strlen({texts}) + events',
                 f"strlen(repeat('x', 1000000000)) + events", f'array_length(cartesian_map((a, b, c) -> a, {array}, {array}, {array})) + events'):
        query = dict(COUNT, dataSource='d', virtualColumns=[{'type': 'expression', 'name': 'x', 'expression': bomb, 'outputType': 'LONG'}],
                     aggregations=[{'type': 'longSum', 'name': 'n', 'fieldName': 'x'}], context={'timeout': 2000})
        answers = []
        threads = [threading.Thread(target=lambda q=query: answers.append(harness.Client(box.server.url, 20).call('POST', '/druid/v2', q))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        must(len(answers) == 4 and all(status != 500 for status, _ in answers), f'{bomb[:60]}: {answers}')
        started = time.monotonic()
        must(count(client, useCache=False, useResultLevelCache=False) == 2000, f'{bomb[:60]}: other queries')
        must(time.monotonic() - started < 2, f'{bomb[:60]}: another query took {time.monotonic() - started:.1f} s')
        must(box.server.memory_mb() < 1500, f'{bomb[:60]}: {box.server.memory_mb():.0f} MiB')
    transform = {'transforms': [{'type': 'expression', 'name': 'y', 'expression': f'{nested(5)} + 1'}]}
    client.must('PUT', '/v1/datasources/bomb', dict(SCHEMA, transformSpec=transform))
    pusher = threading.Thread(target=lambda: harness.Client(box.server.url, 60).call('POST', '/v1/datasources/bomb/events', {'t': START_MS, 'batch': 'b'}))
    pusher.start()
    started = time.monotonic()
    push(client, 'd', 1, 100)
    must(time.monotonic() - started < 2, f'another push took {time.monotonic() - started:.1f} s')
    pusher.join()
    box.server.kill()
    must(count(box.start()) == 2100, 'after a restart')


@attack
def p_8_files_that_are_no_files_and_strangers(scratch):
    box = Box(scratch, {})
    client = box.fill(hours=1, settled=False)
    os.mkfifo(os.path.join(scratch, 'pipe'))

    def task_of(path):
        return {'type': 'index_parallel', 'spec': {'dataSchema': dict(SCHEMA, dataSource='files'),
                'ioConfig': {'type': 'index_parallel', 'inputSource': {'type': 'local', 'files': [path]}, 'inputFormat': {'type': 'json'}},
                'tuningConfig': {'type': 'index_parallel'}}}

    for path in ('/dev/zero', '/dev/stdin', '/proc/self/environ', '/etc/passwd', os.path.join(scratch, 'pipe')):
        status, answer = client.call('POST', '/druid/indexer/v1/task', task_of(path))
        if status == 200:
            state = wait_for_task(client, answer['task'])
            must(state['statusCode'] == 'FAILED' and state['progress']['received'] == 0, f'{path}: {state}')
    for headers in ({'Host': 'evil.example'}, {'Origin': 'http://evil.example'}, {'Host': 'evil.example:8888', 'Origin': 'http://evil.example:8888'}):
        status, answer = client.call('PUT', '/v1/datasources/stranger', SCHEMA, headers)
        must(status == 403, f'{headers}: {status} {str(answer)[:200]}')
    push(client, 'd', 1, 10)


def wait_for_task(client, task_id, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = client.must('GET', f'/druid/indexer/v1/task/{task_id}/status')['status']
        if state['statusCode'] != 'RUNNING':
            return state
        time.sleep(0.05)
    raise AssertionError(f'{task_id} did not end')


@attack
def h_106_many_datasources_and_few_handles(scratch):
    box = Box(scratch, KEPT_IN_LOG)
    box.server.handles = 1024
    client = box.start()
    for number in range(1200):
        client.must('PUT', f'/v1/datasources/d{number}', SCHEMA)
        push(client, f'd{number}', 0, 1)
    box.server.kill()
    client = box.start()
    must(all(count(client, f'd{number}') == 1 for number in range(0, 1200, 37)), 'all are there')
    push(client, 'd7', 1, 1)


@attack
def tasks_queued_and_stopped(scratch):
    box = Box(scratch, {})
    client = box.start()
    body = '\n'.join(json.dumps({'t': START_MS + i, 'batch': 'x'}) for i in range(50))

    def task_of(number):
        return {'type': 'index_parallel', 'id': f't{number}', 'spec': {'dataSchema': dict(SCHEMA, dataSource=f'd{number % 5}'),
                'ioConfig': {'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': body}, 'inputFormat': {'type': 'json'}},
                'tuningConfig': {'type': 'index_parallel'}}}

    for number in range(1300):
        client.must('POST', '/druid/indexer/v1/task', task_of(number))
    status, answer = client.call('POST', '/druid/indexer/v1/task/t1299/shutdown')
    must(status == 200, f'shutdown: {status} {answer}')
    box.server.kill()
    client = box.start()
    end = time.monotonic() + 300
    while client.must('GET', '/druid/indexer/v1/tasks?state=running') or client.must('GET', '/druid/indexer/v1/tasks?state=pending'):
        must(time.monotonic() < end, 'queued tasks did not end')
        time.sleep(0.2)
    states = [client.must('GET', f'/druid/indexer/v1/task/t{number}/status')['status']['statusCode'] for number in range(1300)]
    must(states[1299] == 'FAILED' and states.count('SUCCESS') == 1299, f"success {states.count('SUCCESS')}, failed {states.count('FAILED')}, last {states[1299]}")


def run(name):
    """Runs one attack in this process: its line of the report, and whether it held."""
    started = time.monotonic()
    scratch = tempfile.mkdtemp(prefix='henge-attack-')
    try:
        next(a for a in ATTACKS if a.__name__ == name)(scratch)
        outcome = 'ok'
    except AssertionError as error:
        outcome = f'FAIL {error}'
    except Exception:  # an attack that breaks down has not shown anything
        outcome = f'FAIL {traceback.format_exc(limit=4)}'
    for server in harness.RUNNING:
        if server.process.poll() is None:
            server.kill()
    harness.RUNNING.clear()
    shutil.rmtree(scratch, ignore_errors=True)
    return f'{name} ({time.monotonic() - started:.1f} s): {outcome}', outcome == 'ok'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default='')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='attacks at a time; most of an attack is waiting')
    options = parser.parse_args()
    chosen = [a.__name__ for a in ATTACKS if options.only in a.__name__]
    if options.list:
        print(*chosen, sep='\n')
        return 0
    failed = 0
    # A process each: an attack sets limits and ends servers of its own.
    with multiprocessing.Pool(options.jobs, maxtasksperchild=1) as pool:
        for line, held in pool.imap_unordered(run, chosen, chunksize=1):
            failed += not held
            print(line, flush=True)
    print(f'attacks: {len(chosen) - failed} passed, {failed} failed')
    return 1 if failed or not chosen else 0


if __name__ == '__main__':
    sys.exit(main())
