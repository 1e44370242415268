"""Who acts: pushers, a watcher, an operator that replaces, and one that changes schemas."""
import json
import time

import harness

from kills.model import DAY_MS, HOUR_MS, PUSHED, REPLACED_DAYS, REPLACED_MS, START_MS, schema

NET_ERRORS = (OSError, EOFError, harness.http.client.HTTPException)
GRANULARITIES = ('hour', 'day', 'week', 'month', 'all', 'minute', 'six_hour')
OFFSETS_MS = [0, HOUR_MS, 7 * HOUR_MS, 30 * HOUR_MS, -3650 * DAY_MS, 36 * HOUR_MS, 400 * DAY_MS]
TOTALS = [{'type': 'longSum', 'name': 'events', 'fieldName': 'events'}, {'type': 'longSum', 'name': 'ids', 'fieldName': 'ids'}]


def by_batch(client, datasource, flt=None):
    query = {'queryType': 'groupBy', 'dataSource': datasource, 'intervals': ['0001/9999'], 'granularity': 'all', 'dimensions': ['batch'], 'aggregations': TOTALS}
    if flt:
        query['filter'] = flt
    return {row['event']['batch']: (row['event']['events'], row['event']['ids']) for row in client.query(query)}


def make_batch(rng, datasource, name, size, refused_ms):
    """(body, sum of ids, hour of the replaced days or None)"""
    first, hour = rng.randrange(1_000_000), None
    if datasource == 'repl':
        hour = rng.randrange(REPLACED_DAYS * 24)
    events = []
    for number in range(size):
        if hour is None:
            base = START_MS + rng.choice(OFFSETS_MS)
            if refused_ms and rng.random() < 0.4:
                base = refused_ms
        else:
            base = REPLACED_MS + hour * HOUR_MS
        event = {'t': base + rng.randrange(HOUR_MS), 'batch': name, 'kind': 'push', 'id': first + number, 'v': 0.5, 'extra': 'x'}
        if datasource == 'found':
            event['v'] = rng.choice([1, 2.5, 'text', None, [1, 'a'], True])
            event[f'column{rng.randrange(30)}'] = rng.choice([7, 0.25, 'w'])
        events.append(event)
    return '\n'.join(map(json.dumps, events)).encode(), sum(range(first, first + size)), hour


def push(model, datasource, body, key, timeout=20):
    headers = {'Idempotency-Key': key} if key else {}
    return harness.Client(model.url, timeout).call('POST', f'/v1/datasources/{datasource}/events', body, headers)


def pusher(model, number):
    rng, sequence = model.rng(f'pusher-{number}'), 0
    while not model.done.is_set():
        datasource = PUSHED[(number + sequence) % len(PUSHED)]
        name, size, keyed = f'{datasource}-{number}-{sequence}', rng.randint(1, 250), rng.random() < 0.75
        sequence += 1
        body, ids, hour = make_batch(rng, datasource, name, size, model.refused_ms)
        with model.lock:
            # Those that are not over yet when it is sent may come after its rows.
            over = model.replaced.begun - bool(model.replaced.in_flight)
        push_one(model, datasource, name, body, keyed, {'size': size, 'ids': ids, 'hour': hour, 'replaces_before': over})
        if rng.random() < 0.15:
            push_again(model, rng)


def push_one(model, datasource, name, body, keyed, batch):
    while True:
        model.up.wait()
        try:
            status, reply = push(model, datasource, body, name if keyed else None)
        except NET_ERRORS:
            model.count('requests of unknown outcome')
            if not keyed:
                with model.lock:
                    model.unknown[name] = batch
                return
            time.sleep(0.005)
            continue
        if status in (429, 503):
            time.sleep(0.02)
            continue
        if status != 200 or reply['accepted'] != batch['size']:
            model.wrong(f'batch {name}: HTTP {status} {str(reply)[:300]}')
        with model.lock:
            model.acked[name] = batch
            if keyed:
                model.bodies[name] = body
        return


def push_again(model, rng):
    """Something acknowledged long ago, once more; or its key with another body."""
    with model.lock:
        name = rng.choice(list(model.bodies)) if model.bodies else None
    if name is None:
        return
    other = rng.random() < 0.3
    body = model.bodies[name] + (b'\n{"t":1750032000000,"batch":"other","id":1}' if other else b'')
    model.up.wait()
    try:
        status, reply = push(model, name.split('-')[0], body, name)
    except NET_ERRORS:
        return
    if other:
        model.count('keys with another body refused', status == 422)
        if status not in (422, 429, 503):
            model.wrong(f'key {name} with another body: HTTP {status} {str(reply)[:200]}')
    elif status == 200:
        model.count('keys retried late')
        if not reply['duplicate'] or reply['accepted'] != model.acked[name]['size']:
            model.wrong(f'the repeat of {name} was not a duplicate: {reply}')
    elif status not in (429, 503):
        model.wrong(f'the repeat of {name}: HTTP {status} {str(reply)[:200]}')


def watcher(model, number):
    rng = model.rng(f'watcher-{number}')
    while not model.done.is_set():
        model.up.wait()
        with model.lock:
            names = [name for name in model.acked if not name.startswith('repl')]
        if not names:
            time.sleep(0.01)
            continue
        name = rng.choice(names[-60:]) if rng.random() < 0.7 else rng.choice(names)
        wanted = model.acked[name]
        try:
            found = by_batch(harness.Client(model.url, 20), name.split('-')[0], {'type': 'selector', 'dimension': 'batch', 'value': name})
        except NET_ERRORS:
            time.sleep(0.005)
            continue
        except RuntimeError as error:
            model.wrong(f'watch {name}: {error}')
            continue
        model.count('looks at batches')
        if found.get(name) != (wanted['size'], wanted['ids']):
            model.wrong(f'watch {name}: saw {found.get(name)} of {wanted}')


def schema_changer(model):
    rng, version = model.rng('schemas'), 0
    while not model.done.is_set():
        time.sleep(rng.uniform(0.05, 0.8))
        model.up.wait()
        version += 1
        name = rng.choice(PUSHED)
        granularity = rng.choice(GRANULARITIES)
        try:
            status, answer = harness.Client(model.url).call('PUT', f'/v1/datasources/{name}', schema(name, granularity, version if name == 'flat' else 0))
        except NET_ERRORS:
            continue
        model.count('schemas changed', status == 200)
        if status not in (200, 429, 503):
            model.wrong(f'PUT {name} by {granularity}: HTTP {status} {str(answer)[:200]}')


def a_task(rng, name):
    """A replace of some hours in chunks of a random size; one row an hour that it fills."""
    hours_a_chunk = rng.choice([1, 24, 24, REPLACED_DAYS * 24])
    granularity = {1: 'hour', 24: 'day'}.get(hours_a_chunk, 'month')
    all_hours = range(REPLACED_DAYS * 24)
    first = rng.randrange(REPLACED_DAYS * 24 // hours_a_chunk) * hours_a_chunk
    scope = list(range(first, min(first + hours_a_chunk * rng.choice([1, 1, 2]), REPLACED_DAYS * 24)))
    hours = sorted(rng.sample(scope, rng.randint(1, min(len(scope), 12))))
    drop = rng.random() < 0.4
    chunks = {hour // hours_a_chunk for hour in hours}
    covers = scope if drop else [hour for hour in all_hours if hour // hours_a_chunk in chunks]
    task = {'name': name, 'granularity': granularity, 'hours': hours, 'covers': covers, 'drop': drop}
    if drop and granularity == 'month':
        task['covers'] = list(all_hours)
    return task


def spec_of(task):
    rows = [{'t': REPLACED_MS + hour * HOUR_MS + 1, 'batch': task['name'], 'kind': 'task', 'id': 1} for hour in task['hours']]
    data_schema = dict(schema('repl', task['granularity']), dataSource='repl')
    io = {'type': 'index_parallel', 'inputSource': {'type': 'inline', 'data': '\n'.join(map(json.dumps, rows))}, 'inputFormat': {'type': 'json'}, 'appendToExisting': False}
    if task['drop']:
        ends = [REPLACED_MS + hour * HOUR_MS for hour in (task['covers'][0], task['covers'][-1] + 1)]
        if task['granularity'] == 'month':
            ends = [REPLACED_MS, REPLACED_MS + 31 * DAY_MS]
        stamps = [time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(end // 1000)) for end in ends]
        io['dropExisting'] = True
        data_schema['granularitySpec'] = dict(data_schema['granularitySpec'], intervals=['/'.join(stamps)])
    return {'type': 'index_parallel', 'id': task['name'], 'spec': {'dataSchema': data_schema, 'ioConfig': io, 'tuningConfig': {'type': 'index_parallel', 'maxRowsPerSegment': 5}}}


def replacer(model):
    """Replaces, one task after the other, and looks without pause while one is under way."""
    rng, number = model.rng('replacer'), 0
    while not model.done.is_set():
        number += 1
        task = a_task(rng, f'task{number}')
        with model.lock:
            model.replaced.begin(task)
        outcome = None
        while outcome is None:
            model.up.wait()
            try:
                outcome = drive(model, task)
            except NET_ERRORS:
                time.sleep(0.005)
        with model.lock:
            model.replaced.end(outcome == 'SUCCESS')
        model.count('replaces', outcome == 'SUCCESS')
        if outcome != 'SUCCESS':
            model.wrong(f'{task}: {outcome}')
        time.sleep(rng.uniform(0, 0.2))


def drive(model, task):
    """The task's outcome; `None` while it has none."""
    client = harness.Client(model.url, 20)
    path = '/druid/indexer/v1/task'
    status, answer = client.call('GET', f"{path}/{task['name']}/status")
    if status == 404:
        status, answer = client.call('POST', path, spec_of(task))
        if status not in (200, 400, 429, 503):
            return f'HTTP {status} {str(answer)[:300]}'
        return None
    look_at_tasks(model, client)
    code = answer['status']['statusCode']
    return None if code == 'RUNNING' else code if code == 'SUCCESS' else f"{code}: {answer['status'].get('errorMsg')}"


def look_at_tasks(model, client):
    try:
        found = by_batch(client, 'repl', {'type': 'selector', 'dimension': 'kind', 'value': 'task'})
    except RuntimeError as error:
        model.wrong(f'look at tasks: {error}')
        return
    model.count('looks at replaces')
    seen = {name: count for name, (count, _) in found.items()}
    with model.lock:
        allowed = model.replaced.allowed()
    if seen not in allowed:
        model.wrong(f'tasks: saw {seen}, allowed are {allowed}')
