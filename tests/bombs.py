"""The bombs of memory_ceiling.py: each does its worst and says what came of it. Requests may be refused;
that the server lives, and serves others, is looked at by the caller."""
import json
import os
import shutil
import tempfile
import threading
import time
import urllib.parse

BOMBS = []


def bomb(function=None, **attributes):
    """Adds a bomb; `settings` and `handles` are those of its server."""
    def add(function):
        for name, value in attributes.items():
            setattr(function, name, value)
        BOMBS.append(function)
        return function
    return add(function) if function else add


def expect(holds, text):
    if not holds:
        raise AssertionError(text)


def tally(statuses):
    return ', '.join(f'{statuses.count(status)} x {status}' for status in sorted(set(statuses), key=str))


@bomb
def refused_events(field):
    """0.9 MiB of gzip with 33 million events that are refused."""
    field.put('d', [])
    digits = ''.join(field.random.choice('0123456789') + ',' for _ in range(1_600_000))
    body = field.packed(('[' + digits + '1,' * 31_800_000 + '1]').encode())
    status, answer = field.push('d', body, compressed=True)
    expect(status == 200 and answer['rejected'] == 33_400_001, f'HTTP {status}: {str(answer)[:200]}')
    letters = field.client().must('GET', '/v1/datasources/d/dead-letters?limit=10000')
    expect('more events of this request' in json.dumps(letters)[-2000:], 'the uncounted ones are not named')
    return f"{len(body) >> 10} KiB, {answer['rejected']} refused"


@bomb
def refused_texts(field):
    """Many requests of long refused events."""
    field.put('d', [])
    texts = ['%04000x' % field.random.getrandbits(16_000) for _ in range(40)]
    body = field.packed(field.ndjson([{'t': 'no time', 'x': texts[k % 40]} for k in range(6_000)]))
    statuses = [field.push('d', body, compressed=True)[0] for _ in range(8)]
    expect(set(statuses) == {200}, tally(statuses))
    return tally(statuses)


@bomb
def wide_sparse_events(field):
    """56 KiB: a thousand chunks, and one event that brings two thousand columns."""
    field.put('d', [], discover=True)
    events = [dict({'t': field.start_ms}, **{f'c{k}': k for k in range(1_990)})]
    events += [{'t': field.start_ms + hour * 3_600_000} for hour in range(1, 1_000)]
    status, answer = field.push('d', field.ndjson(events))
    expect(status == 200 and answer['accepted'] == 1_000, f'HTTP {status}: {str(answer)[:200]}')
    counted = field.client().query(field.count_of('d'))[0]['result']['n']
    expect(counted == 1_000, f'counted {counted}')
    return 'all stored'


@bomb
def tiny_events_of_a_wide_table(field):
    """Two thousand columns, then events of eight bytes."""
    field.put('d', [], discover=True)
    wide = dict({'t': field.start_ms}, **{f'c{k}': 'x' for k in range(1_990)})
    field.push('d', field.ndjson([wide]))
    tiny = '\n'.join('{"t":%d%d}' % (field.start_ms // 1000, k % 1000) for k in range(600_000)).encode()
    status, answer = field.push('d', tiny)
    expect(status in (400, 413, 429), f'HTTP {status}: {str(answer)[:200]}')
    return f"HTTP {status}: {answer['errorMessage'][:60]}"


@bomb(handles=1024)
def many_datasources(field):
    """More datasources than file handles, and a restart with all of them."""
    client = field.client()
    statuses = []
    for number in range(1_200):
        client.must('PUT', f'/v1/datasources/d{number}', field.schema(['batch']))
        statuses.append(client.call('POST', f'/v1/datasources/d{number}/events', {'t': field.start_ms, 'batch': 'x'})[0])
    expect(statuses.count(200) == 1_200, tally(statuses))
    seconds = field.restart()
    client = field.client()
    for number in range(1_200):
        counted = client.query(field.count_of(f'd{number}'))[0]['result']['n']
        expect(counted == 1, f'd{number} has {counted} after the restart')
    handles = len(os.listdir(f'/proc/{field.server.process.pid}/fd'))
    return f'{tally(statuses)}, {handles} handles, ready again in {seconds:.1f} s'


@bomb
def large_tasks(field):
    """Specs of many megabytes, many of them at once, and their listing."""
    row = '{"t":%d,"batch":"%s"}' % (field.start_ms, 'x' * 900)
    statuses = []
    for number in range(40):
        task = {'type': 'index_parallel', 'id': f't{number}', 'spec': {
            'dataSchema': dict(field.schema(['batch']), dataSource='d'),
            'ioConfig': {'type': 'index_parallel', 'inputFormat': {'type': 'json'}, 'appendToExisting': True,
                         'inputSource': {'type': 'inline', 'data': '\n'.join([row] * 15_000)}},
            'tuningConfig': {'type': 'index_parallel'}}}
        statuses.append(field.client().call('POST', '/druid/indexer/v1/task', task)[0])
    started = time.monotonic()
    listed = field.client().must('GET', '/druid/indexer/v1/tasks?max=1000000')
    # Ended tasks are forgotten from the oldest on once their specs exceed 256 MiB together.
    kept = min(statuses.count(200), (256 << 20) // (len(row) * 15_500))
    expect(len(listed) >= kept > 0, f'{len(listed)} listed of {tally(statuses)}')
    return f'{tally(statuses)}, listed in {time.monotonic() - started:.1f} s'


@bomb
def large_loads(field):
    """A file of 600 MB of distinct texts, with and without roll-up, and a file that is one endless list."""
    folder = tempfile.mkdtemp(prefix='henge-bomb-')
    lines, listed = os.path.join(folder, 'lines.json'), os.path.join(folder, 'list.json')
    with open(lines, 'w', encoding='ascii') as out:
        for number in range(400_000):
            out.write('{"t":%d,"x":"%01000x","n":%d}\n' % (field.start_ms + number, field.random.getrandbits(4_000), number))
    with open(listed, 'w', encoding='ascii') as out:
        out.write('[' + '{"t":1,"x":"y"},' * 20_000_000)
    outcomes = []
    for path, metrics in ((lines, []), (lines, [{'type': 'count', 'name': 'events'}]), (listed, [])):
        task = {'type': 'index_parallel', 'spec': {
            'dataSchema': dict(field.schema(['x', 'n'], metrics=metrics, granularity='day'), dataSource='d'),
            'ioConfig': {'type': 'index_parallel', 'inputFormat': {'type': 'json'},
                         'inputSource': {'type': 'local', 'files': [path]}},
            'tuningConfig': {'type': 'index_parallel'}}}
        client = field.client()
        identity = client.must('POST', '/druid/indexer/v1/task', task)['task']
        path = '/druid/indexer/v1/task/' + urllib.parse.quote(identity, safe='') + '/status'
        wait_for(lambda at=path, asked=client: asked.must('GET', at)['status']['statusCode'] != 'RUNNING', 300)
        outcomes.append(client.must('GET', path)['status']['statusCode'])
    shutil.rmtree(folder)
    expect(outcomes == ['SUCCESS', 'SUCCESS', 'FAILED'], str(outcomes))
    return ', '.join(outcomes)


@bomb
def large_bodies_at_once(field):
    """Many bodies that inflate to 64 MiB, at the same moment."""
    field.put('d', ['x'])
    text = ''.join(field.random.choice('abcdefgh') for _ in range(200))
    event = json.dumps({'t': field.start_ms, 'x': text})
    noise = ''.join(field.random.choice('0123456789') for _ in range(900_000))
    lines = [event] * 240_000 + [json.dumps({'t': field.start_ms, 'x': noise[k:k + 30_000]}) for k in range(0, 900_000, 30_000)]
    body = field.packed('\n'.join(lines).encode())
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(field.push('d', body, compressed=True)[0])) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(set(answers) <= {200, 429, 503, None}, tally(answers))
    return f'{len(body) >> 10} KiB each: {tally(answers)}'


@bomb
def dictionaries_of_long_values(field):
    """Values of 30 KB, all different, as fast as they are taken."""
    field.put('d', ['x'])
    statuses, stored = [], 0
    for _ in range(60):
        values = ['%030000x' % field.random.getrandbits(120_000) for _ in range(400)]
        status, answer = field.push('d', field.ndjson([{'t': field.start_ms, 'x': value} for value in values]))
        statuses.append(status)
        stored += answer['accepted'] if status == 200 else 0
    counted = field.client().query(field.count_of('d'))[0]['result']['n']
    expect(counted == stored > 0, f'counted {counted}, stored {stored}')
    return f'{stored * 30 // 1000} MB, {tally(statuses)}'


def push_distinct_texts(field, megabytes, columns, text_bytes):
    """Events of distinct texts in bodies of about 1 MiB, all in one hour; gives how many were stored."""
    names = [f'x{k}' for k in range(columns)]
    field.put('d', names)
    salt = '%0*x' % (text_bytes - 16, field.random.getrandbits(4 * (text_bytes - 16)))
    line = '{"t":%d,' + ','.join(f'"{name}":"%014x{k:02d}{salt}"' for k, name in enumerate(names)) + '}'
    rows = 1_000_000 // (columns * (text_bytes + 9) + 24)
    stored, client = 0, field.client()
    for first in range(0, megabytes * 1_000_000 // (columns * text_bytes), rows):
        # An odd factor scatters the texts, so that they do not come in order.
        body = '\n'.join(line % ((field.start_ms + number % 3_600_000,) + (number * 0x9E3779B97F4A7 % 2**56,) * columns)
                         for number in range(first, first + rows)).encode()
        wait_for(lambda sent=body: client.call('POST', '/v1/datasources/d/events', sent)[0] == 200, 120)
        stored += rows
    return stored


def count_after_restart(field, stored, **settings):
    """Counts what was stored after a kill, and again once all of it was handed off."""
    seconds = field.restart(settings)
    counted = [field.client().query(field.count_of('d'))[0]['result']['n']]
    spill = os.path.join(field.server.data_dir, 'spill')
    field.push('d', field.ndjson([{'t': field.start_ms}]))
    wait_for(lambda: not any('.part' in name or '.segment' in name for name in os.listdir(spill)), 300)
    counted.append(field.client().query(field.count_of('d'))[0]['result']['n'])
    expect(counted == [stored, stored + 1], f'counted {counted} after the restart, stored {stored}')
    segments = sum(len(files) for _, _, files in os.walk(os.path.join(field.server.data_dir, 'deep-storage', 'segments', 'd')))
    return f'{stored} events, ready again in {seconds:.1f} s, {segments} segments'


@bomb(settings={'INGESTION__HANDOFF_AGE_MS': 3_000})
def distinct_texts_handed_off(field):
    """1.5 GB of distinct texts of 30 bytes in one hour, handed off every few seconds, then a kill."""
    return count_after_restart(field, push_distinct_texts(field, 1_500, 10, 30))


@bomb(settings={'INGESTION__HANDOFF_AGE_MS': 86_400_000})
def distinct_texts_replayed(field):
    """1.2 GB of longer ones in one column, all in the log when the kill comes, then handed off at once."""
    return count_after_restart(field, push_distinct_texts(field, 1_200, 1, 300), INGESTION__HANDOFF_AGE_MS=1_000)


@bomb
def answers_of_long_values(field):
    """One value of 30 KB in many rows: a small result with a huge text."""
    field.put('d', ['x', 'n'])
    for part in range(20):
        rows = [{'t': field.start_ms + part * 500 + k, 'x': 'x' * 30_000, 'n': str(k)} for k in range(500)]
        status, answer = field.push('d', field.ndjson(rows))
        expect(status == 200, f'HTTP {status}: {str(answer)[:200]}')
    scan = {'queryType': 'scan', 'dataSource': 'd', 'intervals': ['0001/9999'], 'columns': ['x', 'n', '__time']}
    group = {'queryType': 'groupBy', 'dataSource': 'd', 'intervals': ['0001/9999'], 'granularity': 'none',
             'dimensions': ['x', 'n'], 'aggregations': []}
    outcomes = []
    for query in (scan, group):
        status, answer = field.client().call('POST', '/druid/v2', query)
        outcomes.append(status)
        expect(status in (400, 429, 503), f'HTTP {status}: {str(answer)[:100]}')
    return tally(outcomes)


@bomb(settings={'LIMITS__ANSWER_IDLE_TIMEOUT_MS': 5_000})
def clients_that_do_not_read(field):
    """Large answers that nobody takes."""
    field.put('d', ['x'])
    for part in range(8):
        rows = [{'t': field.start_ms + k, 'x': f'value {part} {k} {field.random.getrandbits(200)}'} for k in range(50_000)]
        field.push('d', field.packed(field.ndjson(rows)), compressed=True)
    query = {'queryType': 'scan', 'dataSource': 'd', 'intervals': ['0001/9999'], 'context': {'useResultLevelCache': False}}
    sockets = []
    for _ in range(30):
        sockets.append(field.send_and_never_read(query))
        time.sleep(0.2)
    held = metric(field, 'henge_memory_peak_bytes{account="answers"}')
    wait_for(lambda: metric(field, 'henge_memory_bytes{account="answers"}') == 0, 40)
    for connection in sockets:
        connection.close()
    return f'{held >> 20} MiB of answers held, then let go'


@bomb
def doubling_folds(field):
    """An expression whose value doubles in each of forty steps, and one of 10^15 steps."""
    field.put('d', ['x'])
    field.push('d', field.ndjson([{'t': field.start_ms + k, 'x': f'v{k}'} for k in range(2_000)]))
    ones = 'array(' + ','.join(['1'] * 40) + ')'
    doubled = f"fold((x, a) -> concat(a, a), {ones}, 'xxxxxxxxxxxxxxxx')"
    nested = '0'
    for depth in range(1, 6):
        nested = f"fold((x{depth}, a{depth}) -> {nested} + a{depth}, array({','.join(['1'] * 1000)}), 0)"
    statuses = []
    for expression in (f'strlen({doubled})', f'{nested} + strlen(x)'):
        query = dict(field.count_of('d'), aggregations=[{'type': 'longSum', 'name': 'n', 'fieldName': 'v'}],
                     virtualColumns=[{'type': 'expression', 'name': 'v', 'expression': expression, 'outputType': 'LONG'}],
                     context={'timeout': 3_000})
        statuses.append(field.client().call('POST', '/druid/v2', query)[0])
    expect(200 not in statuses, tally(statuses))
    return tally(statuses)


def metric(field, name):
    text = field.client().must('GET', '/metrics')
    return next(int(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line.startswith(name + ' '))


def wait_for(holds, seconds):
    end = time.monotonic() + seconds
    while not holds():
        expect(time.monotonic() < end, f'not within {seconds} s')
        time.sleep(0.1)
