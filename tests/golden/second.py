# SPDX-License-Identifier: MIT
"""A second implementation, written from bstream-wire(7) and bstream-layout(7) and nothing else: ends of
streams in Python, without the library, that stream to and from bstreamctl. What it does not need of the pages
it leaves out: sealing what it makes, moving ends, mailboxes.

Words are read and written by libatomic, since Python has no atomic operations. The comments name the sections
of the pages. TAP. Run it in the build tree, or set top_builddir.
"""

import ctypes
import fcntl
import glob
import mmap
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("top_builddir", os.getcwd()))
BSTREAMCTL = os.path.join(BUILD, "cli", "bstreamctl")
PATIENCE = 120  # seconds that only a fault can reach
CALLS = {"x86_64": (324, 202), "aarch64": (283, 98)}  # membarrier, futex


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


try:
    atomic = ctypes.CDLL("libatomic.so.1")
    fence = atomic.atomic_thread_fence
except (OSError, AttributeError):
    skip("there is no libatomic")
if platform.machine() not in CALLS:
    skip("the numbers of this machine's system calls are not known here")
MEMBARRIER, FUTEX = CALLS[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)

# ---- words ------------------------------------------------------------------------------------------

ACQUIRE, RELEASE, SEQ_CST = 2, 3, 5
TYPES = {4: ctypes.c_uint32, 8: ctypes.c_uint64}
LOAD, STORE, SWAP = {}, {}, {}
for n_bytes, ctype in TYPES.items():
    LOAD[n_bytes] = atomic[f"__atomic_load_{n_bytes}"]
    LOAD[n_bytes].restype, LOAD[n_bytes].argtypes = ctype, (ctypes.c_void_p, ctypes.c_int)
    STORE[n_bytes] = atomic[f"__atomic_store_{n_bytes}"]
    STORE[n_bytes].restype, STORE[n_bytes].argtypes = None, (ctypes.c_void_p, ctype, ctypes.c_int)
    SWAP[n_bytes] = atomic[f"__atomic_compare_exchange_{n_bytes}"]
    SWAP[n_bytes].restype = ctypes.c_bool
    SWAP[n_bytes].argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctype, ctypes.c_int, ctypes.c_int)


class Word:
    def __init__(self, base, offset, size):
        self.at, self.size = base + offset, size

    def load(self):
        return LOAD[self.size](self.at, ACQUIRE)

    def store(self, value):
        STORE[self.size](self.at, value, RELEASE)

    def swap(self, old, new):
        expected = TYPES[self.size](old)
        return SWAP[self.size](self.at, ctypes.addressof(expected), new, SEQ_CST, SEQ_CST)

    def add(self, n):
        self.store(self.load() + n)  # of a word that is ours alone


def light_barrier():
    fence(SEQ_CST)


def heavy_barrier():
    fence(SEQ_CST)
    if libc.syscall(MEMBARRIER, 2, 0, 0) != 0:  # GLOBAL_EXPEDITED
        raise OSError(ctypes.get_errno(), "membarrier")


# ---- bstream-wire(7) --------------------------------------------------------------------------------

CREATE, OPEN_WRITER, OPEN_READER, BROKER = 1, 2, 3, 10


def packet(kind, body=b""):
    return struct.pack("=IHHIHH", 0x72747362, 2, kind, 16 + len(body), 1, 0) + body


def ask(kind, body=b"", fds=()):
    path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "bstream", "broker.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.settimeout(PATIENCE)
        link.connect(path)
        socket.send_fds(link, [packet(kind, body)], list(fds))
        answer, got, _, _ = socket.recv_fds(link, 65536, 1)
    magic, version, answered, size, _, _ = struct.unpack_from("=IHHIHH", answer)
    assert (magic, version, answered, size) == (0x72747362, 2, kind, len(answer))
    (result,) = struct.unpack_from("=i", answer, 16)
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return answer, got


def open_end(kind, name):
    body = struct.pack("=I204s", 1, name.encode())  # 1: wait for the name
    return ask(kind, body)[1][0]


# ---- bstream-layout(7) ------------------------------------------------------------------------------

READ_BYTE = 2**62 + 1
WRITE_BYTE = 2**62 + 2
F_OFD_GETLK, F_OFD_SETLK = 36, 37
FLOCK = "hh4xqqi4x"


class Segment:
    """THE HEADER, SLOTS AND BODIES, and the words."""

    def __init__(self, fd):
        self.fd = fd
        header = os.pread(fd, 512, 0)
        magic, version, flags, self.capacity, self.chunk_max, self.max_writers, _, size = struct.unpack_from(
            "=8sIIIIIIQ", header
        )
        assert magic == b"bstream\0" and version == 1 and flags & ~3 == 0
        self.sealed = flags & 1
        self.slots = -(-(1024 + 64 * self.max_writers) // 4096) * 4096
        sizes = [n for n in (48, 256, 1024, 4096) if n < self.chunk_max] + [self.chunk_max]
        self.classes = [(48, 0, 0)] if self.chunk_max <= 48 else []
        at = self.slots + 64 * self.capacity
        for n in sizes if not self.classes else []:
            stride = -(-n // 64) * 64
            if stride > 4096 and stride % 4096 == 0:
                stride += 64
            self.classes.append((n, at, stride))
            at += stride * self.capacity if n != 48 else 0
        assert size == -(-at // 4096) * 4096 and size <= os.fstat(fd).st_size
        self.map = mmap.mmap(fd, size)
        self.map.madvise(mmap.MADV_DONTFORK)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.writers, self.reader, self.shared = self.word(512), self.word(520), self.word(528, 4)
        self.tail, self.head = self.word(576), self.word(640)
        if libc.syscall(MEMBARRIER, 4, 0, 0) != 0:  # REGISTER_GLOBAL_EXPEDITED
            raise OSError(ctypes.get_errno(), "membarrier")

    def word(self, offset, size=8):
        return Word(self.base, offset, size)

    def line(self, k):
        return 1024 + 64 * k

    def seq(self, i):
        return self.word(self.slots + 64 * (i % self.capacity))

    def place(self, i, group):
        """Where chunk i of this class is."""
        if group == 0:
            return self.slots + 64 * (i % self.capacity) + 16
        return self.classes[group][1] + self.classes[group][2] * (i % self.capacity)

    # ENDS ARE LOCKS

    def locked(self, first, n=1):
        """Is any of these bytes locked by another end?"""
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, first, n, 0)
        return struct.unpack(FLOCK, fcntl.fcntl(self.fd, F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK

    def unlock(self, byte):
        fcntl.fcntl(self.fd, F_OFD_SETLK, struct.pack(FLOCK, fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0))

    def own(self, line, writer):
        """Write the line of an end that is attached now."""
        owner = self.word(line)
        if writer:
            self.word(line + 20, 4).store(os.getpid())
            self.word(line + 56, 4).store(os.getuid())
        else:
            self.word(line + 8, 4).store(os.getpid())
            self.word(line + 12, 4).store(os.getuid())
        owner.store((owner.load() & ~3) + 4 | 1)

    # WORDS THAT DECIDE

    def end(self):
        """The stream ends if no writer is there. Returns the word."""
        while True:
            word = self.writers.load()
            if not word & (1 | 16) or word & (2 | 8) or self.locked(WRITE_BYTE, 0):
                return word
            died = any(self.word(self.line(k)).load() & 3 for k in range(self.max_writers))
            if self.writers.swap(word, (word | 2 | (4 if died else 0)) + 256):
                self.wake_all()

    def break_off(self):
        """The read end is gone, if it is. Returns whether."""
        word = self.reader.load()
        if word & 3 == 1 and not self.locked(READ_BYTE):
            if self.reader.swap(word, (word & ~3 | (0 if word & 12 == 4 else 2)) + 256):
                self.wake_all()
        return self.reader.load() & 3 == 2

    # SLEEPING AND WAKING. The two hints differ in where their fields are.

    def wake(self, hint, count):
        light_barrier()
        sem, gen, poll = (784, 780, 776) if hint == 768 else (856, 892, 848)
        wake_at = self.word(hint)
        wanted = wake_at.load()
        if wanted == 0 or count is not None and count < wanted or not wake_at.swap(wanted, 0):
            return
        if self.word(poll, 4).swap(1, 0):
            self.event(hint)
            if hint == 768 or self.word(888, 4).load() == 0:
                return
        if self.sealed:
            self.ring(gen)
        else:
            libc.sem_post(ctypes.c_void_p(self.base + sem))

    def event(self, hint):
        if hint == 768:
            os.pread(self.fd, 1, 0)
        else:
            libc.fallocate(self.fd, 1, ctypes.c_long(0), ctypes.c_long(1))  # FALLOC_FL_KEEP_SIZE

    def wake_all(self):
        self.word(840).store(0)
        self.ring(852)
        for hint in 768, 832:
            self.wake(hint, None)

    def change(self, word, n):
        while word and not word.swap(old := word.load(), (old + n) % 2**32):
            pass

    def ring(self, gen):
        self.change(self.word(gen, 4), 1)
        libc.syscall(FUTEX, ctypes.c_void_p(self.base + gen), 1, 1, None, None, 0)  # WAKE

    def wake_watchers(self, count):
        watch_at = self.word(840)
        wanted = watch_at.load()
        if wanted and count >= wanted and watch_at.swap(wanted, 0):
            self.ring(852)

    def sleep(self, hint, count, ready):
        """Sleep for a slice until the count is reached; ready() looks whether it is."""
        sem, gen = (784, 780) if hint == 768 else (856, 892)
        before = self.word(gen, 4).load() if self.sealed else 0
        self.word(hint).store(count)
        heavy_barrier()
        if ready():
            return
        sleepers = self.word(888, 4) if hint == 832 else None
        self.change(sleepers, 1)
        if self.sealed:
            slice = struct.pack("qq", 0, 250_000_000)
            libc.syscall(FUTEX, ctypes.c_void_p(self.base + gen), 0, before, slice, None, 0)  # WAIT
        else:
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 250_000_000
            slice = struct.pack("qq", now // 10**9, now % 10**9)
            libc.sem_clockwait(ctypes.c_void_p(self.base + sem), 1, slice)  # CLOCK_MONOTONIC
        self.change(sleepers, -1)


class Writer:
    def __init__(self, name):
        self.fd = open_end(OPEN_WRITER, name)
        self.segment = s = Segment(self.fd)
        self.byte = os.lseek(self.fd, 0, os.SEEK_CUR)
        self.line = s.line(self.byte - WRITE_BYTE)
        self.intent, self.inside = s.word(self.line + 8), s.word(self.line + 16, 4)
        # Attaching a write end
        self.intent.store(0)
        self.inside.store(0)
        while True:
            word = s.writers.load()
            if word & 2 or s.reader.load() & 3 == 2:
                raise BrokenPipeError(name)
            died = 4 if s.word(self.line).load() & 3 else 0
            if s.writers.swap(word, (word | 1 | died) + 256):
                break
        s.own(self.line, True)
        # From one to several
        others = s.locked(self.byte + 1, 0)
        if self.byte > WRITE_BYTE:
            others = others or s.locked(WRITE_BYTE, self.byte - WRITE_BYTE)
        if s.shared.load() < 2 and others:
            s.shared.store(1)
            heavy_barrier()
            for k in range(s.max_writers):
                while s.word(s.line(k) + 16, 4).load() and s.locked(WRITE_BYTE + k):
                    os.sched_yield()
            self.catch_up()
            s.shared.store(2)
        else:
            self.catch_up()

    def catch_up(self):
        s = self.segment
        for _ in range(s.capacity):
            t = s.tail.load()
            if s.seq(t).load() != t + 1:
                break
            s.tail.swap(t, t + 1)

    def wait_for_room(self):
        """Returns the number of a chunk for which there is room."""
        s = self.segment
        while True:
            t = s.tail.load()
            if s.reader.load() & 3 == 2:
                raise BrokenPipeError
            if t - s.head.load() < s.capacity:
                return t
            s.sleep(832, t - s.capacity + 1, lambda: t - s.head.load() < s.capacity)
            s.break_off()

    def fill(self, t, chunk):
        s = self.segment
        group = next(n for n, (size, _, _) in enumerate(s.classes) if len(chunk) <= size)
        at = s.place(t, group)
        s.map[at : at + len(chunk)] = chunk
        slot = s.slots + 64 * (t % s.capacity)
        s.word(slot + 8, 4).store(len(chunk))
        s.word(slot + 12, 4).store(group << 8)
        s.seq(t).store(t + 1)

    def write_alone(self, chunk):
        """Returns whether it has, or somebody else has come."""
        s = self.segment
        t = self.wait_for_room()
        self.inside.store(1)
        light_barrier()
        alone = s.shared.load() == 0
        if alone:
            self.fill(t, chunk)
            s.tail.store(t + 1)
        self.inside.store(0)
        if alone:
            s.wake(768, t + 1)
        return alone

    def claim(self, most):
        """Returns the number of the first, and how many there was room for."""
        s = self.segment
        while s.shared.load() == 1:
            os.sched_yield()
        while True:
            t = self.wait_for_room()
            n = max(1, min(most, s.capacity - (t - s.head.load())))
            self.intent.store(t + 1 | n - 1 << 56)
            if s.tail.swap(t, t + n):
                return t, n
            self.intent.store(0)

    def write_among_others(self, chunks):
        """Returns how many were written."""
        t, n = self.claim(len(chunks))
        for i in range(n):
            self.fill(t + i, chunks[i])
        self.intent.store(0)
        self.segment.wake(768, t + n)
        return n

    def write(self, chunk):
        if not self.write_alone(chunk):
            self.write_among_others([chunk])
        self.segment.word(self.line + 24).add(1)
        self.segment.word(self.line + 32).add(len(chunk))

    def close(self):
        s = self.segment
        owner = s.word(self.line)
        for here, there in (24, 896), (32, 904):
            s.word(there).add(s.word(self.line + here).load())
            s.word(self.line + here).store(0)
        owner.store(owner.load() & ~3)
        s.unlock(self.byte)
        s.end()
        os.close(self.fd)


class Reader:
    def __init__(self, name):
        self.fd = open_end(OPEN_READER, name)
        self.segment = s = Segment(self.fd)
        assert os.lseek(self.fd, 0, os.SEEK_CUR) == READ_BYTE
        while True:  # Opening the read end
            word = s.reader.load()
            assert word & 3 == 0
            if s.reader.swap(word, word + 1 + 256):
                break
        s.own(704, False)
        self.died = False

    def __iter__(self):
        s = self.segment
        while True:
            h = s.head.load()
            if s.seq(h).load() == h + 1:
                chunk = self.take(h)
                self.release(h)
                if chunk is not None:
                    yield chunk
            elif s.tail.load() > h:
                self.step_over(h)
            else:
                word = s.end()
                if word & 2 and s.tail.load() == h:
                    self.died = bool(word & 4)
                    while not s.reader.swap(old := s.reader.load(), (old | 8) + 256):
                        pass
                    return
                if not word & 2:
                    s.sleep(768, h + 1, lambda: s.tail.load() > h)

    def take(self, h):
        s = self.segment
        slot = s.slots + 64 * (h % s.capacity)
        peer_len, peer_flags = s.word(slot + 8, 4).load(), s.word(slot + 12, 4).load()
        group = peer_flags >> 8
        assert peer_flags & 0xFE == 0 and group < len(s.classes) and peer_len <= s.classes[group][0]
        if peer_flags & 1:
            return None
        at = s.place(h, group)
        return s.map[at : at + peer_len]

    def release(self, h):
        s = self.segment
        s.word(720).add(1)
        s.head.store(h + 1)
        s.wake(832, h + 1)
        s.wake_watchers(h + 1)

    def step_over(self, h):
        """The chunk is claimed, and not there."""
        s = self.segment
        for k in range(s.max_writers):
            peer_intent = s.word(s.line(k) + 8).load()
            first, more = peer_intent % 2**56, peer_intent >> 56
            if first and first <= h + 1 <= first + more and s.locked(WRITE_BYTE + k):
                os.sched_yield()
                return
        if s.seq(h).load() != h + 1:
            s.word(736).add(1)
            self.release(h)

    def close(self):
        s = self.segment
        s.word(704).store(s.word(704).load() & ~3)
        s.unlock(READ_BYTE)
        s.break_off()
        os.close(self.fd)


# ---- with bstreamctl --------------------------------------------------------------------------------

SIZES = (0, 1, 48, 49, 256, 257, 1024, 1025, 4096, 4097, 65535, 65536)
started = []  # what is killed if it hangs
LINES = [b"%d:" % n + b"x" * (n * 37 % 3000) for n in range(3000)]


def ctl(*arguments, **options):
    return subprocess.run([BSTREAMCTL, *arguments], timeout=PATIENCE, check=True, capture_output=True, **options).stdout


def start(*arguments, **options):
    started.append(subprocess.Popen([BSTREAMCTL, *arguments], **options))
    return started[-1]


def finished(process, code):
    if process.stdin:
        process.stdin.close()
        process.stdin = None
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == code, (process.args, process.returncode)
    return output


def records(chunks):
    """As --frame len32 has them."""
    return b"".join(struct.pack(">I", len(chunk)) + chunk for chunk in chunks)


def fork(job, *arguments):
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        job(*arguments)
        os._exit(0)
    return pid


def put(process, data):
    process.stdin.write(data)
    process.stdin.close()


def feed(process, data):
    fork(put, process, data)
    process.stdin.close()


def write_several(name, chunks):
    writer, other = Writer(name), Writer(name)
    while chunks:
        chunks = chunks[writer.write_among_others(chunks[:5]) :]
    writer.close()
    other.close()


def write_all(name, chunks):
    writer = Writer(name)
    for chunk in chunks:
        writer.write(chunk)
    writer.close()


def the_broker_says_how_it_is():
    answer, _ = ask(BROKER)
    _, uid, wire, layout = struct.unpack_from("=IIII", answer, 20)
    assert (uid, wire, layout) == (os.getuid(), 2, 1)


def what_is_refused_is_an_errno():
    ctl("create", "taken")
    ctl("write", "taken", stdin=subprocess.DEVNULL)
    try:
        open_end(OPEN_WRITER, "taken")
    except OSError as e:
        print(f"# {e}")
    else:
        raise AssertionError("a stream that has ended was opened")
    ctl("rm", "taken")


def a_reader_here(*kind):
    chunks = [b"y" * n for n in SIZES] + LINES
    ctl("create", "in", "--capacity", "4", *kind)
    writer = start("write", "in", "--frame", "len32", "--drain", stdin=subprocess.PIPE)
    feed(writer, records(chunks))
    reader = Reader("in")
    got = list(reader)
    assert got == chunks, (len(got), len(chunks))
    assert not reader.died
    reader.close()
    finished(writer, 0)


def a_writer_here(*kind, write=write_all):
    chunks = [b"y" * n for n in SIZES] + LINES
    ctl("create", "out", "--capacity", "4", *kind)
    reader = start("read", "out", "--frame", "len32", stdout=subprocess.PIPE)
    pid = fork(write, "out", chunks)
    assert finished(reader, 0) == records(chunks)
    assert os.waitpid(pid, 0)[1] == 0


def a_writer_of_several_at_once_here(*kind):
    a_writer_here(*kind, write=write_several)


def several_claimed_at_once_are_one_writers(*kind):
    ctl("create", "several", *kind)
    writer, other = Writer("several"), Writer("several")
    assert writer.claim(3) == (0, 3)
    other.write(b"behind")
    writer.fill(0, b"first")
    reader = Reader("several")
    chunks = iter(reader)
    assert next(chunks) == b"first"
    reader.step_over(1)
    assert reader.segment.head.load() == 1  # he may still write it
    writer.fill(1, b"second")
    writer.segment.unlock(writer.byte)  # what the kernel does when he dies
    assert [next(chunks), next(chunks)] == [b"second", b"behind"]
    other.close()
    assert not list(chunks) and reader.died
    reader.close()
    os.close(writer.fd)


def writers_on_both_sides(*kind):
    ctl("create", "many", "--keep=writers", "--capacity", "4", *kind)
    out = tempfile.TemporaryFile()
    reader = start("read", "many", "--frame", "line", stdout=out)
    pids, others = [], []
    for _ in range(2):
        pids.append(fork(write_all, "many", LINES))
        others.append(start("write", "many", "--frame", "line", stdin=subprocess.PIPE))
        feed(others[-1], b"".join(line + b"\n" for line in LINES))
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    for other in others:
        finished(other, 0)
    ctl("eof", "many")
    finished(reader, 0)
    out.seek(0)
    assert sorted(out.read().splitlines()) == sorted(LINES * 4)
    out.close()


def deaths_on_both_sides(*kind):
    ctl("create", "dead", *kind)
    fork(lambda: Writer("dead").write(b"begun"))  # without closing
    assert finished(start("read", "dead", stdout=subprocess.PIPE), 7) == b"begun"
    ctl("create", "dead", *kind)
    writer = start("write", "dead", stdin=subprocess.PIPE)
    writer.stdin.write(b"begun")
    writer.stdin.flush()
    reader = Reader("dead")
    for chunk in reader:
        assert chunk == b"begun"
        writer.kill()
    assert reader.died
    finished(writer, -9)
    reader.close()


def a_reader_that_leaves(*kind):
    ctl("create", "left", *kind)
    writer = start("write", "left", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    writer.stdin.write(b"x")
    writer.stdin.flush()
    reader = Reader("left")
    next(iter(reader))
    reader.close()
    assert writer.wait(PATIENCE) == 10
    writer.stdin.close()


def nothing_is_left():
    prefix = 0xCBF29CE484222325  # FNV-1a
    for byte in os.fsencode(os.path.join(os.environ["XDG_RUNTIME_DIR"], "bstream", "broker.sock")):
        prefix = (prefix ^ byte) * 0x100000001B3 % 2**64
    assert ctl("ls", "--no-headings") == b""
    assert not glob.glob(f"/dev/shm/bstream.{prefix:016x}.*")


def main():
    os.environ["BSTREAM_DAEMON"] = os.path.join(BUILD, "daemon", "bstreamd")
    os.environ.pop("BSTREAM_SOCKET", None)
    os.environ["XDG_RUNTIME_DIR"] = run = tempfile.mkdtemp(prefix="bstream-second.")
    failed = n = 0
    signal.alarm(2 * PATIENCE)
    tests = [(the_broker_says_how_it_is,), (what_is_refused_is_an_errno,)]
    for kind in (), ("--sealed",):
        for test in (
            a_reader_here,
            a_writer_here,
            a_writer_of_several_at_once_here,
            several_claimed_at_once_are_one_writers,
            writers_on_both_sides,
            deaths_on_both_sides,
            a_reader_that_leaves,
        ):
            tests.append((test, *kind))
    tests.append((nothing_is_left,))
    print(f"1..{len(tests)}", flush=True)
    ctl("daemon", "start")
    try:
        for test, *kind in tests:
            n += 1
            name = " ".join([test.__name__.replace("_", " "), *kind])
            try:
                test(*kind)
                print(f"ok {n} - {name}", flush=True)
            except (AssertionError, OSError, subprocess.SubprocessError) as e:
                failed = 1
                print(f"not ok {n} - {name}\n# {e!r}", flush=True)
    finally:
        for process in started:
            process.kill()  # those that have been waited for are left alone
        subprocess.run([BSTREAMCTL, "-q", "daemon", "stop"], timeout=PATIENCE, check=False)
        shutil.rmtree(run)
    return failed


sys.exit(main())
