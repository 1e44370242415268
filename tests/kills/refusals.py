"""Deep storage that refuses the segments of some time for a while, while everything else goes on."""
import datetime
import os
import time

import harness

from kills.model import DAY_MS, HOUR_MS, PUSHED, START_MS

# Those that are pushed to at any time; the other one's hours are counted by themselves.
REFUSED = [name for name in PUSHED if name != 'repl']


def path_part(ms):
    """A moment as object keys have it."""
    text = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.000Z')
    return ''.join(c if c.islower() or c.isdigit() or c == '-' else f'~{ord(c):02x}' for c in text)


def chunks_of(ms):
    """The chunks that hold a moment, by segment granularity."""
    day = ms // DAY_MS * DAY_MS
    date = datetime.datetime.fromtimestamp(day / 1000, datetime.timezone.utc)
    monday = day - date.weekday() * DAY_MS
    month = [int(date.replace(day=1).timestamp() * 1000), int((date.replace(day=28) + datetime.timedelta(days=4)).replace(day=1).timestamp() * 1000)]
    hour, six = ms // HOUR_MS * HOUR_MS, ms // (6 * HOUR_MS) * 6 * HOUR_MS
    return [(hour, hour + HOUR_MS), (six, six + 6 * HOUR_MS), (day, day + DAY_MS), (monday, monday + 7 * DAY_MS), tuple(month)]


class Refusals:
    """A file in the place of a folder: no object of the chunk can be pushed."""

    def __init__(self, model, data_dir):
        self.model, self.rng = model, model.rng('refusals')
        self.folder = os.path.join(data_dir, 'deep-storage', 'segments')
        self.placed, self.epoch = [], 0

    def step(self):
        """Between two lives: refuses a time that nobody pushed to before, or lets it through again."""
        if self.placed:
            if self.rng.random() < 0.12:
                self.let_through()
        elif self.rng.random() < 0.6:
            self.refuse()

    def refuse(self):
        self.epoch += 1
        ms = START_MS + (2000 + 40 * self.epoch) * DAY_MS + self.rng.randrange(24) * HOUR_MS
        for datasource in REFUSED:
            for start, end in chunks_of(ms):
                path = os.path.join(self.folder, datasource, f'{path_part(start)}_{path_part(end)}')
                if not os.path.exists(path):
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, 'w', encoding='ascii') as file:
                        file.write('in the way')
                    self.placed.append(path)
        self.model.count('times refused by deep storage')
        self.model.refused_ms = ms

    def let_through(self):
        for path in self.placed:
            os.remove(path)
        self.placed = []

    def look(self, server):
        """Counts the hand-offs that fail now."""
        self.model.count('failing hand-offs seen', sum(self.handoff(server, name)['failing'] > 0 for name in REFUSED))

    def settle(self, server):
        """With nothing in the way everything gets on."""
        self.let_through()
        end = time.monotonic() + 120
        while any(self.handoff(server, name)['failing'] for name in REFUSED):
            if time.monotonic() > end:
                self.model.wrong(f'hand-offs still fail: {[self.handoff(server, name) for name in REFUSED]}'[:2000])
                return
            time.sleep(0.2)

    @staticmethod
    def handoff(server, name):
        return harness.Client(server.url).must('GET', f'/v1/datasources/{name}')['handoff']
