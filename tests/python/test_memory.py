# SPDX-License-Identifier: MIT
"""A memoryview never shows memory that is not the chunk's any more: it is ended with the chunk, and
where that cannot be (a slice, a cast, an array made of it) the call is refused."""

import array
import ctypes
import errno
import gc
import os
import pickle
import unittest
import warnings

import guard
from guard import bstream


def derived(view):
    """What outlives the release of a memoryview, or forbids it."""
    yield "slice", view[1:3]
    yield "cast", view.cast("H")
    yield "memoryview", memoryview(view)
    yield "buffer", pickle.PickleBuffer(view)
    yield "readonly", view.toreadonly()
    yield "slice of a slice", view[:6][2:]


class Views(guard.Case):
    def test_release_ends_the_view(self):
        writer, reader = self.pair()
        writer.write(b"12345678")
        view = reader.peek()
        reader.release()
        for use in (lambda: view[0], lambda: bytes(view), lambda: len(view), lambda: view[1:2]):
            with self.assertRaisesRegex(ValueError, "released memoryview"):
                use()

    def test_commit_and_cancel_end_the_span(self):
        writer, reader = self.pair()
        for end in (writer.commit, writer.cancel):
            span = writer.reserve(8)
            end()
            with self.assertRaisesRegex(ValueError, "released memoryview"):
                span[0] = 1
        self.assertEqual(len(reader.read()), 8)

    def test_reading_on_ends_the_view(self):
        writer, reader = self.pair()
        writer.write(b"1")
        for call in (reader.peek, reader.read):
            view = reader.peek()
            call()
            with self.assertRaisesRegex(ValueError, "released memoryview"):
                view[0]

    def test_what_was_made_of_a_view_keeps_the_chunk(self):
        names = [name for name, _ in derived(memoryview(bytes(8)))]
        for which, name in enumerate(names):
            with self.subTest(name):
                writer, reader = bstream.pair()
                writer.write(b"12345678")
                made = list(derived(reader.peek()))[which][1]
                before = bytes(made)
                gives_back = (
                    reader.release,
                    reader.read,
                    reader.peek,
                    lambda: reader.readinto(bytearray(8)),
                    reader.close,
                    reader.detach,
                )
                for call in gives_back:
                    with self.assertRaises(BufferError):
                        call()
                    self.assertEqual(bytes(made), before)
                self.assertFalse(reader.closed)
                del made
                gc.collect()
                reader.release()
                writer.close()
                reader.close()

    def test_what_was_made_of_a_span_keeps_the_reservation(self):
        writer, reader = self.pair()
        for end in (writer.commit, writer.cancel, writer.close, writer.detach):
            part = writer.reserve(8)[2:4]
            with self.assertRaises(BufferError):
                end()
            part[:] = b"ok"
            del part
            writer.commit()
            self.assertEqual(reader.read()[2:4], b"ok")

    def test_a_c_array_over_a_span_forbids_its_end(self):
        writer, reader = self.pair()
        span = writer.reserve(8)
        numbers = (ctypes.c_uint32 * 2).from_buffer(span)
        with self.assertRaises(BufferError):
            writer.commit()
        numbers[1] = 7
        del numbers
        gc.collect()
        writer.commit()
        self.assertEqual(array.array("I", reader.read())[1], 7)

    def test_a_view_can_be_used_with_with(self):
        writer, reader = self.pair()
        with writer.reserve(2) as span:
            span[:] = b"hi"
        writer.commit()
        with reader.peek() as view:
            self.assertEqual(bytes(view), b"hi")
        reader.release()

    def test_a_view_outlives_its_forgotten_reader(self):
        writer, reader = bstream.pair()
        self.addCleanup(writer.close)
        writer.write(b"12345678" * 512)
        view = reader.peek()
        part = view[:4]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del reader
            gc.collect()
        self.assertEqual(bytes(view[:8]), b"12345678")  # mapped, and the reader is still there
        writer.write(b"x")
        del view
        self.assertEqual(bytes(part), b"1234")
        del part
        with self.assertRaises(BrokenPipeError):
            writer.write(b"x")

    def test_a_with_block_that_fails_leaves_a_readers_memory_to_its_views(self):
        writer, reader = self.pair()
        writer.write(b"1234")
        try:
            with reader:
                part = reader.peek()[:2]
                raise KeyError
        except KeyError:
            pass
        self.assertTrue(reader.closed)
        self.assertEqual(bytes(part), b"12")
        del part
        with self.assertRaises(BrokenPipeError):
            writer.write(b"x")

    def test_a_child_of_fork_does_not_crash_on_its_parents_views(self):
        writer, reader = self.pair()
        writer.write(b"12345678")
        view = reader.peek()
        part = view[:4]
        pid = os.fork()
        if pid == 0:
            try:
                code = 0 if bytes(part) in (b"\0\0\0\0",) else 1
                try:
                    bytes(view)
                    code |= 2
                except ValueError:
                    pass
            except BaseException:
                code = 4
            os._exit(code)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual(bytes(part), b"1234")

    def test_many_spots_are_forgotten_again(self):
        from bstream import _lend

        writer, reader = self.pair(capacity=64)
        limit, _lend._SPOTS_MAX = _lend._SPOTS_MAX, 8
        try:
            for number in range(300):
                with writer.reserving(10 + number % 70) as span:
                    span[:] = guard.chunk(number, len(span))
                view = reader.peek()
                self.assertEqual(bytes(view), guard.chunk(number, 10 + number % 70))
                reader.release()
                self.assertLessEqual(len(reader._lender.spots), 8)
        finally:
            _lend._SPOTS_MAX = limit


if __name__ == "__main__":
    guard.main()
