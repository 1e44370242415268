"""Clients: pushers that repeat a batch with its key until it is acknowledged, and queriers."""
import json
import time

from .cluster import BROKERS
from .history import Totals

BATCH = 50
# Rows lie within so many hours, so that hand-offs append to chunks again and again.
HOURS = 4
START_MS = 1_577_836_800_000


def schema(ack):
    shown = {
        'timestampSpec': {'column': 't', 'format': 'millis'},
        'dimensionsSpec': {'dimensions': ['a', {'type': 'long', 'name': 'x'}]},
        'granularitySpec': {'segmentGranularity': 'hour', 'rollup': False},
    }
    return dict(shown, ack=ack) if ack else shown


def push(cluster, history, stop, rng, datasource, number, brokers=BROKERS):
    """Pushes until told to stop, at any of the brokers; ends only when its last batch is acknowledged."""
    batch = 0
    while not stop.is_set():
        batch += 1
        values = [rng.randrange(1000) for _ in range(BATCH)]
        name = f'{datasource}-{number}-{batch}'
        rows = [{'t': START_MS + rng.randrange(HOURS * 3_600_000), 'a': name, 'x': x} for x in values]
        body = '\n'.join(json.dumps(row) for row in rows).encode()
        headers = {'Idempotency-Key': name} if batch % 8 else {}
        history.will_send(datasource, BATCH, sum(values))
        if not send(cluster, history, rng, (datasource, name), body, headers, (BATCH, sum(values)), brokers):
            return
        time.sleep(rng.uniform(0.0, 0.04))


def send(cluster, history, rng, names, body, headers, totals, brokers):
    """One batch, again and again. Without a key it is sent once: nobody knows what became of one that failed."""
    (datasource, batch), end = names, time.monotonic() + 300
    while time.monotonic() < end:
        broker = rng.choice(brokers)
        try:
            status, answer, _ = cluster.call(broker, 'POST', f'/v1/datasources/{datasource}/events', body, headers)
        except OSError:
            status, answer = 0, None
        if status == 200:
            if answer['accepted'] != totals[0]:
                history.fail(f'a push of {totals[0]} rows was answered with {answer}')
            history.count('pushes repeated' if answer.get('duplicate') else 'pushes')
            history.was_acknowledged(datasource, batch, *totals)
            history.succeeded(f'push {datasource}')
            return True
        history.count(f'push: HTTP {status}')
        if status not in (0, 429, 500, 503, 504):
            history.fail(f'a push got HTTP {status}: {answer}')
        if not headers:
            return True
        time.sleep(rng.uniform(0.02, 0.3))
    history.fail(f'{datasource}: a push was not acknowledged within 300 s, at last HTTP {status}: {answer}')
    return False


def ask(cluster, history, stop, rng, datasources, brokers=BROKERS):
    while not stop.is_set():
        look(cluster, history, rng.choice(brokers), rng.choice(datasources), rng.random() < 0.2, rng.random() < 0.5)
        time.sleep(rng.uniform(0.0, 0.06))


def look(cluster, history, broker, datasource, allows_partial=False, uses_cache=True):
    """Counts; gives what was found, or None."""
    query = {
        'queryType': 'timeseries', 'dataSource': datasource, 'intervals': ['1000/3000'], 'granularity': 'all',
        'aggregations': [{'type': 'count', 'name': 'rows'}, {'type': 'longSum', 'name': 'total', 'fieldName': 'x'}],
        'context': {'timeout': 20_000, 'useCache': uses_cache, 'allowPartial': allows_partial},
    }
    floor, started = history.floor(datasource), time.monotonic()
    try:
        status, answer, headers = cluster.call(broker, 'POST', '/druid/v2', query)
    except OSError:
        history.count('queries: nobody answered')
        return None
    history.took((time.monotonic() - started) * 1000, f'{broker} {datasource} HTTP {status}')
    if status != 200:
        history.count(f'queries: HTTP {status}')
        if status not in (429, 500, 503, 504):
            history.fail(f'a query got HTTP {status}: {answer}')
        return None
    is_partial = 'missingSegments' in (headers.get('X-Druid-Response-Context') or '')
    result = answer[0]['result'] if answer else {'rows': 0, 'total': 0}
    found = Totals(result['rows'] or 0, result['total'] or 0)
    if is_partial and not allows_partial:
        history.fail(f'{broker}: an answer is partial that must not be')
    history.count('answers: marked partial' if is_partial else 'answers: complete')
    history.judge(datasource, floor, found, is_partial, broker)
    if not is_partial:
        history.succeeded('query')
    return found


def by_batch(cluster, broker, datasource):
    """Rows and their sum by batch."""
    answer = cluster.must(broker, 'POST', '/druid/v2', {
        'queryType': 'groupBy', 'dataSource': datasource, 'intervals': ['1000/3000'], 'granularity': 'all', 'dimensions': ['a'],
        'aggregations': [{'type': 'count', 'name': 'rows'}, {'type': 'longSum', 'name': 'total', 'fieldName': 'x'}],
    })
    return {row['event']['a']: (row['event']['rows'], row['event']['total']) for row in answer}
