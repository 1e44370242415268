"""HTTP to one server: a kept connection for each thread, and what broken ones mean."""
import http.client
import threading
import urllib.parse

from . import errors


class Answer:
    """A whole answer with a status below 300."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Transport:
    """Threads may share it."""

    def __init__(self, url, token=None, timeout=300):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ('http', 'https') or not parts.netloc:
            raise ValueError(f'{url!r} is no address of a server; http://127.0.0.1:8888 is one')
        self._kind = http.client.HTTPSConnection if parts.scheme == 'https' else http.client.HTTPConnection
        self._netloc, self._prefix = parts.netloc, parts.path.rstrip('/')
        self._token, self._timeout = token, timeout
        self._of_thread = threading.local()

    def call(self, method, path, body=None, headers=None):
        """The answer, or an exception of `errors`. `body` is bytes.

        What is sent has to be harmless when it is sent twice: a kept connection that the server closed meanwhile is
        opened again, once.
        """
        headers = dict(headers or {})
        if self._token:
            headers['Authorization'] = f'Bearer {self._token}'
        kept = getattr(self._of_thread, 'connection', None)
        if kept is not None:
            try:
                return self._call(kept, method, path, body, headers)
            except errors.ConnectionFailed as error:
                if not isinstance(error.__cause__, (http.client.RemoteDisconnected, BrokenPipeError,
                                                    ConnectionResetError)):
                    raise
        return self._call(self._kind(self._netloc, timeout=self._timeout), method, path, body, headers)

    def close(self):
        """Closes this thread's connection; the next call opens one again."""
        kept = getattr(self._of_thread, 'connection', None)
        self._of_thread.connection = None
        if kept is not None:
            kept.close()

    def _call(self, connection, method, path, body, headers):
        self._of_thread.connection = connection
        try:
            connection.request(method, self._prefix + path, body, headers)
            response = connection.getresponse()
            data = response.read()
        except http.client.IncompleteRead as error:
            self.close()
            raise errors.IncompleteAnswer(f'the answer of {self._netloc} broke off after {len(error.partial)} bytes; '
                                          'what it has so far is not shown') from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = str(error) or type(error).__name__
            raise errors.ConnectionFailed(f'{method} {self._netloc}{path}: {reason}') from error
        except BaseException:  # an interrupt leaves the connection in the middle of an answer
            self.close()
            raise
        if response.status >= 300:
            raise errors.of_answer(response.status, data)
        return Answer(response.status, response.headers, data)
