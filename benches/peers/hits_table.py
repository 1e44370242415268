"""Makes the table `hits`: page hits of a month, as a service that counts them for many sites stores them.

A visitor comes in sessions: a search with a phrase, a link or nothing leads to the first page, each page to the next.
Sites differ in size by orders of magnitude; one of them, `ASKED_COUNTER`, has 0.8 % of the sessions. Every value is a
hash of the seed, the column's name and what it is a property of, so the same rows come out whatever the chunks are and
a new column changes no other. Whole numbers and products of doubles only: no library's logarithm decides a row.
"""
import zlib
from urllib.parse import quote_plus

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hits_columns import NARROW, TYPES

SEED = 11
START_MS, DAYS, HOUR_MS = 1_785_542_400_000, 31, 3_600_000  # August 2026
ROW_GROUP, GROUPS_PER_CHUNK = 122_880, 8
SITES = 6_000
ASKED_SITE, ASKED_SHARE, ASKED_COUNTER = SITES, 0.008, 222_100
RARE_WORD = 'lantern'
LONGEST_SESSION = 40
# Visitors of an hour, from midnight on.
RHYTHM = (5, 3, 2, 2, 2, 3, 5, 8, 11, 13, 14, 14, 13, 14, 14, 13, 13, 14, 15, 17, 18, 16, 12, 8)
SCREENS = ((1920, 1080), (1366, 768), (390, 844), (1536, 864), (1440, 900), (360, 800), (2560, 1440), (414, 896), (393, 873), (1280, 720), (1600, 900),
           (1280, 800), (412, 915), (820, 1180), (1680, 1050), (1024, 768), (3840, 2160), (768, 1024), (375, 667), (1280, 1024), (1920, 1200), (3440, 1440),
           (800, 600), (0, 0))
SECTIONS = ('catalog/', 'news/', 'forum/topic/', 'item/', 'help/', 'blog/2026/', 'gallery/', 'search/', 'user/', 'recipes/', 'video/', 'map/')
ENDINGS = ('', '.html', '?from=menu', '', '/', '?page=2', '.html?utm_source=letter', '?sort=price&order=asc')
SEARCHES = ('https://find.example/search?lang=en&q=', 'https://www.seek.example/?text=', 'http://look.example/s/', 'https://ask.example/web?query=')
TAILS = ('',) * 10 + (' café', ' größe', ' near me', ' 2026', ' música', ' prix')
WORDS = [a + b + c for a in ('ba', 'ce', 'di', 'fo', 'ga', 'he', 'ki', 'lo', 'ma', 'ne', 'po', 'ra', 'se', 'ti', 'vu', 'zo')
         for b in ('lan', 'mi', 'ro', 'sta', 've', 'ndo', 'ri', 'tu') for c in ('ra', 'ne', 'lo', 'sh', 'ter', 'k', 'da', 'm')]
WORDS[700] = RARE_WORD
MASK_63 = 2 ** 63 - 1


def mix(numbers):
    """A bijection of 64-bit numbers that leaves no pattern."""
    numbers = numbers.astype(np.uint64, copy=True)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers ^= numbers >> np.uint64(shift)
        numbers *= np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(31))


def number_63(numbers, seed, name):
    """Other numbers for these, each its own, from 0 to 2^63 - 1."""
    mask = np.uint64(MASK_63)
    numbers = (np.asarray(numbers).astype(np.uint64) + np.uint64(salt(seed, name))) & mask
    for shift, factor in ((32, 0x9E3779B97F4A7C15), (29, 0xD6E8FEB86659FD93)):
        numbers = (numbers * np.uint64(factor)) & mask
        numbers ^= numbers >> np.uint64(shift)
    return numbers.astype(np.int64)


def salt(seed, name):
    return (zlib.crc32(name.encode()) << 24) + seed * 0x9E3779B9


def skewed(uniform, skew):
    power = uniform
    for _ in range(skew - 1):
        power = power * uniform
    return power


class Hits:
    """The rows of one seed in order of time: the plan is made at once, the columns chunk by chunk."""

    def __init__(self, rows, seed=SEED):
        self.rows, self.seed = rows, seed
        self.visitors, self.addresses, self.phrases = (max(int(rows * share), 10) for share in (0.45, 0.15, 0.16))
        sizes = (np.arange(1, SITES + 1) / SITES) ** 0.25
        shares = np.append(np.diff(sizes, prepend=0.0) * (1 - ASKED_SHARE), ASKED_SHARE)
        self.pages = np.maximum(shares * rows * 0.22, 20).astype(np.int64)
        self.plan()

    def hashed(self, keys, name):
        return mix(np.asarray(keys).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt(self.seed, name)))

    def uniform(self, keys, name):
        """Numbers in [0, 1)."""
        return (self.hashed(keys, name) >> np.uint64(11)).astype(np.float64) * 2.0 ** -53

    def below(self, count, keys, name, skew=1):
        """Whole numbers below `count` (one, or one for each key); a larger skew favours the small ones."""
        return (skewed(self.uniform(keys, name), skew) * count).astype(np.int64)

    def plan(self):
        """Which step of which session each row is, and when."""
        sessions = np.arange(int(self.rows / 3.2) + 100)
        lengths = 1 + self.below(LONGEST_SESSION, sessions, 'length', 6) * (self.uniform(sessions, 'leaves') < 0.5)
        ends = np.cumsum(lengths)
        if ends[-1] < self.rows:
            raise ValueError(f'{len(sessions)} sessions have {ends[-1]} hits only')
        session = np.repeat(sessions, lengths)[:self.rows]
        step = np.arange(self.rows) - (ends - lengths)[session]
        hours = np.concatenate(([0.0], np.cumsum(RHYTHM))) / sum(RHYTHM)
        start = self.below(DAYS, sessions, 'day') * 24 * HOUR_MS + (np.interp(self.uniform(sessions, 'hour'), hours, np.arange(25)) * HOUR_MS).astype(np.int64)
        gaps = np.where(step > 0, 1_000 + self.below(600_000, session * 64 + step, 'gap', 4), 0)
        after = np.cumsum(gaps)
        time = start[session] + after - after[np.arange(self.rows) - step]
        time = START_MS + np.minimum(time, DAYS * 24 * HOUR_MS - 1)
        order = np.argsort(time, kind='stable')
        self.time, self.session, self.step = time[order], session[order], step[order].astype(np.int16)

    def chunks(self, size=ROW_GROUP * GROUPS_PER_CHUNK):
        for first in range(0, self.rows, size):
            yield self.chunk(first, min(first + size, self.rows))

    def chunk(self, first, last):
        session, step = self.session[first:last], self.step[first:last].astype(np.int64)
        visitor = self.below(self.visitors, session, 'visitor', 2)
        site = np.where(self.uniform(session, 'asked') < ASKED_SHARE, ASKED_SITE, self.below(SITES, session, 'site', 4))
        page = self.page(site, session, step)
        keys = dict(visitor=visitor, session=session, hit=session * 64 + step, page=page_key(site, page), counter=site)
        came_from = self.came_from(site, session, step)
        narrow = {column.name: self.narrow(column, keys[column.of]) for column in NARROW}
        screen = self.below(len(SCREENS), visitor, 'screen', 2)
        width, height = (np.array(side)[screen] for side in zip(*SCREENS))
        wide = dict(
            __time=pa.array(self.time[first:last] * 1_000).cast(pa.timestamp('us')), hit=number_63(np.arange(first, last), self.seed, 'hit'),
            visitor=number_63(visitor, self.seed, 'visitor'), counter=counter_of(site), address=self.address(visitor),
            url=self.urls(site, page), url_hash=self.url_hash(site, page), title=self.titles(site, page), step=step, width=width, height=height,
            view_width=np.maximum(width - self.below(200, visitor, 'frame', 3), 0), view_height=np.maximum(height - self.below(260, session, 'bars'), 0))
        return table({name: {**wide, **came_from, **narrow}[name] for name in TYPES})

    def page(self, site, session, step):
        """The page of a site that a session sees at a step."""
        return self.below(self.pages[site], session * 64 + step, 'page', 3)

    def came_from(self, site, session, step):
        """The page before; for the first one a search, another site, or nothing."""
        kind = np.where(step > 0, 3, np.searchsorted((0.43, 0.8), self.uniform(session, 'landing'), side='right'))
        searched, linked = kind == 0, (kind == 1) | (kind == 3)
        other = np.where(step > 0, site, self.below(SITES, session, 'other site', 4))
        before = self.page(other, session, np.maximum(step - 1, 0))
        phrase, quoted = self.phrase_texts(self.below(self.phrases, session, 'phrase', 3))
        engine = self.below(40, session, 'search engine', 3)
        search = joined(taken(SEARCHES, engine % len(SEARCHES)), quoted)
        referer = pc.if_else(pa.array(searched), search, pc.if_else(pa.array(linked), self.urls(other, before), ''))
        search_hash = number_63(session, self.seed, 'search')
        return dict(referer=referer, referer_hash=np.where(searched, search_hash, np.where(linked, self.url_hash(other, before), 0)),
                    phrase=pc.if_else(pa.array(searched), phrase, ''), search_engine=np.where(searched, engine + 1, 0),
                    source=np.array((2, 1, 0, -1))[kind])

    def address(self, visitor):
        """An IPv4 address as a number; visitors of one network share some."""
        return (self.hashed(self.below(self.addresses, visitor, 'network', 2), 'address') >> np.uint64(32)).astype(np.int64)

    def url_hash(self, site, page):
        return number_63(page_key(site, page), self.seed, 'url')

    def urls(self, site, page):
        bits = self.hashed(page_key(site, page), 'url words')
        return joined(taken(self.hosts(), site), taken(SECTIONS, part(bits, 0, len(SECTIONS))), taken(WORDS, part(bits, 8, 1024)), '-',
                      taken(WORDS, part(bits, 20, 1024)), '-', pa.array(page).cast(pa.string()), taken(ENDINGS, part(bits, 40, len(ENDINGS))))

    def hosts(self):
        bits = self.hashed(np.arange(SITES + 1), 'host')
        return [f"{('https', 'http')[b >> 8 & 3 == 0]}://{('', 'www.')[b >> 10 & 3 == 0]}{WORDS[b & 255]}{site}.example/" for site, b in enumerate(bits.tolist())]

    def titles(self, site, page):
        """Two to four words, and the site's name."""
        bits, more = self.hashed(page_key(site, page), 'title'), [f' {word}' for word in WORDS]
        perhaps = more + [''] * 512
        names = [f'{WORDS[number % 1024].capitalize()} {number}' for number in range(SITES + 1)]
        return joined(taken([word.capitalize() for word in WORDS], part(bits, 0, 1024)), taken(more, part(bits, 12, 1024)),
                      taken(perhaps, part(bits, 24, 1536)), taken(perhaps, part(bits, 36, 1536)), ' – ', taken(names, site))

    def phrase_texts(self, number):
        """Two to four words, and the same as a browser writes them into an address."""
        bits, more = self.hashed(number, 'phrase words'), [f' {word}' for word in WORDS]
        words = joined(taken(WORDS, part(bits, 0, 1024)), taken(more, part(bits, 12, 1024)), taken(more + [''] * 1024, part(bits, 24, 2048)))
        tail = part(bits, 40, len(TAILS))
        return joined(words, taken(TAILS, tail)), joined(pc.replace_substring(words, ' ', '+'), taken([quote_plus(text) for text in TAILS], tail))

    def narrow(self, column, keys):
        uniform = self.uniform(keys, column.name)
        if column.share < 1:
            # The part of [0, 1) below the share, stretched, gives the value; 0 and the empty text are for the others.
            value = np.where(uniform < column.share, (skewed(np.minimum(uniform / column.share, 1 - 2.0 ** -53), column.skew) * column.values).astype(np.int64) + 1, 0)
        else:
            value = (skewed(uniform, column.skew) * column.values).astype(np.int64) + (column.type == 'string')
        return taken([''] + [f'{column.name}-{number}' for number in range(column.values)], value) if column.type == 'string' else value


def page_key(site, page):
    return site * 2 ** 40 + page


def counter_of(site):
    return 100 + site * 37


def part(bits, shift, count):
    """A whole number below `count` from ten or more bits of a hash."""
    return ((bits >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64) % count


def taken(values, positions):
    return pa.array(values, pa.string()).take(pa.array(positions))


def joined(*texts):
    return pc.binary_join_element_wise(*texts, '')


def arrow_type(name):
    return pa.timestamp('us') if TYPES[name] == 'timestamp' else pa.type_for_alias(TYPES[name])


def table(columns):
    arrays = [values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values.astype(TYPES[name])) for name, values in columns.items()]
    return pa.table(arrays, pa.schema([pa.field(name, arrow_type(name), nullable=False) for name in columns]))


def write(path, rows, seed=SEED):
    writer = None
    for chunk in Hits(rows, seed).chunks():
        writer = writer or pq.ParquetWriter(path, chunk.schema, compression='zstd')
        writer.write_table(chunk, row_group_size=ROW_GROUP)
    writer.close()
