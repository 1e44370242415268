"""More of what dashboards ask: funnels, shares, prefixes, hours of the day, averages, pairs of dimensions."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from native import (COUNT, List, agg, between, both, descending, distinct, double_sum, either, expression, group, is_, like, long_dimension,
                    long_sum, no, one_of, ratio, timeseries, top, where)

Q = List()
MONTH, LAST_WEEK, LAST_HOUR = '2026-09-01/2026-10-01', '2026-09-24/2026-10-01', '2026-09-30T23:00:00/2026-10-01'
YEARS = '1992-01-01/1999-01-01'
REVENUE, VISITORS = double_sum('revenue'), distinct('visitor_id')


def pageviews(name, sql, native, **peers):
    Q.ask(name, 'pageviews', sql, native, **peers)


# Funnels and shares: filtered aggregators.
STEPS = ('view', 'click', 'signup', 'purchase')
FUNNEL = [where(is_('event_type', step), {'type': 'count', 'name': step}) for step in STEPS]
FUNNEL_SQL = ', '.join(f"count(*) filter (where event_type = '{step}')" for step in STEPS)
pageviews('d_funnel', f'select {FUNNEL_SQL} from pageviews', timeseries('pageviews', MONTH, FUNNEL))
pageviews('d_funnel_day_site', f"select date_trunc('day', __time) t, {FUNNEL_SQL} from pageviews where site = 'site-7' group by t order by t",
          timeseries('pageviews', MONTH, FUNNEL, 'day', is_('site', 'site-7')))
pageviews('d_mobile_share', "select country, count(*) n, count(*) filter (where device = 'mobile') from pageviews group by country order by n desc limit 20",
          top('pageviews', MONTH, 'country', 'cnt', 20, [COUNT, where(is_('device', 'mobile'), {'type': 'count', 'name': 'mobile'})]))

# Rankings within a filter.
pageviews('d_countries_of_site', "select country, sum(revenue) r, count(*) from pageviews where site = 'site-2' group by country order by r desc limit 20",
          top('pageviews', MONTH, 'country', 'revenue', 20, [REVENUE, COUNT], is_('site', 'site-2')))
pageviews('d_visitors_of_country', "select visitor_id, count(*) n from pageviews where country = 'C1' and device = 'desktop' group by visitor_id order by n desc limit 50",
          top('pageviews', MONTH, 'visitor_id', 'cnt', 50, [COUNT], both(is_('country', 'C1'), is_('device', 'desktop'))))
pageviews('d_pages_last_hour', "select uri, count(*) n from pageviews where __time >= timestamp '2026-09-30 23:00:00' group by uri order by n desc limit 20",
          top('pageviews', LAST_HOUR, 'uri', 'cnt', 20, [COUNT]))
pageviews('d_countries_avg_duration', 'select country, count(*) n, sum(duration_ms), sum(duration_ms) / count(*) from pageviews group by country order by n desc limit 25',
          top('pageviews', MONTH, 'country', 'cnt', 25, [COUNT, long_sum('duration_ms')], post=[ratio('average', 'duration_ms', 'cnt')]))

# Several dimensions.
pageviews('d_browser_device', 'select browser, device, count(*) n, sum(bytes) from pageviews group by browser, device order by n desc limit 20',
          group('pageviews', MONTH, ['browser', 'device'], [COUNT, long_sum('bytes')], order=descending('cnt'), limit=20))
pageviews('d_country_browser_device', 'select country, browser, device, count(*) n, sum(revenue) from pageviews group by country, browser, device order by n desc limit 100',
          group('pageviews', MONTH, ['country', 'browser', 'device'], [COUNT, REVENUE], order=descending('cnt'), limit=100))
pageviews('d_site_country_week', """select site, country, count(*) n, sum(revenue) from pageviews where __time >= timestamp '2026-09-24 00:00:00'
          group by site, country having sum(revenue) > 2000 order by n desc""",
          group('pageviews', LAST_WEEK, ['site', 'country'], [COUNT, REVENUE], order=descending('cnt'),
                having={'type': 'greaterThan', 'aggregation': 'revenue', 'value': 2000}))
pageviews('d_day_device', "select date_trunc('day', __time) t, device, count(*), sum(revenue) from pageviews group by t, device order by t, device",
          group('pageviews', MONTH, ['device'], [COUNT, REVENUE], 'day'))

# Distinct counts.
pageviews('d_uniques_day', "select date_trunc('day', __time) t, UNIQ(visitor_id) from pageviews group by t order by t",
          timeseries('pageviews', MONTH, [VISITORS], 'day'))
pageviews('d_uniques_site', 'select site, UNIQ(visitor_id) u from pageviews group by site order by u desc limit 10',
          top('pageviews', MONTH, 'site', 'uniques', 10, [VISITORS]))
pageviews('d_distinct_pairs', "select UNIQ(country || '|' || browser) from pageviews",
          timeseries('pageviews', MONTH, [distinct('pair')], virtual=[expression('pair', "concat(country, '|', browser)", 'STRING')]))

# Texts, ranges, nulls, alternatives.
pageviews('d_uri_prefix_day', "select date_trunc('day', __time) t, count(*) from pageviews where uri like '/s7/page/1%' group by t order by t",
          timeseries('pageviews', MONTH, [COUNT], 'day', like('uri', '/s7/page/1%')))
pageviews('d_uri_contains', "select uri, count(*) n from pageviews where uri like '%page/77%' group by uri order by n desc limit 50",
          top('pageviews', MONTH, 'uri', 'cnt', 50, [COUNT], like('uri', '%page/77%')))
pageviews('d_two_ranges', 'select browser, count(*), sum(bytes) from pageviews where duration_ms > 30000 and bytes between 10000 and 40000 group by browser',
          group('pageviews', MONTH, ['browser'], [COUNT, long_sum('bytes')], filter=both(between('duration_ms', 30000, lowerStrict=True), between('bytes', 10000, 40000))))
pageviews('d_direct_visits', 'select device, count(*), sum(revenue) from pageviews where referrer is null group by device',
          group('pageviews', MONTH, ['device'], [COUNT, REVENUE], filter=is_('referrer', None)))
pageviews('d_alternatives', """select event_type, count(*), sum(duration_ms) from pageviews
          where (browser = 'Safari' and device = 'mobile') or (country in ('C3', 'C5', 'C8') and not site = 'site-0') group by event_type""",
          group('pageviews', MONTH, ['event_type'], [COUNT, long_sum('duration_ms')],
                filter=either(both(is_('browser', 'Safari'), is_('device', 'mobile')), both(one_of('country', 'C3', 'C5', 'C8'), no(is_('site', 'site-0'))))))
pageviews('d_hour_of_day', 'select extract(hour from __time) h, count(*), sum(revenue) from pageviews group by h order by h',
          group('pageviews', MONTH, [long_dimension('h')], [COUNT, REVENUE], virtual=[expression('h', "timestamp_extract(__time, 'HOUR', 'UTC')")]))


# Line items.
def lineitem(name, sql, native, **peers):
    Q.ask(name, 'lineitem', sql, native, **peers)


PRICE, NET, CHARGED = double_sum('l_extendedprice'), double_sum('net'), double_sum('charged')
NET_COLUMN = expression('net', 'l_extendedprice * (1 - l_discount)', 'DOUBLE')
lineitem('d_pricing_summary', """select l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), sum(l_extendedprice * (1 - l_discount)),
         sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), count(*) from lineitem where __time < timestamp '1998-09-03 00:00:00' group by l_returnflag, l_linestatus""",
         group('lineitem', '1992-01-01/1998-09-03', ['l_returnflag', 'l_linestatus'], [long_sum('l_quantity'), PRICE, NET, CHARGED, COUNT],
               virtual=[NET_COLUMN, expression('charged', 'l_extendedprice * (1 - l_discount) * (1 + l_tax)', 'DOUBLE')]))
lineitem('d_forecast', """select sum(l_extendedprice * l_discount) from lineitem where __time >= timestamp '1994-01-01 00:00:00' and __time < timestamp '1995-01-01 00:00:00'
         and l_discount between 0.05 and 0.07 and l_quantity < 24""",
         timeseries('lineitem', '1994-01-01/1995-01-01', [double_sum('given')], filter=both(between('l_discount', 0.05, 0.07), between('l_quantity', upper=24, upperStrict=True)),
                    virtual=[expression('given', 'l_extendedprice * l_discount', 'DOUBLE')]))
lineitem('d_modes_month', "select date_trunc('month', __time) t, l_shipmode, count(*), sum(l_quantity) from lineitem group by t, l_shipmode order by t, l_shipmode",
         group('lineitem', YEARS, ['l_shipmode'], [COUNT, long_sum('l_quantity')], 'month'))
lineitem('d_top_suppliers', 'select l_suppkey, sum(l_extendedprice * (1 - l_discount)) r from lineitem group by l_suppkey order by r desc limit 20',
         top('lineitem', YEARS, 'l_suppkey', 'net', 20, [NET], virtual=[NET_COLUMN]))
lineitem('d_orders', 'select UNIQ(l_orderkey) from lineitem', timeseries('lineitem', YEARS, [distinct('l_orderkey')]))
lineitem('d_quantities', 'select l_quantity, count(*), min(l_extendedprice), max(l_extendedprice) from lineitem group by l_quantity order by l_quantity',
         group('lineitem', YEARS, [long_dimension('l_quantity')], [COUNT, agg('doubleMin', 'l_extendedprice', 'least'), agg('doubleMax', 'l_extendedprice', 'most')]))
lineitem('d_commit_month', 'select substring(l_commitdate, 1, 7) m, count(*) from lineitem group by m order by m',
         group('lineitem', YEARS, ['m'], [COUNT], virtual=[expression('m', 'substring(l_commitdate, 0, 7)', 'STRING')]))
lineitem('d_comment_contains', "select count(*) from lineitem where l_comment like '%express%'", timeseries('lineitem', YEARS, [COUNT], filter=like('l_comment', '%express%')))
