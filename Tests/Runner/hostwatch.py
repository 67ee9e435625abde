"""What a run left behind on the host, or touched there."""
import ctypes
import hashlib
import os
import signal
import stat
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE = 3.0  # seconds in which what a site leaves must be gone


def become_subreaper():
    """Every orphan below this process comes back to it, so nothing can hide by daemonising."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def processes():
    """pid -> (ppid, name, state) of every process of the host."""
    table = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stream:
                text = stream.read().decode("utf-8", "replace")
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        rest = text[text.rindex(")") + 2:].split()
        table[int(entry)] = (int(rest[1]), name, rest[0])
    return table


def descendants(root):
    """pid -> (name, state), of everything below root."""
    table = processes()
    children = {}
    for pid, (ppid, _, _) in table.items():
        children.setdefault(ppid, []).append(pid)
    found, queue = {}, list(children.get(root, []))
    while queue:
        pid = queue.pop()
        found[pid] = table[pid][1:]
        queue += children.get(pid, [])
    return found


def reap():
    """Collects the orphans that came back to us. Only for use when no child of our own is running."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def leftovers(grace=GRACE):
    """Processes still below us after the grace time."""
    end = time.monotonic() + grace
    while True:
        reap()
        left = descendants(os.getpid())
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def kill_below():
    """Kills everything below us until nothing is left."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        left = descendants(os.getpid())
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
        reap()


def fingerprint(root, contents=True):
    """path -> everything about it that a guest must not change."""
    found = {}

    def note(path):
        status = os.lstat(path)
        record = [status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_size, status.st_ino,
                  status.st_mtime_ns, status.st_ctime_ns]
        if stat.S_ISLNK(status.st_mode):
            record.append(os.readlink(path))
        elif contents and stat.S_ISREG(status.st_mode):
            with open(path, "rb") as stream:
                record.append(hashlib.sha256(stream.read()).hexdigest())
        found[path] = record
        return status

    root = str(root)
    note(root)
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            try:
                note(os.path.join(folder, name))
            except OSError:
                pass
    return found


def system_fingerprint():
    """Parts of the host that nothing but an attack would change during a run."""
    found = {}
    for root in ("/etc", "/root/.ssh", "/boot"):
        if os.path.isdir(root):
            found.update(fingerprint(root, contents=False))
    found["hostname"] = [os.uname().nodename]
    found["mounts"] = [sorted(line.split()[4] for line in open("/proc/self/mountinfo"))]
    return found


def difference(before, after):
    lines = []
    for path in sorted(set(before) | set(after)):
        if path not in after:
            lines.append(f"host: {path} is gone")
        elif path not in before:
            lines.append(f"host: {path} appeared")
        elif before[path] != after[path]:
            lines.append(f"host: {path} changed: {before[path]} -> {after[path]}")
    return lines


class SocketWatch(threading.Thread):
    """Samples the site's host processes; any internet or packet socket among their descriptors is a finding."""

    def __init__(self):
        super().__init__(daemon=True)
        self.findings, self.samples, self.stop = set(), 0, threading.Event()

    @staticmethod
    def foreign_inodes():
        inodes = {}
        for table, column in (("tcp", 9), ("udp", 9), ("tcp6", 9), ("udp6", 9), ("raw", 9), ("raw6", 9), ("icmp", 9),
                              ("packet", 8), ("netlink", 9)):
            try:
                with open(f"/proc/net/{table}") as stream:
                    for line in list(stream)[1:]:
                        fields = line.split()
                        if len(fields) > column:
                            inodes[fields[column]] = table
            except OSError:
                pass
        return inodes

    def run(self):
        while not self.stop.is_set():
            below = descendants(os.getpid())
            held = []
            for pid in below:
                try:
                    for number in os.listdir(f"/proc/{pid}/fd"):
                        held.append((pid, os.readlink(f"/proc/{pid}/fd/{number}")))
                except OSError:
                    continue
            inodes = self.foreign_inodes()
            for pid, target in held:
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    self.findings.add(f"host: {below[pid][0]} held a {inodes[target[8:-1]]} socket")
            self.samples += 1
            self.stop.wait(0.05)

    def finish(self):
        self.stop.set()
        self.join()
        if self.samples == 0:
            return ["the socket watch never took a sample"]
        return sorted(self.findings)
