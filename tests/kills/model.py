"""What must be: every acknowledged batch wholly, once; every replaced hour as one task left it."""
import random
import threading

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 1_750_032_000_000  # 2025-06-16
# The replaced datasource: the four days that tasks replace, in chunks of any size, begin here.
REPLACED_MS, REPLACED_DAYS = 1_751_328_000_000, 4  # 2025-07-01
SUMS = [{'type': 'count', 'name': 'events'}, {'type': 'longSum', 'name': 'ids', 'fieldName': 'id'}]
PUSHED = ('flat', 'roll', 'found', 'repl')


def schema(name, granularity='hour', version=0):
    dimensions = {'dimensions': ['batch', 'kind'] + (['extra'] if version % 3 == 1 else [])}
    return {
        'timestampSpec': {'column': 't', 'format': 'millis'},
        'dimensionsSpec': {'useSchemaDiscovery': True} if name == 'found' else dimensions,
        'metricsSpec': SUMS + ([{'type': 'doubleSum', 'name': 'v', 'fieldName': 'v'}] if version % 2 else []),
        'granularitySpec': {'segmentGranularity': granularity, 'queryGranularity': 'minute' if name == 'roll' else 'none', 'rollup': name == 'roll'},
    }


class Model:
    """Shared by all actors."""

    def __init__(self, seed):
        self.seed, self.lock = seed, threading.Lock()
        self.up, self.done = threading.Event(), threading.Event()
        self.url = None
        # A time whose segments deep storage refuses, or refused.
        self.refused_ms = None
        self.acked, self.unknown, self.bodies = {}, {}, {}
        self.errors, self.counts = [], {}
        # By hour of the replaced days: the task whose rows are there, and the replaces that covered it.
        self.replaced = Replaced()

    def rng(self, salt):
        return random.Random(f'{self.seed}-{salt}')

    def wrong(self, text):
        with self.lock:
            self.errors.append(text)

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + by


class Replaced:
    """The hours of the replaced days. One task at a time."""

    def __init__(self):
        self.hours = {hour: None for hour in range(REPLACED_DAYS * 24)}
        self.covered = {hour: 0 for hour in self.hours}
        self.begun = 0
        self.in_flight = None

    def after(self, task):
        hours = dict(self.hours)
        for hour in task['covers']:
            hours[hour] = None
        for hour in task['hours']:
            hours[hour] = task['name']
        return hours

    @staticmethod
    def by_task(hours):
        """Rows by task; a task puts one row into each of its hours."""
        found = {}
        for name in hours.values():
            if name:
                found[name] = found.get(name, 0) + 1
        return found

    def begin(self, task):
        self.begun += 1
        self.in_flight = task
        for hour in task['covers']:
            self.covered[hour] = self.begun

    def end(self, happened):
        if happened:
            self.hours = self.after(self.in_flight)
        self.in_flight = None

    def allowed(self):
        """What a look may see now."""
        states = [self.by_task(self.hours)]
        if self.in_flight:
            states.append(self.by_task(self.after(self.in_flight)))
        return states
