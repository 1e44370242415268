"""Questions that no roll-up or dictionary was prepared for: numbers as keys, many groups, exact distinct counts, texts.

They are asked of the table `hits` (`hits_table.py`). What native queries cannot ask has a reason instead, and its SQL is
timed on the peers all the same. Answers are compared row by row (`answers.py`).
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hits_columns import NAMES, TYPES
from native import COUNT, List, agg, both, descending, double_sum, exact_distinct, expression, group, is_, least, like, long_dimension, long_sum, no, ratio, scan, timeseries, top

Q = List()
TABLE, MONTH, TWO_DAYS = 'hits', '2026-08-01/2026-09-01', '2026-08-14/2026-08-16'
# One site, the most seen of its pages (the hash of its address), and one visitor: they follow from the table's seed.
COUNTER, PAGE, VISITOR = 222_100, 8_560_172_050_212_279_301, 4_602_953_951_741_719_636
WORD, TITLE_WORD = 'lantern', 'Lantern'

WIDTH, MEAN_WIDTH = long_sum('width'), ratio('mean_width', 'width', 'cnt')
VISITORS = exact_distinct('visitor', 'visitors')
WITH_PHRASE = no(is_('phrase', ''))
LONGS = {name for name, kind in TYPES.items() if kind != 'string'} | {'minute', 'day', 'one', 'address_1', 'address_2', 'address_3'}


def ask(name, sql, row, native=None, order=(), missing=None, **rest):
    """`order` is the positions of the ordering columns; `limit` and `offset` are added to the SQL."""
    cut = ''.join(f' {word} {rest[word]}' for word in ('limit', 'offset') if rest.get(word))
    peers = {peer: rest.pop(peer) + cut for peer in ('ch', 'df', 'own') if peer in rest}
    if not native:
        rest['missing'] = missing
    Q.ask(name, TABLE, sql + cut, native, row=row, order=order, **peers, **rest)


def ranking(name, columns, where='', filter=None, aggregates='count(*) n', aggregations=(COUNT,), post=(), row=('cnt',), limit=10, offset=0, virtual=(), sql=None,
            metric='cnt'):
    """Groups by columns, the most frequent first, or those with most of another `metric`; that comes first. `sql` is how a column is computed that is not stored."""
    selected = ', '.join(f'{sql[column]} as {column}' if sql and column in sql else column for column in columns)
    text = f"select {selected}, {aggregates} from hits{' where ' + where if where else ''} group by {', '.join(columns)} order by n desc"
    dimensions = [long_dimension(column) if column in LONGS else column for column in columns]
    if len(columns) == 1 and not offset:
        native = top(TABLE, MONTH, dimensions[0], metric, limit, list(aggregations), filter=filter, virtual=virtual, post=list(post))
    else:
        native = group(TABLE, MONTH, dimensions, list(aggregations), filter=filter, order=descending(metric), limit=limit, offset=offset, virtual=virtual, post=list(post))
    ask(name, text, [*columns, *row], native, order=(len(columns),), limit=limit, offset=offset)


# Everything, and single numbers.
ask('c_rows', 'select count(*) from hits', ['cnt'], timeseries(TABLE, MONTH, [COUNT]))
ask('c_from_adverts', 'select count(*) from hits where ad_engine <> 0', ['cnt'], timeseries(TABLE, MONTH, [COUNT], filter=no(is_('ad_engine', '0'))))
ask('c_totals', 'select sum(ad_engine), count(*), avg(width) from hits', ['ad_engine', 'cnt', 'mean_width'],
    timeseries(TABLE, MONTH, [long_sum('ad_engine'), COUNT, WIDTH], post=[MEAN_WIDTH]))
ask('c_mean_visitor', 'select avg(visitor) from hits', ['mean'], timeseries(TABLE, MONTH, [double_sum('visitor'), COUNT], post=[ratio('mean', 'visitor', 'cnt')]),
    ch='select avg(toFloat64(visitor)) from hits')
ask('c_visitors', 'select count(distinct visitor) from hits', ['visitors'], timeseries(TABLE, MONTH, [VISITORS]))
ask('c_distinct_phrases', 'select count(distinct phrase) from hits', ['phrases'], timeseries(TABLE, MONTH, [exact_distinct('phrase', 'phrases')]))
ask('c_first_last', 'select min(__time), max(__time) from hits', ['minTime', 'maxTime'], {'queryType': 'timeBoundary', 'dataSource': TABLE})
SHIFTS = range(90)
ask('c_shifted_sums', f"select {', '.join(f'sum(width + {by})' for by in SHIFTS)} from hits", [f's{by}' for by in SHIFTS],
    timeseries(TABLE, MONTH, [{'type': 'longSum', 'name': f's{by}', 'expression': f'width + {by}'} for by in SHIFTS]))

# One key.
ask('c_adverts', 'select ad_engine, count(*) n from hits where ad_engine <> 0 group by ad_engine order by n desc', ['ad_engine', 'cnt'],
    group(TABLE, MONTH, [long_dimension('ad_engine')], [COUNT], filter=no(is_('ad_engine', '0')), order=descending('cnt')), order=(1,))
ranking('c_phrases', ['phrase'], "phrase <> ''", WITH_PHRASE)
ranking('c_top_visitors', ['visitor'])
ranking('c_urls', ['url'])
BY_VISITORS = dict(aggregates='count(distinct visitor) n', aggregations=(VISITORS,), row=('visitors',), metric='visitors')
WITH_MODEL = no(is_('device_model', ''))
ranking('c_region_visitors', ['region'], **BY_VISITORS)
ask('c_region_facts', 'select region, sum(ad_engine), count(*) n, avg(width), count(distinct visitor) from hits group by region order by n desc',
    ['region', 'ad_engine', 'cnt', 'mean_width', 'visitors'],
    top(TABLE, MONTH, long_dimension('region'), 'cnt', 10, [long_sum('ad_engine'), COUNT, WIDTH, VISITORS], post=[MEAN_WIDTH]), order=(2,), limit=10)
ranking('c_model_visitors', ['device_model'], "device_model <> ''", WITH_MODEL, **BY_VISITORS)
ranking('c_brand_model_visitors', ['device_brand', 'device_model'], "device_model <> ''", WITH_MODEL, **BY_VISITORS)
ranking('c_phrase_visitors', ['phrase'], "phrase <> ''", WITH_PHRASE, **BY_VISITORS)

# Several keys, numbers and texts mixed; up to as many groups as rows.
FACTS = dict(aggregates='count(*) n, sum(is_refresh), avg(width)', aggregations=(COUNT, long_sum('is_refresh'), WIDTH), post=(MEAN_WIDTH,),
             row=('cnt', 'is_refresh', 'mean_width'))
MINUTE = expression('minute', "timestamp_extract(__time, 'MINUTE', 'UTC')")
ranking('c_engine_phrases', ['search_engine', 'phrase'], "phrase <> ''", WITH_PHRASE)
ranking('c_visitor_phrases', ['visitor', 'phrase'])
ask('c_visitor_phrases_any', 'select visitor, phrase, count(*) from hits group by visitor, phrase', ['visitor', 'phrase', 'cnt'],
    group(TABLE, MONTH, [long_dimension('visitor'), 'phrase'], [COUNT], limit=10), order=None, limit=10)
ranking('c_visitor_minute_phrases', ['visitor', 'minute', 'phrase'], virtual=[MINUTE], sql={'minute': 'extract(minute from __time)'})
ranking('c_engine_address', ['search_engine', 'address'], "phrase <> ''", WITH_PHRASE, **FACTS)
ranking('c_hit_address_phrases', ['hit', 'address'], "phrase <> ''", WITH_PHRASE, **FACTS)
ranking('c_hit_address', ['hit', 'address'], **FACTS)
ranking('c_constant_urls', ['one', 'url'], virtual=[expression('one', '1')], sql={'one': '1'})
ranking('c_shifted_addresses', ['address', 'address_1', 'address_2', 'address_3'], virtual=[expression(f'address_{by}', f'address - {by}') for by in (1, 2, 3)],
        sql={f'address_{by}': f'address - {by}' for by in (1, 2, 3)})

# Texts: contained words, lengths, hosts.
ask('c_url_contains', f"select count(*) from hits where url like '%{WORD}%'", ['cnt'], timeseries(TABLE, MONTH, [COUNT], filter=like('url', f'%{WORD}%')))
ask('c_url_contains_phrases', f"select phrase, min(url), count(*) n from hits where url like '%{WORD}%' and phrase <> '' group by phrase order by n desc",
    ['phrase', 'url', 'cnt'],
    top(TABLE, MONTH, 'phrase', 'cnt', 10, [least('url'), COUNT], filter=both(like('url', f'%{WORD}%'), WITH_PHRASE)), order=(2,), limit=10)
ask('c_title_contains_phrases', f"""select phrase, min(url), min(title), count(*) n, count(distinct visitor) from hits
    where title like '%{TITLE_WORD}%' and not url like '%.html%' and phrase <> '' group by phrase order by n desc""",
    ['phrase', 'url', 'title', 'cnt', 'visitors'],
    top(TABLE, MONTH, 'phrase', 'cnt', 10, [least('url'), least('title'), COUNT, VISITORS],
        filter=both(like('title', f'%{TITLE_WORD}%'), no(like('url', '%.html%')), WITH_PHRASE)), order=(3,), limit=10)
ask('c_counter_url_length', "select counter, avg(length(url)) l, count(*) n from hits where url <> '' group by counter having count(*) > 10000 order by l desc",
    ['counter', 'mean', 'cnt'],
    group(TABLE, MONTH, [long_dimension('counter')], [long_sum('length'), COUNT], filter=no(is_('url', '')), virtual=[expression('length', 'strlen(url)')],
          having={'type': 'greaterThan', 'aggregation': 'cnt', 'value': 10_000}, order=descending('mean'), limit=25, post=[ratio('mean', 'length', 'cnt')]),
    order=(1,), limit=25)
HOST = "regexp_replace(referer, '^https?://(?:www[.])?([^/]+)/.*$', '{}')"
HOSTS = "select {} as host, avg(length(referer)) l, count(*) n, min(referer) from hits where referer <> '' group by host having count(*) > 10000 order by l desc"
ask('c_referer_hosts', HOSTS.format(HOST.format(r'\1')), ['host', 'mean', 'cnt', 'referer'],
    group(TABLE, MONTH, ['host'], [long_sum('length'), COUNT, least('referer')], filter=no(is_('referer', '')),
          virtual=[expression('host', HOST.format('$1'), 'STRING'), expression('length', 'strlen(referer)')],
          having={'type': 'greaterThan', 'aggregation': 'cnt', 'value': 10_000}, order=descending('mean'), limit=25, post=[ratio('mean', 'length', 'cnt')]),
    order=(1,), limit=25,
    ch=HOSTS.format(HOST.format(r'\\1').replace('regexp_replace', 'replaceRegexpOne')), own=HOSTS.format(HOST.format('$1')))

# Raw rows.
ask('c_one_visitor', f'select visitor from hits where visitor = {VISITOR}', ['visitor'], scan(TABLE, MONTH, ['visitor'], 1_000_000, filter=is_('visitor', str(VISITOR))))
ask('c_rows_by_time', f"select * from hits where url like '%{WORD}%' order by __time", NAMES,
    scan(TABLE, MONTH, NAMES, 10, 'ascending', like('url', f'%{WORD}%')), order=(0,), limit=10)
ask('c_phrases_by_time', "select __time, phrase from hits where phrase <> '' order by __time", ['__time', 'phrase'],
    scan(TABLE, MONTH, ['__time', 'phrase'], 10, 'ascending', WITH_PHRASE), order=(0,), limit=10)
ask('c_phrases_by_phrase', "select phrase from hits where phrase <> '' order by phrase", ['phrase'],
    scan(TABLE, MONTH, ['phrase'], 10, ['phrase'], WITH_PHRASE), order=(0,), limit=10)
ask('c_phrases_by_time_phrase', "select __time, phrase from hits where phrase <> '' order by __time, phrase", ['__time', 'phrase'],
    scan(TABLE, MONTH, ['__time', 'phrase'], 10, ['__time', 'phrase'], WITH_PHRASE), order=(0, 1), limit=10)

# One counter's month.
IN_MONTH = f"counter = {COUNTER} and __time >= timestamp '2026-08-01 00:00:00' and __time < timestamp '2026-09-01 00:00:00'"


def month(name, columns, where, *filters, **rest):
    ranking(name, columns, f'{IN_MONTH} and {where}', both(is_('counter', str(COUNTER)), *filters), **rest)


SEEN, SEEN_SQL = is_('is_refresh', '0'), 'is_refresh = 0'
month('c_month_pages', ['url'], f"{SEEN_SQL} and url <> ''", SEEN, no(is_('url', '')))
month('c_month_titles', ['title'], f"{SEEN_SQL} and title <> ''", SEEN, no(is_('title', '')))
month('c_month_links_later', ['url'], f'{SEEN_SQL} and is_link <> 0 and is_download = 0', SEEN, no(is_('is_link', '0')), is_('is_download', '0'), offset=1_000)
month('c_month_ways_later', ['source', 'search_engine', 'ad_engine', 'origin', 'url'], SEEN_SQL, SEEN, offset=1_000,
      virtual=[expression('origin', "if(search_engine == 0 && ad_engine == 0, referer, '')", 'STRING')],
      sql={'origin': "case when search_engine = 0 and ad_engine = 0 then referer else '' end"})
month('c_month_onward_later', ['url_hash', 'day'], f'{SEEN_SQL} and source in (-1, 1) and referer_hash = {PAGE}', SEEN,
      {'type': 'in', 'dimension': 'source', 'values': ['-1', '1']}, is_('referer_hash', str(PAGE)), offset=100,
      virtual=[expression('day', "timestamp_floor(__time, 'P1D')")], sql={'day': 'cast(__time as date)'})
month('c_month_views_later', ['view_width', 'view_height'], f'{SEEN_SQL} and url_hash = {PAGE}', SEEN, is_('url_hash', str(PAGE)), offset=100)
ask('c_minutes_later', f"""select date_trunc('minute', __time) as minute, count(*) from hits where counter = {COUNTER} and {SEEN_SQL}
    and __time >= timestamp '2026-08-14 00:00:00' and __time < timestamp '2026-08-16 00:00:00' group by minute order by minute""", ['timestamp', 'cnt'],
    group(TABLE, TWO_DAYS, [], [COUNT], 'minute', both(is_('counter', str(COUNTER)), SEEN), limit=10, offset=1_000), order=(0,), limit=10, offset=1_000)
