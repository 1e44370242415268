"""The client: datasources, pushes, queries."""
import json
import os
import time
import urllib.parse
import uuid
import warnings

from . import errors, rows, statement
from .pushed import Pushed, bodies, value_of
from .transport import Transport

ARROW = 'application/vnd.apache.arrow.stream'
LONGEST_WAIT_SECONDS = 5


class Client:
    """A server, or a broker of a cluster. Threads may share it.

    `url` and `token` come from HENGE_URL and HENGE_CLUSTER__TOKEN when they are not given, as for the command line;
    without either the server of this machine is asked. `timeout` is in seconds, of each step of a call. `retries` says
    how often a push is sent again that found the server busy, away or silent.
    """

    def __init__(self, url=None, token=None, timeout=300, retries=5):
        self.url = url or os.environ.get('HENGE_URL') or 'http://127.0.0.1:8888'
        token = token or os.environ.get('HENGE_CLUSTER__TOKEN')
        self._transport = Transport(self.url, token, timeout)
        self._retries, self._sleep = retries, time.sleep

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return f'henge.Client({self.url!r})'

    def close(self):
        """Closes the connection of this thread."""
        self._transport.close()

    # Datasources

    def create_datasource(self, name, schema=None, *, time_column='time', segment_granularity='day'):
        """Makes a datasource that takes pushes, or changes its schema.

        `schema` is Druid's `dataSchema`; without it all columns of the events are kept as they come and `time_column`
        has their time. Answers the server's JSON.
        """
        if schema is None:
            schema = {
                'timestampSpec': {'column': time_column, 'format': 'auto'},
                'dimensionsSpec': {'useSchemaDiscovery': True},
                'granularitySpec': {'segmentGranularity': segment_granularity, 'rollup': False},
            }
        answer = self._json('PUT', f'/v1/datasources/{_quoted(name)}', schema)
        _warn(answer.get('warnings', []))
        return answer

    def datasources(self):
        """The names of all datasources with data."""
        return self._json('GET', '/druid/v2/datasources')

    def drop_datasource(self, name):
        """Marks what is published of a datasource unused; `henge datasource restore` brings it back."""
        return self._json('DELETE', f'/druid/coordinator/v1/datasources/{_quoted(name)}')

    def dead_letters(self, name, after=0, limit=100):
        """Events that were refused, with their reasons."""
        return self._json('GET', f'/v1/datasources/{_quoted(name)}/dead-letters?after={after}&limit={limit}')

    # Pushes

    def push(self, name, events, *, key=None, allow_rejected=False, batch_rows=10_000, batch_bytes=4 << 20):
        """Stores events; when it returns they are durable and queries see them.

        `events` are dictionaries, a pandas DataFrame, an Arrow table, or JSON as text or bytes. Many are sent in
        batches. Each request has a key, `key` or one made up (with a number for each batch), so that one whose answer
        got lost is sent again and counted once. Answers a `Pushed`; raises `RejectedEvents` when the server refused
        some of them, unless `allow_rejected`: all others are stored in any case.
        """
        key, together = key or uuid.uuid4().hex, None
        for number, (first, body) in enumerate(bodies(events, batch_rows, batch_bytes)):
            pushed = self._push(name, body, f'{key}-{number}' if number else key)
            if together is None:
                together = pushed
            else:
                together.add(pushed, first)
        together = together or Pushed()
        _warn(together.warnings)
        if together.rejected and not allow_rejected:
            raise errors.RejectedEvents(together)
        return together

    def _push(self, name, body, key):
        path = f'/v1/datasources/{_quoted(name)}/events'
        headers = {'Content-Type': 'application/json', 'Idempotency-Key': key}
        wait_seconds = 0.1
        for left in reversed(range(self._retries + 1)):
            try:
                return Pushed.of_answer(json.loads(self._transport.call('POST', path, body, headers).body))
            except (errors.CapacityExceeded, errors.Unavailable, errors.ConnectionFailed):
                if not left:
                    raise
            self._sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
        raise AssertionError('the last try answers or raises')

    # SQL

    def sql(self, query, parameters=(), context=None):
        """The rows of a statement as dictionaries, with times as text. `parameters` are the values of its `?`."""
        body = statement.body(query, parameters, context, {'resultFormat': 'array', 'header': True})
        names, *values = self._json('POST', '/druid/v2/sql', body)
        return [dict(zip(names, row)) for row in values]

    def sql_arrow(self, query, parameters=(), context=None):
        """The same as a `pyarrow.Table`."""
        body = statement.body(query, parameters, context, {'resultFormat': 'arrow'})
        return _table(self._call('POST', '/druid/v2/sql', body, {'Accept': ARROW}).body)

    def sql_pandas(self, query, parameters=(), context=None):
        """The same as a `pandas.DataFrame`."""
        return self.sql_arrow(query, parameters, context).to_pandas()

    # Native queries

    def query_json(self, query):
        """The answer to a native query, as Druid has it."""
        return self._json('POST', '/druid/v2', query)

    def query(self, query):
        """The rows of a native query as flat dictionaries, with the time of their bucket as `__time`."""
        return rows.flat(query, self.query_json(query))

    def query_arrow(self, query):
        """The same as a `pyarrow.Table`."""
        return _table(self._call('POST', '/druid/v2', query, {'Accept': ARROW}).body)

    def query_pandas(self, query):
        """The same as a `pandas.DataFrame`."""
        return self.query_arrow(query).to_pandas()

    def cancel(self, query_id):
        """Stops the native queries or statements with this id (`queryId`, `sqlQueryId` of their context)."""
        self._call('DELETE', f'/druid/v2/{_quoted(query_id)}')

    def status(self):
        """What the server is: versions, roles, memory, whether it is ready."""
        return self._json('GET', '/status')

    def _json(self, method, path, body=None):
        answer = self._call(method, path, body).body
        return json.loads(answer) if answer else None

    def _call(self, method, path, body=None, headers=None):
        data = None if body is None else json.dumps(body, default=value_of).encode()
        answer = self._transport.call(method, path, data, {'Content-Type': 'application/json', **(headers or {})})
        _warn(json.loads(answer.headers.get('X-Henge-Warnings') or '[]'))
        return answer


def _warn(texts):
    for text in texts:
        warnings.warn(str(text), errors.HengeWarning, stacklevel=4)


def _table(body):
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("this needs pyarrow: pip install 'henge[arrow]' (or [pandas])") from error
    return pyarrow.ipc.open_stream(pyarrow.BufferReader(body)).read_all()


def _quoted(name):
    return urllib.parse.quote(name, safe='')
