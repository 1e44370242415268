"""The thirteen queries of the star-schema benchmark over one flat table."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from native import List, ascending, between, both, descending, expression, group, is_, long_dimension, long_sum, one_of, timeseries

Q = List()
TABLE, ALL = 'ssb_flat', '1992-01-01/1999-01-01'
YEAR = long_dimension('d_year')
BY_YEAR = ascending('d_year', order='numeric')

# Flight 1: what a discount would have brought, as one sum over few rows.
DISCOUNTED = [expression('discounted', 'lo_extendedprice * lo_discount')]


def discounted(name, date_sql, date_filters, discount, quantity):
    sql = f'select sum(lo_extendedprice * lo_discount) from ssb_flat where {date_sql} and lo_discount between {discount[0]} and {discount[1]} and '
    sql += f'lo_quantity between {quantity[0]} and {quantity[1]}' if quantity[0] else f'lo_quantity <= {quantity[1]}'
    filters = both(*date_filters, between('lo_discount', *discount), between('lo_quantity', *quantity))
    Q.ask(name, TABLE, sql, timeseries(TABLE, ALL, [long_sum('discounted')], filter=filters, virtual=DISCOUNTED))


discounted('s_q1_1', 'd_year = 1993', [is_('d_year', '1993')], (1, 3), (None, 24))
discounted('s_q1_2', 'd_yearmonthnum = 199401', [is_('d_yearmonthnum', '199401')], (4, 6), (26, 35))
discounted('s_q1_3', 'd_weeknuminyear = 6 and d_year = 1994', [is_('d_weeknuminyear', '6'), is_('d_year', '1994')], (5, 7), (26, 35))


# Flight 2: revenue by year and brand.
def brands(name, part_sql, part_filter, region):
    Q.ask(name, TABLE, f"select d_year, p_brand1, sum(lo_revenue) from ssb_flat where {part_sql} and s_region = '{region}' group by d_year, p_brand1 order by d_year, p_brand1",
          group(TABLE, ALL, [YEAR, 'p_brand1'], [long_sum('lo_revenue')], filter=both(part_filter, is_('s_region', region)), order=BY_YEAR + ascending('p_brand1')))


brands('s_q2_1', "p_category = 'MFGR#12'", is_('p_category', 'MFGR#12'), 'AMERICA')
brands('s_q2_2', "p_brand1 between 'MFGR#2221' and 'MFGR#2228'", between('p_brand1', 'MFGR#2221', 'MFGR#2228', 'lexicographic'), 'ASIA')
brands('s_q2_3', "p_brand1 = 'MFGR#2239'", is_('p_brand1', 'MFGR#2239'), 'EUROPE')


# Flight 3: revenue between places of customers and suppliers.
def places(name, column, place_sql, place_filters, date_sql='d_year between 1992 and 1997', date_filter=None):
    customer, supplier = f'c_{column}', f's_{column}'
    sql = f'select {customer}, {supplier}, d_year, sum(lo_revenue) r from ssb_flat where {place_sql} and {date_sql} group by {customer}, {supplier}, d_year order by d_year, r desc'
    filters = both(*place_filters, date_filter or between('d_year', 1992, 1997))
    Q.ask(name, TABLE, sql, group(TABLE, ALL, [customer, supplier, YEAR], [long_sum('lo_revenue')], filter=filters, order=BY_YEAR + descending('lo_revenue')))


KI = ('UNITED KI1', 'UNITED KI5')
KI_SQL = ' and '.join(f"{column} in ('{KI[0]}', '{KI[1]}')" for column in ('c_city', 's_city'))
KI_FILTERS = [one_of('c_city', *KI), one_of('s_city', *KI)]
places('s_q3_1', 'nation', "c_region = 'ASIA' and s_region = 'ASIA'", [is_('c_region', 'ASIA'), is_('s_region', 'ASIA')])
places('s_q3_2', 'city', "c_nation = 'UNITED STATES' and s_nation = 'UNITED STATES'", [is_('c_nation', 'UNITED STATES'), is_('s_nation', 'UNITED STATES')])
places('s_q3_3', 'city', KI_SQL, KI_FILTERS)
places('s_q3_4', 'city', KI_SQL, KI_FILTERS, "d_yearmonth = 'Dec1997'", is_('d_yearmonth', 'Dec1997'))

# Flight 4: profit.
PROFIT = [expression('profit', 'lo_revenue - lo_supplycost')]


def profit(name, columns, sql_filter, *filters):
    listed = ', '.join(columns)
    dimensions = [YEAR if column == 'd_year' else column for column in columns]
    Q.ask(name, TABLE, f'select {listed}, sum(lo_revenue - lo_supplycost) from ssb_flat where {sql_filter} group by {listed} order by {listed}',
          group(TABLE, ALL, dimensions, [long_sum('profit')], filter=both(*filters), order=BY_YEAR + ascending(*columns[1:]), virtual=PROFIT))


AMERICAN = (is_('c_region', 'AMERICA'), is_('s_region', 'AMERICA'))
MAKERS, LAST_YEARS = one_of('p_mfgr', 'MFGR#1', 'MFGR#2'), one_of('d_year', '1997', '1998')
profit('s_q4_1', ['d_year', 'c_nation'], "c_region = 'AMERICA' and s_region = 'AMERICA' and p_mfgr in ('MFGR#1', 'MFGR#2')", *AMERICAN, MAKERS)
profit('s_q4_2', ['d_year', 's_nation', 'p_category'],
       "c_region = 'AMERICA' and s_region = 'AMERICA' and d_year in (1997, 1998) and p_mfgr in ('MFGR#1', 'MFGR#2')", *AMERICAN, LAST_YEARS, MAKERS)
profit('s_q4_3', ['d_year', 's_city', 'p_brand1'],
       "c_region = 'AMERICA' and s_nation = 'UNITED STATES' and d_year in (1997, 1998) and p_category = 'MFGR#14'",
       AMERICAN[0], is_('s_nation', 'UNITED STATES'), LAST_YEARS, is_('p_category', 'MFGR#14'))
