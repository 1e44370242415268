"""Questions of dashboards over the table `pageviews` of September 2026, each as a native query and in SQL."""
import random

OFF = {'useCache': False, 'populateCache': False, 'useResultLevelCache': False, 'populateResultLevelCache': False}
COUNT = {'type': 'count', 'name': 'c'}
REVENUE = {'type': 'doubleSum', 'name': 'r', 'fieldName': 'revenue'}


def drawn(seed, n):
    """So many, the same for a seed."""
    source = random.Random(seed)
    return [one(source) for _ in range(n)]


def one(source):
    days = source.choices([3, 10, 30], [80, 15, 5])[0]
    first = f'2026-09-{31 - days:02d}'
    site = f'site-{int(source.random() ** 3 * 200)}'
    native, sql = source.choice([by_hour, visitors, pages, referrers, countries, purchases])(site)
    native = dict(native, dataSource='pageviews', intervals=[f'{first}/2026-10-01'], context=OFF)
    return native, sql.format(where=f"__time >= timestamp '{first}'", site=f"site = '{site}'")


def of_site(site):
    return {'type': 'selector', 'dimension': 'site', 'value': site}


def by_hour(_):
    native = {'queryType': 'timeseries', 'granularity': 'hour', 'aggregations': [COUNT, REVENUE]}
    return native, "select date_trunc('hour', __time) h, count(*), sum(revenue) from pageviews where {where} group by h"


def visitors(site):
    sketch = {'type': 'HLLSketchBuild', 'name': 'u', 'fieldName': 'visitor_id'}
    native = {'queryType': 'timeseries', 'granularity': 'day', 'filter': of_site(site), 'aggregations': [COUNT, sketch]}
    return native, "select date_trunc('day', __time) h, count(*), approx_count_distinct(visitor_id) from pageviews where {where} and {site} group by h"


def pages(site):
    native = {'queryType': 'topN', 'granularity': 'all', 'dimension': 'uri', 'metric': 'c', 'threshold': 20, 'filter': of_site(site), 'aggregations': [COUNT]}
    return native, 'select uri, count(*) c from pageviews where {where} and {site} group by uri order by c desc limit 20'


def referrers(_):
    native = {'queryType': 'topN', 'granularity': 'all', 'dimension': 'referrer', 'metric': 'c', 'threshold': 20, 'aggregations': [COUNT]}
    return native, 'select referrer, count(*) c from pageviews where {where} group by referrer order by c desc limit 20'


def countries(site):
    total = {'type': 'longSum', 'name': 'b', 'fieldName': 'bytes'}
    native = {'queryType': 'groupBy', 'granularity': 'all', 'dimensions': ['country', 'device'], 'filter': of_site(site), 'aggregations': [COUNT, total]}
    return native, 'select country, device, count(*), sum(bytes) from pageviews where {where} and {site} group by country, device'


def purchases(site):
    both = {'type': 'and', 'fields': [of_site(site), {'type': 'selector', 'dimension': 'event_type', 'value': 'purchase'}]}
    native = {'queryType': 'timeseries', 'granularity': 'all', 'filter': both, 'aggregations': [COUNT, REVENUE]}
    return native, "select count(*), sum(revenue) from pageviews where {where} and {site} and event_type = 'purchase'"
