# SPDX-License-Identifier: MIT
"""Signals, forks, ends that move, sockets."""

import errno
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import unittest

import guard
from guard import bstream

# The main thread says "ready", and then waits in the call that stands for CALL.
INTERRUPTED = """
import threading
w, r = bstream.pair(capacity=1)
bstream.create("there")
ours, theirs = socket.socketpair()
def main():
    CALL
try:
    print("ready", flush=True)
    main()
except KeyboardInterrupt:
    print("interrupted", repr(w), repr(r), flush=True)
    r.close(); w.close(); bstream.remove("there")
"""


def asleep(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "S"


class Signals(guard.Case):
    def test_control_c_ends_every_wait(self):
        calls = [
            "r.read()",
            "r.peek()",
            "next(r.views())",
            "r.readinto(bytearray(9))",
            "w.write(b'1'); w.write(b'2')",
            "w.write(b'1'); w.write(bytearray(b'2'))",
            "w.write(b'1'); w.reserve(1)",
            "w.write(b'1'); w.drain()",
            "bstream.open('not.there')",
            "bstream.open('not.there', 'w', 1000)",
            "bstream.wait('there', 'reader')",
            "bstream.wait('not.there', 'exists')",
            "bstream.wait('not.there', 'mailbox')",
            "bstream.Mailbox('box').recv()",
            "bstream.Reader.recv(ours)",
            "bstream.Writer.recv(ours.fileno())",
        ]
        for call in calls:
            with self.subTest(call):
                child = self.python(INTERRUPTED.replace("CALL", call))
                self.assertEqual(child.stdout.readline(), "ready\n")
                guard.until(lambda: asleep(child.pid))
                child.send_signal(signal.SIGINT)
                said = self.said(child)
                self.assertRegex(said, r"^interrupted Writer\(\(pair\), ./1 chunks, open\) Reader")

    @staticmethod
    def interrupt(reader):
        """A thread that sends SIGUSR1 once the reader waits: not sooner, however slow the machine is."""

        def run():
            guard.until(lambda: reader._h is None and asleep(os.getpid()))
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def test_a_handler_that_returns_does_not_end_a_wait(self):
        writer, reader = self.pair()
        seen = []
        thread = threading.Thread(target=lambda: writer.write(b"after the signal"))
        before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(repr(reader)) or thread.start())
        try:
            sender = self.interrupt(reader)
            self.assertEqual(reader.read(guard.PATIENCE), b"after the signal")
            sender.join()
            thread.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
        self.assertEqual(seen, ["Reader(in use)"])

    def test_a_handler_that_uses_the_end_is_refused(self):
        writer, reader = self.pair()

        def handler(*_):
            reader.close()

        before = signal.signal(signal.SIGUSR1, handler)
        try:
            sender = self.interrupt(reader)
            with self.assertRaisesRegex(RuntimeError, "in use"):
                reader.read(guard.PATIENCE)
            sender.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
        writer.write(b"still good")
        self.assertEqual(reader.read(), b"still good")


class Threads(guard.Case):
    @unittest.skipIf(sys.version_info < (3, 11), "the interpreter may change threads while an end is taken")
    def test_of_threads_that_want_an_end_one_has_it(self):
        writer, _ = self.pair()
        holders, wrong = [0], []

        def want():
            for _ in range(30000):
                try:
                    h = writer._take()
                except RuntimeError:
                    continue
                holders[0] += 1
                for _ in range(3):  # here threads do change
                    if holders[0] != 1:
                        wrong.append(holders[0])
                holders[0] -= 1
                writer._h = h

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=want) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        self.assertEqual(wrong, [])
        writer.write(b"still good")


class Forks(guard.Case):
    def test_a_child_does_not_get_its_parents_ends(self):
        writer, reader = self.pair()
        writer.write(b"parent's")
        pid = os.fork()
        if pid == 0:
            code = 0
            try:
                calls = (
                    lambda: writer.write(b"child's"),
                    lambda: writer.reserve(1),
                    lambda: reader.read(),
                    lambda: reader.peek(),
                    lambda: reader.detach(),
                    lambda: writer.clone(),
                )
                for bit, call in enumerate(calls):
                    try:
                        call()
                        code |= 1 << bit
                    except bstream.StaleError as error:
                        if error.errno != errno.ESTALE:
                            code |= 1 << bit
                writer.abort()  # neither kills nor closes the parent's
                reader.close()
            except BaseException:
                code = 255
            os._exit(code)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        writer.write(b"more")
        self.assertEqual([reader.read(), reader.read()], [b"parent's", b"more"])
        writer.close()
        self.assertIsNone(reader.read())

    def test_a_child_gets_an_end_by_detach_and_attach(self):
        writer, reader = bstream.pair()
        fd = writer.detach()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with bstream.Writer.attach(fd) as mine:
                    mine.write(b"from the child")
                code = 0
            finally:
                os._exit(code)
        os.close(fd)
        self.assertEqual(list(reader), [b"from the child"])
        reader.close()
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_multiprocessing_of_both_kinds(self):
        for kind in ("fork", "spawn"):
            with self.subTest(kind):
                context = multiprocessing.get_context(kind)
                bstream.create("numbers")
                worker = context.Process(target=feed, args=("numbers", 100))
                worker.start()
                with bstream.Reader("numbers") as reader:
                    self.assertEqual([int(chunk) for chunk in reader], list(range(100)))
                worker.join()
                self.assertEqual(worker.exitcode, 0)
                worker.close()
        if multiprocessing.resource_tracker._resource_tracker._pid:
            multiprocessing.resource_tracker._resource_tracker._stop()


def feed(name, count):
    """Another process's part."""
    with bstream.Writer(name) as writer:
        for number in range(count):
            writer.write(b"%d" % number)


class Moves(guard.Case):
    def test_a_detached_end_comes_back(self):
        writer, reader = bstream.pair()
        writer.write(b"1")
        self.assertEqual(bytes(reader.peek()), b"1")
        reader = bstream.Reader.attach(reader.detach())
        writer = bstream.Writer.attach(writer.detach())
        writer.write(b"2")
        writer.close()
        self.assertEqual(list(reader), [b"1", b"2"])
        reader.close()

    def test_a_detached_end_that_is_dropped_died(self):
        writer, reader = self.pair()
        os.close(writer.detach())
        with self.assertRaises(bstream.WriterDiedError):
            reader.read()

    def test_attach_refuses_what_is_no_end(self):
        writer, reader = self.pair()
        with open("/dev/null", "rb") as null:
            with self.raises_errno(errno.EPROTO, bstream.ProtocolError):
                bstream.Reader.attach(null.fileno())
        with self.raises_errno(errno.EBADF):
            bstream.Writer.attach(999)
        fd = writer.detach()
        with self.raises_errno(errno.EPROTO):
            bstream.Reader.attach(fd)
        writer = bstream.Writer.attach(fd)
        writer.reserve(1)
        with self.raises_errno(errno.EBUSY, bstream.BusyError):
            writer.detach()
        self.assertFalse(writer.closed)
        writer.close()

    def test_sockets_wait_as_they_would(self):
        writer, reader = self.pair()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(0.05)
            with self.raises_errno(errno.ETIMEDOUT, TimeoutError):
                bstream.Reader.recv(ours)
            ours.setblocking(False)
            with self.raises_errno(errno.EAGAIN, BlockingIOError):
                bstream.Reader.recv(ours)
            with self.raises_errno(errno.EAGAIN, BlockingIOError):
                bstream.Writer.recv(ours.fileno())
            theirs.close()
            with self.raises_errno(errno.EPIPE, BrokenPipeError):
                reader.send(ours)
            writer.write(b"stays")
            self.assertEqual(reader.read(), b"stays")


if __name__ == "__main__":
    guard.main()
