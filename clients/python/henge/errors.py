"""What can go wrong, as exceptions. Those of a server's answer carry the fields that Druid's errors have."""
import json


class HengeError(Exception):
    """Every exception of this package."""


class HengeWarning(UserWarning):
    """What the server answers beside the rows: unknown fields, datasources without data, changed values."""


class ConnectionFailed(HengeError):
    """No answer came. Whether the request was carried out is not known."""


class IncompleteAnswer(HengeError):
    """The answer broke off: rows are missing from it, so none are given."""


class ServerDidNotStart(HengeError):
    """The program is not there, or ended before it was ready; the message has what it said."""


class RejectedEvents(HengeError):
    """The server refused some events of a push. The others are stored; `pushed` says how many."""

    def __init__(self, pushed):
        first = pushed.errors[0] if pushed.errors else {}
        super().__init__(f'{pushed.rejected} of {pushed.received} events were refused, the first at position '
                         f'{first.get("position")}: {first.get("reason")}')
        self.pushed = pushed


class ServerError(HengeError):
    """The server answered with an error. Fields that it did not send are None, `context` is empty then."""

    def __init__(self, status, body):
        fields = _fields(body)
        self.status = status
        self.error = fields.get('error')
        self.error_code = fields.get('errorCode')
        self.category = fields.get('category')
        self.persona = fields.get('persona')
        self.error_class = fields.get('errorClass')
        self.host = fields.get('host')
        self.context = fields.get('context') or {}
        self.message = fields.get('errorMessage') or body.decode('utf-8', 'replace').strip()
        super().__init__(f'HTTP {status}: {self.message}')


class InvalidInput(ServerError):
    """4xx: the request is wrong, and will be when it is repeated; the message names the field."""


class CapacityExceeded(ServerError):
    """429: no room at the moment; nothing was done."""


class Unsupported(ServerError):
    """501: Druid has it, Henge not yet."""


class Unavailable(ServerError):
    """503: something that is needed is away; nothing was done."""


class TimedOut(ServerError):
    """504: the time of the query was up."""


_BY_STATUS = {429: CapacityExceeded, 501: Unsupported, 503: Unavailable, 504: TimedOut}


def of_answer(status, body):
    """The exception of an answer's status and body (bytes)."""
    kind = _BY_STATUS.get(status) or (InvalidInput if 400 <= status < 500 else ServerError)
    return kind(status, body)


def _fields(body):
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
