"""A client of Henge: push events, query natively and in SQL, start a server for a notebook.

    import henge

    with henge.start_server() as server:
        client = server.client()
        client.create_datasource('clicks', time_column='t')
        client.push('clicks', [{'t': '2026-01-01T00:00:00Z', 'page': '/home'}])
        print(client.sql('SELECT page, COUNT(*) AS views FROM clicks GROUP BY page'))

Nothing but the standard library is needed; `*_arrow` wants pyarrow, `*_pandas` pandas too.
"""
from .client import Client
from .errors import (CapacityExceeded, ConnectionFailed, HengeError, HengeWarning, IncompleteAnswer, InvalidInput,
                     RejectedEvents, ServerDidNotStart, ServerError, TimedOut, Unavailable, Unsupported)
from .pushed import Pushed
from .server import Server, find_binary, start_server

__all__ = [
    'CapacityExceeded', 'Client', 'ConnectionFailed', 'HengeError', 'HengeWarning', 'IncompleteAnswer', 'InvalidInput',
    'Pushed', 'RejectedEvents', 'Server', 'ServerDidNotStart', 'ServerError', 'TimedOut', 'Unavailable', 'Unsupported',
    'find_binary', 'start_server',
]
