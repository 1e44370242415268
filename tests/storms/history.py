"""What was sent, acknowledged and answered, and what must hold of it."""
import collections
import threading
import time


class Totals:
    """Rows and the sum of their values."""

    def __init__(self, rows=0, total=0):
        self.rows, self.total = rows, total

    def add(self, rows, total):
        self.rows, self.total = self.rows + rows, self.total + total


class History:
    """Shared by all actors; every moment is `time.monotonic()`."""

    def __init__(self, datasources):
        self.lock = threading.Lock()
        self.sent = {name: Totals() for name in datasources}
        self.acknowledged = {name: Totals() for name in datasources}
        self.batches = {name: {} for name in datasources}  # those that were acknowledged
        self.counts, self.wrong = collections.Counter(), []
        self.slow = []  # (milliseconds, what, fault at work)
        self.latencies = []
        self.fault, self.fault_kind = None, 'none'
        self.last_good = {}  # by what is asked: when it last succeeded
        self.gaps = collections.defaultdict(float)  # by (what, kind of fault): the longest time without success

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def fail(self, text):
        with self.lock:
            self.wrong.append(text)
        print('WRONG', text, flush=True)

    def begin_fault(self, kind, text):
        with self.lock:
            self.fault, self.fault_kind = text, kind
            self.counts[f'fault: {kind}'] += 1

    def end_fault(self):
        with self.lock:
            self.fault = None

    def succeeded(self, what):
        """Something was answered: the time since the success before belongs to the last fault."""
        now = time.monotonic()
        with self.lock:
            since = now - self.last_good.get(what, now)
            key = (what, self.fault_kind)
            self.gaps[key] = max(self.gaps[key], since)
            self.last_good[what] = now

    def will_send(self, datasource, rows, total):
        with self.lock:
            self.sent[datasource].add(rows, total)

    def was_acknowledged(self, datasource, batch, rows, total):
        with self.lock:
            self.acknowledged[datasource].add(rows, total)
            self.batches[datasource][batch] = (rows, total)

    def judge_batches(self, datasource, found, batch_rows):
        """Each batch is there once and whole; one that nobody knows the outcome of, or not at all."""
        for batch, must in self.batches[datasource].items():
            if found.get(batch) != must:
                self.fail(f'{datasource}: batch {batch} has {found.get(batch)}, acknowledged {must}')
        for batch, have in found.items():
            if batch not in self.batches[datasource] and have[0] != batch_rows:
                self.fail(f'{datasource}: batch {batch}, whose outcome was unknown, is there in part or twice: {have}')

    def floor(self, datasource):
        with self.lock:
            known = self.acknowledged[datasource]
            return Totals(known.rows, known.total)

    def judge(self, datasource, floor, found, is_partial, who):
        """An answer lies between what was acknowledged before it was asked and what was sent before it came."""
        with self.lock:
            most = self.sent[datasource]
            most = Totals(most.rows, most.total)
        if found.rows > most.rows or found.total > most.total:
            self.fail(f'{who}: {datasource} has {found.rows} rows, more than the {most.rows} sent (sums {found.total}, {most.total})')
        elif not is_partial and (found.rows < floor.rows or found.total < floor.total):
            self.fail(f'{who}: {datasource} has {found.rows} rows, {floor.rows} were acknowledged (sums {found.total}, {floor.total})')

    def took(self, milliseconds, what):
        with self.lock:
            self.latencies.append(milliseconds)
            if milliseconds > 250:
                self.slow.append((milliseconds, what, self.fault or f'after {self.fault_kind}'))
