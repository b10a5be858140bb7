"""Programs that the benchmark starts: each on a core of its own choice, measured from outside, ended by pid. Standard library only."""

import atexit
import os
import pathlib
import queue
import signal
import subprocess
import threading

SERVER_CORE = 0
CLIENT_CORE = 1
READY_WITHIN = 120  # seconds; a ledger of ten million people included
STOPPED_WITHIN = 30
TICKS = os.sysconf("SC_CLK_TCK")


def pinned(command, core):
    """The command, on these cores; and before what else the machine does, where that is allowed, whoever it is that is measured.

    Linux shares the machine between sessions first, so the session (each command is started in its own) goes first as well as the process.
    """
    first = "{ echo -15 >/proc/self/autogroup; } 2>/dev/null; exec nice -n -15 \"$@\"" if os.geteuid() == 0 else 'exec "$@"'
    return ["sh", "-c", first, "sh", "taskset", "-c", str(core), *map(str, command)]


class Process:
    """One program. What it starts itself counts as part of it."""

    def __init__(self, command, core, log, env=None, cwd=None):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as errors:
            self._child = subprocess.Popen(
                pinned(command, core), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                text=True, env=env, cwd=cwd, start_new_session=True,
            )
        self.pid = self._child.pid
        self.name, self._lines = str(command[0]), queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        atexit.register(self.stop)

    def _read(self):
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def line(self, within=READY_WITHIN):
        """The next line that it prints."""
        try:
            line = self._lines.get(timeout=within)
        except queue.Empty:
            line = None
        if line is None:
            raise SystemExit(f"{self.name} said nothing within {within} s, or ended:\n{self.tail()}")
        return line.strip()

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def wait(self, within):
        return self._child.wait(within)

    def tree(self):
        """Its pid, and those of everything that it started."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := _stat(entry.name)):
                parents.setdefault(int(stat[1]), []).append(int(entry.name))
        found = [self.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    def cpu_seconds(self):
        """User and system time so far, of those that ended as well."""
        stats = filter(None, (_stat(pid) for pid in self.tree()))
        return sum(sum(map(int, stat[11:15])) for stat in stats) / TICKS

    def memory(self, field="RssAnon"):
        """Bytes of resident memory: `RssAnon` is what the process holds itself, `RssFile` what is mapped from files."""
        return sum(_status(pid, field) for pid in self.tree())

    def stop(self, how=signal.SIGTERM):
        """Ends it; what takes too long is killed."""
        atexit.unregister(self.stop)
        if self._child.poll() is None:
            self._child.send_signal(how)
            try:
                self._child.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()


def _stat(pid):
    """The fields after the name, which may hold anything; from the state on."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _status(pid, field):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run(command, core=CLIENT_CORE, within=600, **more):
    """Runs a program to its end, and returns what it printed."""
    done = subprocess.run(pinned(command, core), capture_output=True, text=True, timeout=within, start_new_session=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
