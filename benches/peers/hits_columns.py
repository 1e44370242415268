"""The hundred columns of the table `hits`: what a counter of page hits stores of each hit.

The wide ones are made one by one (`hits_table.py`). A narrow one is a number or a text of few values that depends on
what it is a property of: the visitor, the session, the hit, the page or the counter. Needs the standard library alone.
"""
from typing import NamedTuple

# Name and Arrow type of the columns that are made one by one.
WIDE = (('__time', 'timestamp'), ('hit', 'int64'), ('visitor', 'int64'), ('counter', 'int32'), ('address', 'int64'), ('url', 'string'),
        ('url_hash', 'int64'), ('referer', 'string'), ('referer_hash', 'int64'), ('title', 'string'), ('phrase', 'string'), ('search_engine', 'int16'),
        ('source', 'int16'), ('step', 'int16'), ('width', 'int16'), ('height', 'int16'), ('view_width', 'int16'), ('view_height', 'int16'))


class Narrow(NamedTuple):
    """`values` numbers or texts, small ones more frequent with a larger `skew`; all but the `share` of them 0 or empty."""
    name: str
    type: str
    of: str
    values: int
    skew: int = 1
    share: float = 1.0


def flags(of, **shares):
    """Columns of 0 and 1, by the share of ones."""
    return [Narrow(name, 'int8', of, 1, 1, share) for name, share in shares.items()]


def numbers(of, type, **shapes):
    return [Narrow(name, type, of, *shape) for name, shape in shapes.items()]


def texts(of, **shapes):
    return [Narrow(name, 'string', of, *shape) for name, shape in shapes.items()]


NARROW = (
    # What the browser tells of a visitor.
    numbers('visitor', 'int16', os=(40, 2), browser=(90, 3), browser_version=(120, 2), color_depth=(4, 3), timezone=(38, 2), device_brand=(80, 2, 0.35),
            age=(6, 1, 0.7), income=(5, 1, 0.6), sex=(2, 1, 0.8), robot=(30, 2, 0.02), pixel_ratio=(8, 2), cpu_cores=(16, 2), memory_gb=(9, 1))
    + numbers('visitor', 'int32', region=(5_000, 3), interests=(32_768, 2, 0.5), provider=(3_000, 3))
    + texts('visitor', country=(200, 3), language=(60, 3), browser_minor=(30, 2), device_model=(160, 2, 0.06), charset=(12, 4), network=(5, 2))
    + flags('visitor', is_mobile=0.35, java_on=0.6, cookies_on=0.97, storage_on=0.95, touch_on=0.4, dark_mode=0.3, do_not_track=0.08)
    # How a session came to be.
    + texts('session', utm_source=(40, 2, 0.05), utm_medium=(6, 2, 0.05), utm_campaign=(400, 2, 0.04), utm_content=(900, 2, 0.02),
            utm_term=(2_000, 2, 0.01), social_network=(15, 2, 0.01), social_action=(8, 2, 0.01), tag=(25, 2, 0.01))
    + numbers('session', 'int16', experiment=(50, 1, 0.2), visit_number=(500, 4), goals=(20, 2, 0.03), consent=(4, 2))
    + flags('session', is_new=0.4, is_signed_in=0.1)
    # One hit.
    + numbers('hit', 'int16', ad_engine=(18, 3, 0.0063), http_error=(60, 2, 0.01), seconds_on_page=(1_800, 4), scroll_percent=(101, 1, 0.6), clicks=(40, 4),
              form_fields=(12, 2, 0.02), history_length=(30, 3), event_kind=(12, 2, 0.05), video_seconds=(900, 2, 0.01), script_errors=(5, 3, 0.03),
              cache_hits=(60, 2))
    + numbers('hit', 'int32', dns_ms=(900, 4, 0.3), connect_ms=(1_500, 4, 0.3), first_byte_ms=(8_000, 4, 0.8), paint_ms=(15_000, 4, 0.8),
              load_ms=(30_000, 4, 0.8), lag_ms=(60_000, 4, 0.1), bytes_sent=(200_000, 3), banner=(3_000, 3, 0.02), price=(100_000, 3, 0.01), opener=(10_000, 2, 0.02))
    + texts('hit', order_number=(100_000, 1, 0.002), currency=(3, 2, 0.01), parameter=(200, 3, 0.03))
    + flags('hit', is_refresh=0.12, is_link=0.03, is_download=0.005, is_event=0.05, is_artificial=0.01, is_bounce=0.2)
    # The page, and the site that counts its hits.
    + numbers('page', 'int16', category=(300, 2), template=(40, 2), words=(3_000, 2))
    + numbers('page', 'int32', author=(2_000, 2, 0.6))
    + texts('page', page_kind=(8, 2))
    + flags('page', is_paid=0.1)
    + numbers('counter', 'int16', industry=(60, 2), counter_class=(3, 1))
    + texts('counter', plan=(4, 2)))

TYPES = dict(WIDE) | {column.name: column.type for column in NARROW}
NAMES = tuple(TYPES)
FEW_VALUES = tuple(column.name for column in NARROW if column.type == 'string' and column.values <= 10_000)
