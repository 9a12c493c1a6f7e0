# SPDX-License-Identifier: MIT
"""Writer and Reader: chunks, the end, timeouts, what is refused."""

import array
import errno
import gc
import os
import threading
import unittest
import warnings

import guard
from guard import bstream


class Writing(guard.Case):
    def test_a_chunk_comes_out_as_it_went_in(self):
        writer, reader = self.pair()
        self.assertEqual(writer.write(b"one"), 3)
        self.assertEqual(writer.write(bytearray(b"two")), 3)
        self.assertEqual(writer.write(memoryview(b"-three-")[1:-1]), 5)
        self.assertEqual(writer.write(array.array("I", [1, 2])), 8)
        self.assertEqual(writer.write(memoryview(b"f-o-u-r-")[::2]), 4)
        self.assertEqual(writer.writev([b"fi", bytearray(b"v"), b"", array.array("b", b"e")]), 4)
        self.assertEqual(
            [reader.read() for _ in range(6)],
            [b"one", b"two", b"three", array.array("I", [1, 2]).tobytes(), b"four", b"five"],
        )

    def test_an_empty_chunk_is_a_chunk(self):
        writer, reader = self.pair()
        for nothing in (b"", bytearray(), memoryview(b"")):
            writer.write(nothing)
            self.assertEqual(reader.read(), b"")
        with writer.reserving(0) as span:
            self.assertEqual(len(span), 0)
        self.assertEqual(bytes(reader.peek()), b"")
        reader.release()
        writer.close()
        self.assertIsNone(reader.read())

    def test_text_is_no_buffer(self):
        writer, reader = self.pair()
        with self.assertRaises(TypeError):
            writer.write("text")
        with self.raises_errno(errno.EAGAIN, BlockingIOError):
            reader.read(0)

    def test_a_chunk_above_the_limit_is_refused(self):
        writer, _ = self.pair(chunk_max=100)
        for write in (writer.write, writer.reserve, writer.writev):
            too_much = {writer.reserve: 101, writer.writev: [bytes(50), bytes(51)]}
            with self.raises_errno(errno.EMSGSIZE, bstream.ChunkSizeError):
                write(too_much.get(write, bytes(101)))
        writer.write(bytes(100))

    def test_large_chunks_go_through(self):
        writer, reader = self.pair(chunk_max=1 << 20, capacity=2)
        data = os.urandom(1 << 20)
        writer.write(data)
        writer.write(bytearray(data))
        self.assertEqual(reader.read(), data)
        self.assertEqual(reader.read(), data)
        writer.write(data, timeout=0)
        self.assertEqual(bytes(reader.peek(0)), data)
        reader.release()

    def test_a_full_stream_times_out_or_says_so_at_once(self):
        writer, reader = self.pair(capacity=2)
        writer.write(b"1")
        writer.write(b"2", 0)
        with self.raises_errno(errno.EAGAIN, BlockingIOError):
            writer.write(b"3", 0)
        with self.raises_errno(errno.ETIMEDOUT, TimeoutError):
            writer.write(b"3", 0.01)
        with self.raises_errno(errno.EAGAIN, BlockingIOError):
            writer.write(bytes(65536 + 1)[:65536], 0)
        with self.raises_errno(errno.ETIMEDOUT, TimeoutError):
            writer.reserve(1, timeout=0.3)  # longer than a slice
        with self.raises_errno(errno.EAGAIN, BlockingIOError):
            writer.drain(0)
        self.assertEqual([reader.read(), reader.read()], [b"1", b"2"])
        writer.drain(0)
        for wrong in (-1, float("nan")):
            with self.assertRaises(ValueError):
                reader.read(wrong)

    def test_a_writer_waits_for_room(self):
        writer, reader = self.pair(capacity=1)
        got = []
        thread = threading.Thread(target=lambda: got.extend(reader))
        thread.start()
        for number in range(200):
            writer.write(number.to_bytes(4, "little"))
        writer.drain(guard.PATIENCE)
        writer.close()
        thread.join()
        self.assertEqual(got, [number.to_bytes(4, "little") for number in range(200)])

    def test_without_a_reader_the_pipe_is_broken(self):
        writer, reader = self.pair()
        span = writer.reserve(5)
        span[:] = b"12345"
        reader.close()
        with self.raises_errno(errno.EPIPE, BrokenPipeError):
            writer.commit()
        with self.raises_errno(errno.EPIPE, BrokenPipeError):
            writer.write(b"x")
        with self.raises_errno(errno.EPIPE, BrokenPipeError):
            writer.drain()

    def test_a_reservation_is_committed_cut_or_cancelled(self):
        writer, reader = self.pair()
        writer.reserve(8)[:3] = b"cut"
        writer.commit(3)
        with writer.reserving(5) as span:
            span[:] = b"whole"
        with writer.reserving(5) as span:
            span[:2] = b"ok"
            writer.commit(2)
        with writer.reserving(5):
            writer.cancel()
        with self.assertRaises(ZeroDivisionError):
            with writer.reserving(5) as span:
                span[0] = 1 // 0
        with self.raises_errno(errno.EINVAL):
            writer.commit()
        writer.cancel()
        writer.reserve(4)
        with self.raises_errno(errno.EBUSY, bstream.BusyError):
            writer.write(b"meanwhile")
        with self.raises_errno(errno.EINVAL):
            writer.commit(5)
        writer.cancel()
        writer.close()
        self.assertEqual(list(reader), [b"cut", b"whole", b"ok"])

    def test_clones_feed_the_same_stream(self):
        writer, reader = self.pair(max_writers=2)
        clone = writer.clone()
        with self.raises_errno(errno.EMFILE):
            writer.clone()
        writer.write(b"1")
        clone.write(b"2")
        writer.close()
        clone.write(b"3")
        self.assertEqual(reader.stat().writers, 1)
        clone.close()
        self.assertEqual(list(reader), [b"1", b"2", b"3"])


class Reading(guard.Case):
    def test_the_end_is_none_again_and_again(self):
        writer, reader = self.pair()
        writer.write(b"last")
        writer.close()
        self.assertEqual([reader.read(), reader.read(), reader.read(0)], [b"last", None, None])
        self.assertIsNone(reader.peek())
        self.assertIsNone(reader.readinto(bytearray(4)))
        self.assertEqual(list(reader), [])
        self.assertEqual(list(reader.views()), [])

    def test_readinto_fills_a_buffer_or_says_what_it_needs(self):
        writer, reader = self.pair()
        writer.write(b"12345")
        small, large = bytearray(4), array.array("H", bytes(8))
        with self.raises_errno(errno.EMSGSIZE, bstream.ChunkSizeError) as raised:
            reader.readinto(small)
        self.assertEqual(raised.error.needed, 5)
        self.assertEqual(reader.readinto(large), 5)
        self.assertEqual(large.tobytes(), b"12345\0\0\0")
        with self.assertRaises(TypeError):
            reader.readinto(b"not to be written to")
        small.append(1)  # nobody holds it any more
        with self.raises_errno(errno.EAGAIN, BlockingIOError):
            reader.readinto(small, 0)

    def test_a_peeked_chunk_comes_again_until_it_is_released(self):
        writer, reader = self.pair()
        writer.write(b"again")
        first = reader.peek()
        self.assertTrue(first.readonly)
        self.assertEqual(bytes(first), b"again")
        self.assertEqual(bytes(reader.peek()), b"again")
        self.assertEqual(reader.read(), b"again")
        with self.raises_errno(errno.EINVAL):
            reader.release()

    def test_views_go_through_without_a_copy(self):
        writer, reader = self.pair(capacity=4)
        sizes = [0, 1, 48, 49, 4096, 4095, 65536]
        for turn in range(20):
            for number, size in enumerate(sizes[:4] if turn % 2 else sizes[3:]):
                writer.write(guard.chunk(number, size))
            views = reader.views(0)
            for number, size in enumerate(sizes[:4] if turn % 2 else sizes[3:]):
                self.assertEqual(bytes(next(views)), guard.chunk(number, size))
            with self.raises_errno(errno.EAGAIN, BlockingIOError):
                next(views)

    def test_a_loop_over_views_that_is_left_leaves_its_chunk(self):
        writer, reader = self.pair()
        writer.write(b"1")
        writer.write(b"2")
        for view in reader.views():
            break
        self.assertEqual(bytes(view), b"1")
        for view in reader.views():
            reader.release()
            break
        self.assertEqual(reader.read(), b"2")

    def test_a_writer_that_died_is_told_from_one_that_closed(self):
        writer, reader = self.pair()
        writer.write(b"part")
        writer.abort()
        self.assertTrue(writer.closed)
        writer.abort()
        got = []
        with self.raises_errno(errno.ECONNRESET, bstream.WriterDiedError):
            for chunk in reader:
                got.append(chunk)
        self.assertEqual(got, [b"part"])
        with self.raises_errno(errno.ECONNRESET, ConnectionResetError):
            reader.peek()
        self.assertTrue(reader.stat().lost_writer)


class Ending(guard.Case):
    def test_with_closes(self):
        writer, reader = self.pair()
        with writer as same:
            same.write(b"x")
        self.assertTrue(writer.closed)
        with reader:
            self.assertEqual(list(reader), [b"x"])
        self.assertTrue(reader.closed)
        writer.close()
        reader.close()

    def test_an_exception_in_a_with_block_is_no_clean_end(self):
        writer, reader = self.pair()
        with self.assertRaises(ZeroDivisionError):
            with writer:
                writer.write(b"half")
                span = writer.reserve(10)
                span[0] = 1 // 0
        self.assertTrue(writer.closed)
        self.assertEqual(reader.read(), b"half")
        with self.assertRaises(bstream.WriterDiedError):
            reader.read()

    def test_an_exception_with_a_slice_still_there_is_no_clean_end_either(self):
        writer, reader = self.pair()
        try:
            with writer:
                part = writer.reserve(10)[:5]
                part[0] = 1 // 0
        except ZeroDivisionError:
            pass
        self.assertTrue(writer.closed)
        part[:] = b"there"  # the memory is
        with self.raises_errno(errno.EAGAIN):
            reader.read(0)
        del part
        with self.assertRaises(bstream.WriterDiedError):
            reader.read()

    def test_a_writer_that_is_forgotten_died(self):
        writer, reader = bstream.pair()
        self.addCleanup(reader.close)
        writer.write(b"x")
        with self.assertWarns(ResourceWarning):
            del writer
            gc.collect()
        self.assertEqual(reader.read(), b"x")
        with self.assertRaises(bstream.WriterDiedError):
            reader.read()

    def test_a_reader_that_is_forgotten_has_left(self):
        writer, reader = bstream.pair()
        self.addCleanup(writer.close)
        with self.assertWarns(ResourceWarning):
            del reader
            gc.collect()
        with self.assertRaises(BrokenPipeError):
            writer.write(b"x")

    def test_a_forgotten_cycle_is_found(self):
        writer, reader = bstream.pair()
        self.addCleanup(reader.close)
        writer.close()
        cycle = [bstream.pair()]
        cycle.append(cycle)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del cycle
            gc.collect()

    def test_a_closed_end_says_so(self):
        writer, reader = self.pair()
        writer.close()
        reader.close()
        for call in (
            lambda: writer.write(b""),
            lambda: writer.write(bytearray(1)),
            lambda: writer.reserve(1),
            writer.commit,
            writer.cancel,
            writer.drain,
            writer.clone,
            writer.detach,
            writer.stat,
            reader.read,
            lambda: reader.readinto(bytearray(1)),
            reader.peek,
            reader.release,
            reader.park,
            reader.detach,
            reader.stat,
            lambda: next(reader),
            lambda: next(reader.views()),
        ):
            with self.assertRaisesRegex(ValueError, "closed (Reader|Writer)"):
                call()
        self.assertEqual(repr(writer), "Writer(closed)")

    def test_an_end_describes_itself(self):
        writer, reader = self.pair(capacity=3)
        writer.write(b"x")
        self.assertEqual(repr(writer), "Writer((pair), 1/3 chunks, open)")
        self.assertEqual(repr(reader), "Reader((pair), 1/3 chunks, open)")
        stat = writer.stat()
        self.assertEqual((stat.name, stat.capacity, stat.in_flight), ("", 3, 1))
        self.assertEqual((stat.reader, stat.keep, stat.bytes_written), ("open", None, 1))

    def test_an_end_cannot_be_pickled(self):
        import pickle

        writer, _ = self.pair()
        with self.assertRaisesRegex(TypeError, "detach"):
            pickle.dumps(writer)


class Threads(guard.Case):
    def test_an_end_that_another_thread_waits_in_is_refused(self):
        writer, reader = self.pair()
        got = []
        thread = threading.Thread(target=lambda: got.append(reader.read()))
        thread.start()
        guard.until(lambda: repr(reader) == "Reader(in use)")
        calls = (reader.read, reader.peek, reader.release, reader.close, reader.detach)
        for call in calls + (reader._let_go,):
            with self.assertRaisesRegex(RuntimeError, "in use"):
                call()
        writer.write(b"for the thread")
        thread.join()
        self.assertEqual(got, [b"for the thread"])
        writer.write(b"on")
        self.assertEqual(reader.read(), b"on")

    def test_writers_of_many_threads_fan_in(self):
        writer, reader = self.pair(capacity=4)

        def feed(mine, tag):
            with mine:
                for number in range(300):
                    mine.write(b"%d %d" % (tag, number))

        threads = [threading.Thread(target=feed, args=(writer.clone(), tag)) for tag in range(4)]
        writer.close()
        for thread in threads:
            thread.start()
        seen = [0] * 4
        for view in reader.views():
            tag, number = map(int, bytes(view).split())
            self.assertEqual(seen[tag], number)
            seen[tag] += 1
        for thread in threads:
            thread.join()
        self.assertEqual(seen, [300] * 4)


if __name__ == "__main__":
    guard.main()
