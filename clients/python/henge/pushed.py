"""What becomes of events: their JSON, and what the server says of a push."""
import dataclasses
import datetime
import decimal
import json
import math
import uuid


@dataclasses.dataclass
class Pushed:
    """What the server did with the events of one push, or of several together."""
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    filtered: int = 0
    # Whether the server had stored all of it before, under the same key.
    duplicate: bool = False
    # The first refused events: position, line, offsetBytes, reason.
    errors: list = dataclasses.field(default_factory=list)
    # By column (`column`), how many values were stored otherwise than they came, and the first of them.
    changed: list = dataclasses.field(default_factory=list)
    # By name (`field`), how many values the schema has nowhere, so that they are not stored.
    ignored: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)

    @classmethod
    def of_answer(cls, answer):
        """Of the JSON of a push's answer; fields that are new are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in answer.items() if name in known})

    def add(self, other, first):
        """Counts another push in, whose first event is the one at position `first` of all."""
        for name in ('received', 'accepted', 'rejected', 'filtered'):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.duplicate = self.duplicate and other.duplicate
        self.errors += [{**error, 'position': error.get('position', 0) + first} for error in other.errors]
        self.warnings += [warning for warning in other.warnings if warning not in self.warnings]
        _count_in(self.changed, other.changed, 'column', first)
        _count_in(self.ignored, other.ignored, 'field', first)


def _count_in(mine, theirs, name, first):
    """Adds the counts of what has the same name; the example of the earlier push stays."""
    by_name = {said.get(name): said for said in mine}
    for said in theirs:
        known = by_name.get(said.get(name))
        if known is None:
            mine.append({**said, 'position': said.get('position', 0) + first})
            continue
        for count in ('count', 'nulled'):
            if count in said:
                known[count] = known.get(count, 0) + said[count]


def bodies(events, most_rows, most_bytes):
    """The bodies of the pushes that `events` make, each with the position of its first event among all.

    Bytes and text are one body as they are. A DataFrame, an Arrow table, one event or an iterable of events are written
    as a line for each event, so many to a body; only one body is held at a time.
    """
    if isinstance(events, (bytes, bytearray, str)):
        yield 0, events.encode() if isinstance(events, str) else bytes(events)
        return
    first, lines, size = 0, [], 0
    for line in _lines(events):
        if lines and (len(lines) >= most_rows or size + len(line) > most_bytes):
            yield first, b'\n'.join(lines)
            first, lines, size = first + len(lines), [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield first, b'\n'.join(lines)


def value_of(value):
    """What JSON does not have: times as ISO 8601 (those without a zone are UTC), decimals as all their digits."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return value.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if hasattr(value, 'item'):
        return value.item()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f'{type(value).__name__} is nothing that JSON has: {value!r}')


def _lines(events):
    if hasattr(events, 'to_json'):  # a DataFrame; NaN is null in it
        text = events.to_json(orient='records', lines=True, date_format='iso', date_unit='ms')
        return (line.encode() for line in text.splitlines() if line)
    if hasattr(events, 'to_pylist'):  # an Arrow table
        events = events.to_pylist()
    if isinstance(events, dict):
        events = [events]
    return (_line(event) for event in events)


def _line(event):
    try:
        return _dump(event)
    except ValueError:  # JSON has no NaN and no infinities; the server reads their names
        return _dump(_named(event))


def _dump(event):
    text = json.dumps(event, default=value_of, ensure_ascii=False, allow_nan=False, separators=(',', ':'))
    return text.encode()


def _named(value):
    if isinstance(value, float) and not math.isfinite(value):
        return 'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'
    if isinstance(value, dict):
        return {name: _named(of) for name, of in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named(of) for of in value]
    return value
