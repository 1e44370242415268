#!/usr/bin/env python3
"""Makes the tables that Henge and its peers are compared on, as Parquet in time order.

    tables.py --data DIR [--rows 30000000] [--only TABLE]

lineitem   TPC-H lineitem, dated by its ship date (about ROWS rows: the scale factor is ROWS / 6 M)
pageviews  events of a web analytics service: 200 sites, skewed, 30 days, 2 M visitors
ssb_flat   the star-schema benchmark's line orders, joined with their four dimensions
hits       page hits of 6,001 sites in a month: 64-bit visitor and hit numbers, addresses, texts, a hundred columns

A table that is there already is left as it is. Every value is a hash of its row's number (in `hits` of what it is a
property of), so the same rows come out on any number of threads.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

TABLES = ('lineitem', 'pageviews', 'ssb_flat', 'hits')
DEFAULT_ROWS = 30_000_000
ROWS_PER_SCALE_FACTOR = 6_000_000

REGIONS = {
    'AFRICA': ('ALGERIA', 'ETHIOPIA', 'KENYA', 'MOROCCO', 'MOZAMBIQUE'),
    'AMERICA': ('ARGENTINA', 'BRAZIL', 'CANADA', 'PERU', 'UNITED STATES'),
    'ASIA': ('CHINA', 'INDIA', 'INDONESIA', 'JAPAN', 'VIETNAM'),
    'EUROPE': ('FRANCE', 'GERMANY', 'ROMANIA', 'RUSSIA', 'UNITED KINGDOM'),
    'MIDDLE EAST': ('EGYPT', 'IRAN', 'IRAQ', 'JORDAN', 'SAUDI ARABIA'),
}
BROWSERS = ('Chrome', 'Safari', 'Firefox', 'Edge', 'Samsung', 'Opera', 'Brave', 'Vivaldi', 'UC', 'QQ', 'Yandex', 'Other')
DEVICES = ('mobile', 'desktop', 'tablet')
EVENT_TYPES = ('view', 'view', 'click', 'scroll', 'signup', 'purchase')


def listed(values):
    return '[' + ', '.join(f"'{value}'" for value in values) + ']'


def uniform(stream):
    """A number in [0, 1) that depends on the row and the stream alone."""
    return f'(hash(i * 64 + {stream}) >> 11)::double / {2 ** 53}'


def below(count, stream, skew=1):
    """A whole number below `count`; a larger skew favours the small ones."""
    return f'floor(pow({uniform(stream)}, {skew}) * {count})::bigint'


def lineitem(options):
    source = os.path.join(options.data, f'tpch-{options.rows}')
    if not os.path.exists(os.path.join(source, 'lineitem.parquet')):
        tool = os.path.join(os.path.dirname(sys.executable), 'tpchgen-cli')
        tool = tool if os.path.exists(tool) else shutil.which('tpchgen-cli')
        if not tool:
            sys.exit(f'tpchgen-cli is missing: pip install -r {os.path.dirname(os.path.abspath(__file__))}/requirements.txt')
        scale = f'{options.rows / ROWS_PER_SCALE_FACTOR:g}'
        subprocess.check_call([tool, 'parquet', '-s', scale, '-T', 'lineitem', '-o', source])
    doubles = ', '.join(f'{name}::double as {name}' for name in ('l_extendedprice', 'l_discount', 'l_tax'))
    return f"""
        select l_shipdate::timestamp as __time, l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity::bigint as l_quantity, {doubles},
               l_returnflag, l_linestatus, l_commitdate::varchar as l_commitdate, l_receiptdate::varchar as l_receiptdate,
               l_shipinstruct, l_shipmode, l_comment
        from '{source}/lineitem.parquet' order by l_shipdate"""


def pageviews(options):
    gap_us = 30 * 86_400_000_000 // options.rows
    return f"""
        select timestamp '2026-09-01' + to_microseconds(i * {gap_us}) as __time,
               'site-' || site as site, '/s' || site || '/page/' || page as uri,
               case when referrer > 0 then 'https://ref' || referrer || '.example/' end as referrer,
               'C' || country as country, {listed(BROWSERS)}[browser + 1] as browser, {listed(DEVICES)}[device + 1] as device,
               'v' || visitor as visitor_id, {listed(EVENT_TYPES)}[event + 1] as event_type, duration_ms, bytes,
               case when event = 5 then round({uniform(9)} * 200, 2) else 0.0 end::double as revenue
        from (select i, {below(200, 0, 3)} as site, {below(20_000, 1, 4)} as page, {below(3_000, 2, 4)} as referrer,
                     {below(200, 3, 3)} as country, {below(12, 4, 2)} as browser, {below(3, 5, 1.5)} as device,
                     {below(2_000_000, 6, 1.6)} as visitor, {below(6, 7, 2)} as event,
                     {below(600_000, 8, 4)} as duration_ms, 200 + {below(60_000, 10)} as bytes
              from range({options.rows}) as rows(i))"""


def ssb_flat(options):
    """Orders have one to seven lines; 2,406 days of orders; cities, brands and prices follow from the keys."""
    scale = max(options.rows / ROWS_PER_SCALE_FACTOR, 0.01)
    customers, suppliers = int(30_000 * scale), int(2_000 * scale)
    parts = 200_000 * (1 + max(int(scale).bit_length() - 1, 0))
    nations = listed(nation for region in REGIONS.values() for nation in region)
    cities = listed(f'{nation:.9}'.ljust(9) + str(digit) for region in REGIONS.values() for nation in region for digit in range(10))

    def place(prefix, city):
        return f"""{cities}[{city} + 1] as {prefix}_city, {nations}[{city} // 10 + 1] as {prefix}_nation,
                   {listed(REGIONS)}[{city} // 50 + 1] as {prefix}_region"""

    return f"""
        with lines as (
          select i, i * 2406 // {options.rows} as day, i // 28 as cycle,
                 [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7][i % 28 + 1] as order_in_cycle,
                 [1, 1, 2, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 7][i % 28 + 1] as line,
                 {below(parts, 0)} + 1 as part, {below(suppliers, 1)} + 1 as supplier,
                 {below(50, 2)} + 1 as quantity, {below(11, 3)} as discount, {below(9, 4)} as tax
          from range({options.rows}) as rows(i)),
        orders as (
          select *, date '1992-01-01' + day::int as ordered, (hash(cycle * 8 + order_in_cycle) % {customers})::bigint + 1 as customer,
                 90000 + part // 10 % 20001 + part % 1000 * 100 as price from lines),
        keyed as (
          select *, (hash(customer + 1000000007) % 250)::bigint as c_place, (hash(supplier + 2000000011) % 250)::bigint as s_place,
                 (hash(part) % 1000)::bigint as brand, quantity * price as extended from orders)
        select ordered::timestamp as __time,
               ((cycle * 7 + order_in_cycle) * 7919 % {options.rows + 1} + 1)::bigint as lo_orderkey, line::bigint as lo_linenumber,
               customer as lo_custkey, part as lo_partkey, supplier as lo_suppkey,
               quantity as lo_quantity, extended as lo_extendedprice, discount as lo_discount,
               extended * (100 - discount) // 100 as lo_revenue, price * 6 // 10 as lo_supplycost, tax as lo_tax,
               year(ordered)::bigint as d_year, (year(ordered) * 100 + month(ordered))::bigint as d_yearmonthnum,
               strftime(ordered, '%b%Y') as d_yearmonth, ((dayofyear(ordered) - 1) // 7 + 1)::bigint as d_weeknuminyear,
               {place('c', 'c_place')}, {place('s', 's_place')},
               'MFGR#' || (brand // 200 + 1) as p_mfgr, 'MFGR#' || (brand // 200 + 1) || (brand // 40 % 5 + 1) as p_category,
               'MFGR#' || (brand // 200 + 1) || (brand // 40 % 5 + 1) || (brand % 40 + 1) as p_brand1
        from keyed"""


def hits(path, rows):
    try:
        import hits_table
    except ImportError as error:
        sys.exit(f'{error.name} is missing: pip install -r {os.path.dirname(os.path.abspath(__file__))}/requirements.txt')
    hits_table.write(path, rows)


def make(options):
    import duckdb
    os.makedirs(options.data, exist_ok=True)
    connection = duckdb.connect()
    connection.execute("set threads = 2; set memory_limit = '12GB'; set preserve_insertion_order = true")

    def write(table, path):
        if table == 'hits':
            return hits(path, options.rows)
        connection.execute(f"copy ({globals()[table](options)}) to '{path}' (format parquet, compression zstd, row_group_size 122880)")

    for table in TABLES:
        path = os.path.join(options.data, f'{table}.parquet')
        if os.path.exists(path) or options.only not in (None, table):
            continue
        started = time.time()
        write(table, f'{path}.part')
        os.rename(f'{path}.part', path)
        rows = connection.execute(f"select count(*) from '{path}'").fetchone()[0]
        print(f'{table}: {rows:,} rows, {os.path.getsize(path) / 1e6:,.0f} MB, {time.time() - started:.0f} s', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', required=True)
    parser.add_argument('--rows', type=int, default=DEFAULT_ROWS)
    parser.add_argument('--only', choices=TABLES)
    make(parser.parse_args())


if __name__ == '__main__':
    main()
