"""The base list: the nine queries of Druid's public TPC-H benchmark, and nine of a web analytics dashboard."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from native import COUNT, List, agg, between, both, descending, distinct, double_sum, group, is_, like, long_sum, no, one_of, timeseries, top

Q = List()
YEARS, MONTH, LAST_WEEK, LAST_MINUTES = '1992-01-01/1999-01-01', '2026-09-01/2026-10-01', '2026-09-24/2026-10-01', '2026-09-30T23:55:00/2026-10-01'


def within(start, end):
    return f"__time >= timestamp '{start} 00:00:00' and __time < timestamp '{end} 00:00:00'"


# TPC-H line items. Intervals are half open.
def lineitem(name, sql, native):
    Q.ask(name, 'lineitem', sql, native)


SUMS = [double_sum('l_extendedprice'), double_sum('l_discount'), double_sum('l_tax'), long_sum('l_quantity')]
SUMS_SQL = 'sum(l_extendedprice), sum(l_discount), sum(l_tax), sum(l_quantity)'
lineitem('l_count_star_interval', f"select count(*) from lineitem where {within('1992-01-03', '1998-11-30')}",
         timeseries('lineitem', '1992-01-03/1998-11-30', [COUNT]))
lineitem('l_sum_price', 'select sum(l_extendedprice) from lineitem', timeseries('lineitem', YEARS, SUMS[:1]))
lineitem('l_sum_all', f'select {SUMS_SQL} from lineitem', timeseries('lineitem', YEARS, SUMS))
lineitem('l_sum_all_year', f"select date_trunc('year', __time) t, {SUMS_SQL} from lineitem group by t order by t", timeseries('lineitem', YEARS, SUMS, 'year'))
lineitem('l_sum_all_filter', f"select {SUMS_SQL} from lineitem where l_shipmode like '%AIR%'", timeseries('lineitem', YEARS, SUMS, filter=like('l_shipmode', '%AIR%')))

QUANTITY = long_sum('l_quantity')
DETAILS = [QUANTITY, double_sum('l_extendedprice'), agg('doubleMin', 'l_discount', 'least_discount'), agg('doubleMax', 'l_discount', 'most_discount')]
DETAILS_SQL = 'sum(l_quantity) q, sum(l_extendedprice), min(l_discount), max(l_discount)'


def top_100(name, column, aggregates_sql, aggregations, condition='', interval=YEARS):
    lineitem(name, f'select {column}, {aggregates_sql} from lineitem {condition} group by {column} order by q desc limit 100',
             top('lineitem', interval, column, 'l_quantity', 100, aggregations))


top_100('l_top_100_parts', 'l_partkey', 'sum(l_quantity) q', [QUANTITY])
top_100('l_top_100_parts_details', 'l_partkey', DETAILS_SQL, DETAILS)
top_100('l_top_100_parts_filter', 'l_partkey', DETAILS_SQL, DETAILS, 'where ' + within('1996-01-15', '1998-03-15'), '1996-01-15/1998-03-15')
top_100('l_top_100_commitdate', 'l_commitdate', 'sum(l_quantity) q', [QUANTITY])


# Page views.
def pageviews(name, sql, native):
    Q.ask(name, 'pageviews', sql, native)


REVENUE, VISITORS = double_sum('revenue'), distinct('visitor_id')
SITES = ['site-1', 'site-2', 'site-5', 'site-8', 'site-13', 'site-21']
pageviews('p_now_active', "select UNIQ(visitor_id) from pageviews where __time >= timestamp '2026-09-30 23:55:00'", timeseries('pageviews', LAST_MINUTES, [VISITORS]))
pageviews('p_trend_hour', "select date_trunc('hour', __time) t, count(*), sum(revenue) from pageviews group by t order by t",
          timeseries('pageviews', MONTH, [COUNT, REVENUE], 'hour'))
pageviews('p_top_pages_site', "select uri, count(*) n from pageviews where site = 'site-3' group by uri order by n desc limit 100",
          top('pageviews', MONTH, 'uri', 'cnt', 100, [COUNT], is_('site', 'site-3')))
pageviews('p_top_ref_week', f"select referrer, count(*) n, sum(revenue) from pageviews where {within('2026-09-24', '2026-10-01')} group by referrer order by n desc limit 50",
          top('pageviews', LAST_WEEK, 'referrer', 'cnt', 50, [COUNT, REVENUE]))
pageviews('p_uniq_all', 'select UNIQ(visitor_id) from pageviews', timeseries('pageviews', MONTH, [VISITORS]))
pageviews('p_top_visitors', 'select visitor_id, count(*) n from pageviews group by visitor_id order by n desc limit 100',
          top('pageviews', MONTH, 'visitor_id', 'cnt', 100, [COUNT]))
pageviews('p_multi_filter_day', f"""select date_trunc('day', __time) t, sum(revenue), count(*) from pageviews
          where site in {tuple(SITES)} and device = 'mobile' and browser <> 'Chrome' group by t order by t""",
          timeseries('pageviews', MONTH, [REVENUE, COUNT], 'day', both(one_of('site', *SITES), is_('device', 'mobile'), no(is_('browser', 'Chrome')))))
pageviews('p_having', 'select uri, count(*) n, sum(duration_ms) from pageviews group by uri having count(*) > 5000 order by n desc',
          group('pageviews', MONTH, ['uri'], [COUNT, long_sum('duration_ms')], having={'type': 'greaterThan', 'aggregation': 'cnt', 'value': 5000}, order=descending('cnt')))
pageviews('p_range_metric', 'select device, count(*) from pageviews where duration_ms between 1000 and 20000 group by device',
          group('pageviews', MONTH, ['device'], [COUNT], filter=between('duration_ms', 1000, 20000)))
