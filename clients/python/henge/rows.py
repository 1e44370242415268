"""Answers of native queries as flat rows, one shape for all types."""


def flat(query, answer):
    """The rows of `answer`, each a dictionary. Those of queries about metadata stay as they are."""
    kind = query.get('queryType')
    if kind == 'timeseries':
        return [{'__time': bucket.get('timestamp'), **bucket['result']} for bucket in answer]
    if kind in ('topN', 'search'):
        return [{'__time': bucket['timestamp'], **row} for bucket in answer for row in bucket['result']]
    if kind == 'groupBy':
        return [_of_group(row) for row in answer]
    if kind == 'scan':
        return [row for part in answer for row in _of_scan(part)]
    return answer


def _of_group(row):
    if isinstance(row, list):  # resultAsArray: the names are in the query alone
        raise ValueError('resultAsArray has no names of columns: leave it out, or call query_json')
    return {'__time': row['timestamp'], **row['event']}


def _of_scan(part):
    names = part['columns']
    return (dict(zip(names, row)) if isinstance(row, list) else row for row in part['events'])
