# SPDX-License-Identifier: MIT
"""Python at one end and C at the other, both ways round: by name, by descriptor, by socket, and by
bstreamctl."""

import errno
import os
import signal
import socket
import subprocess
import unittest

import guard
from guard import bstream

SIZES = (0, 8, 48, 49, 1000, 4096, 65536)
COUNT = 500


def write_chunks(writer, count, size):
    for number in range(count):
        if number % 2:
            writer.write(guard.chunk(number, size))
        else:
            with writer.reserving(size) as span:
                span[:] = guard.chunk(number, size)


class ToC(guard.Case):
    def test_c_reads_what_python_writes(self):
        for size in SIZES:
            with self.subTest(size=size):
                bstream.create("x")
                peer = self.peer("read", "name:x")
                with bstream.Writer("x") as writer:
                    write_chunks(writer, COUNT, size)
                    writer.drain(guard.PATIENCE)
                self.assertEqual(self.said(peer).split()[:3], [str(COUNT), str(COUNT * size), "closed"])

    def test_c_learns_that_python_aborted(self):
        bstream.create("x")
        peer = self.peer("read", "name:x")
        writer = bstream.Writer("x")
        write_chunks(writer, 10, 100)
        writer.abort()
        self.assertEqual(self.said(peer).split()[:3], ["10", "1000", "died"])

    def test_c_learns_that_python_was_killed(self):
        bstream.create("x")
        peer = self.peer("read", "name:x")
        dying = self.python(
            "w = bstream.Writer('x'); w.write(bytes(8)); span = w.reserve(8)\n"
            "print('ready', flush=True); signal.pause()"
        )
        self.assertEqual(dying.stdout.readline(), "ready\n")
        dying.kill()
        self.assertEqual(self.said(peer).split()[:3], ["1", "8", "died"])

    def test_a_program_that_ends_without_close_died(self):
        bstream.create("x")
        peer = self.peer("read", "name:x")
        text = "w = bstream.Writer('x'); w.write(bytes(8)); raise SystemExit(3)"
        self.said(self.python(text, stderr=subprocess.DEVNULL), 3)
        self.assertEqual(self.said(peer).split()[:3], ["1", "8", "died"])

    def test_ends_go_to_c_as_descriptors(self):
        writer, reader = bstream.pair()
        fd = reader.detach()
        self.assertTrue(reader.closed)
        self.assertFalse(os.get_inheritable(fd))
        peer = self.peer("read", f"fd:{fd}", pass_fds=[fd])
        os.close(fd)
        with writer:
            write_chunks(writer, COUNT, 4096)
        self.assertEqual(self.said(peer).split()[:3], [str(COUNT), str(COUNT * 4096), "closed"])

    def test_ends_go_to_c_over_a_socket(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            writer, reader = bstream.pair()
            reading = self.peer("read", f"socket:{theirs.fileno()}", pass_fds=[theirs.fileno()])
            reader.send(ours)
            self.assertTrue(reader.closed)
            with writer:
                write_chunks(writer, COUNT, 64)
            self.assertEqual(self.said(reading).split()[:3], [str(COUNT), str(COUNT * 64), "closed"])
            writer, reader = bstream.pair()
            fd = theirs.fileno()
            writing = self.peer("write", f"socket:{fd}", COUNT, 64, pass_fds=[fd])
            writer.send(ours.fileno())
            with reader:
                self.assertEqual(list(reader), [guard.chunk(n, 64) for n in range(COUNT)])
            self.said(writing)

    def test_bstreamctl_reads_lines(self):
        bstream.create("lines")
        ctl = self.spawn(guard.BSTREAMCTL, "read", "--frame", "line", "lines")
        with bstream.Writer("lines") as writer:
            for line in ("one", "two", "three"):
                writer.write(line.encode())
        self.assertEqual(self.said(ctl), "one\ntwo\nthree")


class FromC(guard.Case):
    def test_python_reads_what_c_writes(self):
        for size in SIZES:
            for views in (False, True):
                with self.subTest(size=size, views=views):
                    bstream.create("x", capacity=4)
                    peer = self.peer("write", "name:x", COUNT, size)
                    with bstream.Reader("x") as reader:
                        count = 0
                        for chunk in reader.views() if views else reader:
                            self.assertEqual(chunk, guard.chunk(count, size))
                            count += 1
                    self.assertEqual(count, COUNT)
                    self.said(peer)

    def test_python_learns_that_c_died(self):
        bstream.create("x")
        peer = self.peer("die", "name:x", 7, 100)
        with bstream.Reader("x") as reader:
            count = 0
            with self.raises_errno(errno.ECONNRESET, bstream.WriterDiedError):
                for _ in reader.views(guard.PATIENCE):
                    count += 1
        self.assertEqual(count, 7)
        self.said(peer)

    def test_python_learns_that_a_c_reader_was_killed(self):
        bstream.create("x", capacity=2)
        peer = self.peer("read", "name:x")
        with bstream.Writer("x") as writer:
            writer.write(bytes(8))
            bstream.wait("x", "reader", guard.PATIENCE)
            peer.send_signal(signal.SIGKILL)
            with self.raises_errno(errno.EPIPE, BrokenPipeError):
                while True:
                    writer.write(bytes(8), guard.PATIENCE)

    def test_ends_come_from_c_over_a_socket(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            fd = theirs.fileno()
            bstream.create("x")
            self.said(self.peer("send", "writer", "x", fd, pass_fds=[fd]))
            self.said(self.peer("send", "reader", "x", fd, pass_fds=[fd]))
            with bstream.Writer.recv(ours) as writer, bstream.Reader.recv(ours.fileno()) as reader:
                writer.write(b"both here")
                self.assertEqual(reader.read(), b"both here")
            bstream.create("y")
            self.said(self.peer("send", "reader", "y", fd, pass_fds=[fd]))
            with self.raises_errno(errno.EPROTO, bstream.ProtocolError):
                bstream.Writer.recv(ours)  # it is a reader
            theirs.close()
            with self.raises_errno(errno.ECONNRESET, ConnectionResetError) as raised:
                bstream.Reader.recv(ours)
            self.assertNotIsInstance(raised.error, bstream.WriterDiedError)

    def test_bstreamctl_writes_lines(self):
        ctl = self.spawn(guard.BSTREAMCTL, "write", "--frame", "line", "lines", stdin=subprocess.PIPE)
        with bstream.Reader("lines") as reader:
            ctl.stdin.write("one\ntwo\nthree\n")
            ctl.stdin.close()
            ctl.stdin = None
            self.assertEqual(list(reader), [b"one", b"two", b"three"])
        self.said(ctl)


if __name__ == "__main__":
    guard.main()
