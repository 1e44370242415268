"""Statements of SQL as the server takes them."""
import datetime


def body(query, parameters, context, form):
    """The request of a statement; `form` says how its answer is written."""
    body = {'query': query, **form}
    if parameters:
        body['parameters'] = [parameter(value) for value in parameters]
    if context:
        body['context'] = context
    return body


def parameter(value):
    """A value of a `?` with its type in SQL."""
    if isinstance(value, bool):
        return {'type': 'BOOLEAN', 'value': value}
    if isinstance(value, int):
        return {'type': 'BIGINT', 'value': value}
    if isinstance(value, float):
        return {'type': 'DOUBLE', 'value': value}
    if isinstance(value, datetime.datetime):
        return {'type': 'TIMESTAMP', 'value': _milliseconds(value)}
    if value is None or isinstance(value, str):
        return {'type': 'VARCHAR', 'value': value}
    raise TypeError(f'{type(value).__name__} is no type of a parameter: bool, int, float, str, datetime and None are')


def _milliseconds(value):
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(milliseconds=1)
