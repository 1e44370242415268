"""A server that answers what a test says, and remembers what it was asked."""
import contextlib
import http.server
import json
import threading


class Answers:
    """What is answered, in order; the last one again and again. `cut` breaks an answer off after its first half."""

    def __init__(self, *answers):
        self.left, self.asked = list(answers), []

    def take(self, request):
        self.asked.append(request)
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def answer(body, status=200, headers=None, cut=False):
    """One answer: JSON, or bytes as they are."""
    return {'status': status, 'body': body if isinstance(body, bytes) else json.dumps(body).encode(),
            'headers': headers or {}, 'cut': cut}


@contextlib.contextmanager
def serving(*answers):
    """(address, what it was asked)"""
    said = Answers(*answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def handle_any(self):
            length = int(self.headers.get('Content-Length') or 0)
            request = {'method': self.command, 'path': self.path, 'headers': dict(self.headers),
                       'body': self.rfile.read(length)}
            given = said.take(request)
            self.send_response(given['status'])
            for name, value in given['headers'].items():
                self.send_header(name, value)
            self.send_header('Content-Length', str(len(given['body'])))
            self.end_headers()
            half = len(given['body']) // 2
            self.wfile.write(given['body'][:half] if given['cut'] else given['body'])
            self.close_connection = given['cut'] or given['headers'].get('X-Close') == 'yes'

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_address[1]}', said.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
