# SPDX-License-Identifier: MIT
"""Named streams and the broker."""

import errno
import os
import threading
import unittest

import guard
from guard import bstream


class Names(guard.Case):
    def test_a_stream_is_made_opened_and_over(self):
        bstream.create("logs", capacity=3, chunk_max=100, max_writers=2, mode=0o640)
        with self.raises_errno(errno.EEXIST, FileExistsError) as raised:
            bstream.create("logs")
        self.assertEqual(raised.error.filename, "logs")
        writer = bstream.open("logs", "w")
        writer.write(b"early")
        stat = bstream.stat("logs")
        self.assertEqual(
            (stat.name, stat.capacity, stat.chunk_max, stat.max_writers, stat.mode, stat.keep),
            ("logs", 3, 100, 2, 0o640, None),
        )
        self.assertEqual((stat.in_flight, stat.writers, stat.reader), (1, 1, "parked"))
        self.assertEqual((stat.uid, stat.writer_pid), (os.getuid(), os.getpid()))
        with bstream.open(b"logs", "r") as reader:
            with self.raises_errno(errno.EBUSY, bstream.BusyError):
                bstream.open("logs")
            writer.close()
            self.assertEqual(list(reader), [b"early"])
            self.assertTrue(reader.stat().ended)
        with self.raises_errno(errno.ENOENT, FileNotFoundError):
            bstream.open("logs", timeout=0)
        with self.raises_errno(errno.ENOENT, FileNotFoundError):
            bstream.stat("logs")

    def test_a_group_is_one_of_ours_and_a_number(self):
        bstream.create("ours", mode=0o660, gid=os.getgid())
        self.assertEqual(bstream.stat("ours").gid, os.getgid())
        for gid in (-1, 2**32):
            with self.raises_errno(errno.EINVAL):
                bstream.create("nobodys", gid=gid)
        bstream.remove("ours")

    def test_names_that_cannot_be(self):
        for name in ("", "/x", ".x", "a b", "x" * 201, "nul\0inside", "ümlaut"):
            for call in (bstream.create, bstream.remove, bstream.eof, bstream.stat, bstream.ends):
                with self.raises_errno(errno.EINVAL):
                    call(name)
            with self.raises_errno(errno.EINVAL):
                bstream.Reader(name, timeout=0)
            with self.raises_errno(errno.EINVAL):
                bstream.wait(name, "exists", timeout=0)

    def test_options_that_cannot_be(self):
        for wrong in ({"chunk_max": 0}, {"chunk_max": -1}, {"max_writers": 5000}, {"capacity": 2**32}):
            with self.raises_errno(errno.EINVAL):
                bstream.create("x", **wrong)
            with self.raises_errno(errno.EINVAL):
                bstream.pair(**wrong)
        with self.assertRaises(ValueError):
            bstream.create("x", keep="yes")
        with self.assertRaises(ValueError):
            bstream.open("x", "rw")
        with self.assertRaises(ValueError):
            bstream.wait("x", "weather")

    def test_opening_waits_for_the_name(self):
        opened = []
        thread = threading.Thread(target=lambda: opened.append(bstream.Writer("later", guard.PATIENCE)))
        thread.start()
        with self.raises_errno(errno.ETIMEDOUT, TimeoutError):
            bstream.Reader("later", 0.3)  # longer than a slice
        bstream.create("later")
        thread.join()
        with opened[0] as writer, bstream.Reader("later") as reader:
            writer.write(b"x")
            self.assertEqual(reader.read(), b"x")

    def test_a_kept_reader_parks_and_goes_on(self):
        bstream.create("kept", keep="reader")
        with bstream.Writer("kept") as writer:
            for word in (b"1", b"2", b"3", b"4"):
                writer.write(word)
            with bstream.Reader("kept") as reader:
                self.assertEqual(reader.read(), b"1")
                reader.peek()
                reader.park()
                self.assertTrue(reader.closed)
            with bstream.Reader("kept") as reader:
                self.assertEqual(reader.read(), b"2")
            with bstream.Reader("kept") as reader:
                self.assertEqual(reader.read(), b"3")
        self.assertEqual(bstream.stat("kept").keep, "reader")
        bstream.remove("kept")
        with self.raises_errno(errno.ENOENT, FileNotFoundError):
            bstream.remove("kept")

    def test_kept_writers_end_by_eof(self):
        bstream.create("kept", keep="writers")
        bstream.Writer("kept").close()
        with bstream.Reader("kept") as reader:
            with self.raises_errno(errno.EAGAIN):
                reader.read(0)
            bstream.eof("kept")
            self.assertIsNone(reader.read(guard.PATIENCE))
            with self.raises_errno(errno.ESHUTDOWN, bstream.EndedError) as raised:
                bstream.Writer("kept")
            self.assertIsInstance(raised.error, BrokenPipeError)

    def test_a_broken_stream_takes_no_writer(self):
        bstream.create("broken")
        writer = bstream.Writer("broken")
        bstream.Reader("broken").close()
        with self.raises_errno(errno.EPIPE, BrokenPipeError):
            bstream.Writer("broken")
        self.assertTrue(writer.stat().broken)
        writer.close()

    def test_waiting_for_what_is_true_of_a_name(self):
        with self.raises_errno(errno.ENOENT, FileNotFoundError):
            bstream.wait("x", "exists", timeout=0)
        bstream.create("x")
        bstream.wait("x", "exists")
        with self.raises_errno(errno.EAGAIN, BlockingIOError):
            bstream.wait("x", "reader", timeout=0)
        with self.raises_errno(errno.ETIMEDOUT, TimeoutError):
            bstream.wait("x", "writer", timeout=0.01)
        with bstream.Writer("x") as writer, bstream.Reader("x") as reader:
            bstream.wait("x", "reader")
            bstream.wait("x", "writer")
            bstream.wait("x", "empty")
            writer.write(b"1")
            with self.raises_errno(errno.EAGAIN):
                bstream.wait("x", "empty", timeout=0)
            self.assertEqual(reader.read(), b"1")
            writer.close()
            bstream.wait("x", "end", timeout=guard.PATIENCE)

    def test_streams_are_listed_in_order_and_ends_shown(self):
        self.assertEqual(bstream.list(), [])
        for name in ("b", "a/2", "c"):
            bstream.create(name)
        self.assertEqual([stat.name for stat in bstream.list()], ["a/2", "b", "c"])
        with bstream.Writer("b") as writer, bstream.Reader("b"):
            writer.write(b"12345")
            found = {end.kind: end for end in bstream.ends("b")}
            self.assertEqual(sorted(found), ["reader", "writer"])
            self.assertEqual((found["writer"].chunks, found["writer"].bytes), (1, 5))
            self.assertEqual((found["writer"].pid, found["writer"].waits_for), (os.getpid(), None))
            self.assertEqual(repr(writer), "Writer(b, 1/16 chunks, open)")
        bstream.remove("a/2")
        bstream.remove("c")

    def test_the_broker_is_started_looked_at_and_stopped(self):
        bstream.broker_use(self.socket, start=False)
        with self.raises_errno(errno.ECONNREFUSED, ConnectionRefusedError):
            bstream.create("x")
        with self.raises_errno(errno.ECONNREFUSED, ConnectionRefusedError):
            bstream.broker_stat()
        bstream.broker_use(self.socket)
        self.assertTrue(bstream.broker_start())
        self.assertFalse(bstream.broker_start())
        bstream.create("x")
        stat = bstream.broker_stat()
        self.assertEqual((stat.streams, stat.uid), (1, os.getuid()))
        self.assertGreater(stat.bytes, 0)
        bstream.remove("x")
        bstream.broker_stop()
        with self.raises_errno(errno.ECONNREFUSED, ConnectionRefusedError):
            bstream.broker_stop()


if __name__ == "__main__":
    guard.main()
