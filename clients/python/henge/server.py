"""A server of one's own, for a notebook or a test: a process of this machine that ends with its owner."""
import atexit
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading

from .client import Client
from .errors import ServerDidNotStart

START_SECONDS = 60
STOP_SECONDS = 60


def find_binary():
    """The path of the program `henge`: $HENGE_BINARY, else the one on the PATH."""
    named = os.environ.get('HENGE_BINARY')
    found = shutil.which(named or 'henge')
    if found:
        return found
    if named:
        raise ServerDidNotStart(f'HENGE_BINARY is {named}, which is no program that can be run')
    raise ServerDidNotStart("there is no program 'henge' on the PATH: `cargo install --path server` puts it there, or "
                            'say where it is with HENGE_BINARY or binary=')


def start_server(data_dir=None, *, binary=None, config=None, settings=None, log='warn', start_seconds=START_SECONDS):
    """Starts a server on a free port of this machine and answers it once it is ready.

    Its data are in `data_dir`, where the next start finds them again, or in a temporary folder that goes with it.
    `config` is a file of settings; `settings` are single ones, such as `{'query.timeout_ms': 1000}`. It ends with
    `stop`, at the end of a `with`, or with the interpreter; one that is killed leaves its server behind.
    """
    return Server(data_dir, binary or find_binary(), config, settings or {}, log, start_seconds)


class Server:
    """A running server: `url`, `data_dir`, `pid`."""

    def __init__(self, data_dir, binary, config, settings, log, start_seconds):
        self._temporary = None if data_dir else tempfile.mkdtemp(prefix='henge-')
        self.data_dir = os.path.abspath(data_dir or self._temporary)
        self._log = tempfile.TemporaryFile(prefix='henge-log-')
        command = [binary, 'server', '--data-dir', self.data_dir, '--port', '0', '--log', log]
        if config:
            command += ['--config', os.fspath(config)]
        try:
            # In a session of its own: Ctrl-C in a notebook interrupts the notebook and not the database.
            self._process = subprocess.Popen(
                command, env=_environment(settings), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log,
                start_new_session=True)
        except OSError as error:
            self._remove()
            raise ServerDidNotStart(f'{binary} cannot be run: {error}') from error
        self.pid = self._process.pid
        atexit.register(self.stop)
        try:
            self.url = self._wait_until_ready(start_seconds)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def __repr__(self):
        return f'<henge.Server {self.url} of {self.data_dir}>'

    def client(self, **options):
        """A client of this server; `options` are those of `Client`."""
        return Client(self.url, **options)

    def is_running(self):
        """Whether its process lives."""
        return self._process.poll() is None

    def log_text(self):
        """What it has logged so far; nothing once it was stopped."""
        if self._log.closed:
            return ''
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode('utf-8', 'replace')

    def stop(self):
        """Ends it in order, and by force when that takes longer than a minute. Its temporary folder goes with it."""
        atexit.unregister(self.stop)
        if self.is_running():
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._remove()

    def _wait_until_ready(self, seconds):
        """Its address, from the line that it prints when it is ready."""
        lines = queue.Queue()
        threading.Thread(target=lambda: lines.put(self._process.stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=seconds).decode('utf-8', 'replace')
        except queue.Empty:
            raise ServerDidNotStart(f'the server was not ready after {seconds} s\n{self.log_text()}') from None
        found = re.search(r'https?://[^\s,]+', line)
        if not found:
            code = self._process.wait(STOP_SECONDS)
            raise ServerDidNotStart(f'the server ended with exit code {code}\n{line}{self.log_text()}')
        return found.group(0)

    def _remove(self):
        self._log.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _environment(settings):
    """The variables of settings: `query.timeout_ms` is HENGE_QUERY__TIMEOUT_MS."""
    said = {'HENGE_' + name.upper().replace('.', '__'): _shown(value) for name, value in settings.items()}
    # What it is started from is none of its settings.
    inherited = {name: value for name, value in os.environ.items() if name != 'HENGE_BINARY'}
    return {**inherited, **said}


def _shown(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
