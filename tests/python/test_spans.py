# SPDX-License-Identifier: MIT
"""A loop over spans(): one chunk after the other in place; what is written, and what is not, however the
loop goes on or ends."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import threading
import unittest
from array import array

import guard
from bstream import _ends, aio
from guard import bstream


class Loops(guard.Case):
    def test_each_round_writes_one_chunk_of_all_sizes(self):
        for size in (0, 1, 8, 48, 49, 256, 257, 1025, 4096, 5000):
            with self.subTest(size):
                writer, reader = self.pair(capacity=3, chunk_max=5000)
                for span, number in zip(writer.spans(size, 0), range(50)):
                    self.assertEqual((len(span), span.readonly), (size, False))
                    span[:] = guard.chunk(number, size)
                    if number:
                        self.assertEqual(reader.read(0), guard.chunk(number - 1, size))
                self.assertEqual(reader.read(0), guard.chunk(49, size))
                writer.close()
                self.assertIsNone(reader.read())

    def test_the_body_may_cut_a_chunk_or_give_it_up(self):
        writer, reader = self.pair()
        for number, span in enumerate(writer.spans(5)):
            span[:] = b"01234"
            if number == 1:
                writer.commit(2)
            elif number == 2:
                writer.cancel()
            elif number == 3:
                writer.commit()
            elif number == 5:
                break
        writer.close()
        self.assertEqual(list(reader), [b"01234", b"01", b"01234", b"01234"])

    def test_a_loop_that_is_left_has_not_written_its_chunk(self):
        def leave_by_error(spans):
            for span in spans:
                span[:] = b"never"
                raise KeyError

        def leave_by_close(spans):
            next(spans)[:] = b"never"
            spans.close()

        def forget(spans):
            next(spans)[:] = b"never"

        for leave in (leave_by_error, leave_by_close, forget):
            writer, reader = self.pair()
            try:
                leave(writer.spans(5))
            except KeyError:
                pass
            writer.write(b"next")  # nothing is reserved any more
            self.assertEqual(reader.read(0), b"next")
            with self.assertRaises(BlockingIOError):
                reader.read(0)

    def test_its_memory_ends_with_the_round(self):
        writer, reader = self.pair()
        spans = writer.spans(4)
        first = next(spans)
        second = next(spans)
        for gone in (lambda: first[0], lambda: bytes(first), lambda: first[1:]):
            with self.assertRaises(ValueError):
                gone()
        second[:] = b"good"
        spans.close()
        with self.assertRaises(ValueError):
            second[0] = 1

    def test_a_slice_stops_the_loop_and_keeps_the_reservation(self):
        for make in (lambda span: span[1:3], lambda span: span.cast("H"), memoryview):
            writer, reader = self.pair()
            spans = writer.spans(4)
            span = next(spans)
            span[:] = b"kept"
            part = make(span)
            with self.assertRaises(BufferError):
                next(spans)
            with self.assertRaises(StopIteration):
                next(spans)
            with self.assertRaises(BlockingIOError):
                reader.read(0)
            self.assertEqual(bytes(part), bytes(make(memoryview(b"kept"))))
            del part, span
            gc.collect()
            writer.commit()
            self.assertEqual(reader.read(0), b"kept")

    def test_a_slice_that_outlives_the_loop_leaves_the_rest_to_a_cancel(self):
        writer, reader = self.pair()
        for span in writer.spans(4):
            part = span[:2]
            break
        with self.assertRaises(bstream.BusyError):
            writer.write(b"x")
        with self.assertRaises(BufferError):
            writer.cancel()
        del part, span
        gc.collect()
        writer.cancel()
        writer.write(b"x")
        self.assertEqual(reader.read(0), b"x")

    def test_a_size_that_no_chunk_can_have(self):
        writer, _ = self.pair(chunk_max=100)
        for wrong in (-1, 2**31, 2**64):
            with self.assertRaises(bstream.ChunkSizeError):
                writer.spans(wrong)
        with self.assertRaises(bstream.ChunkSizeError):
            next(writer.spans(101))
        with self.assertRaises(TypeError):
            next(writer.spans("4"))
        writer.write(b"nothing is reserved")


class Waits(guard.Case):
    def test_a_full_stream_ends_the_loop_behind_what_it_wrote(self):
        for timeout, error in ((0, BlockingIOError), (0.01, TimeoutError)):
            writer, reader = self.pair(capacity=3)
            rounds = 0
            with self.assertRaises(error):
                for span in writer.spans(1, timeout):
                    span[0] = rounds
                    rounds += 1
            self.assertEqual(rounds, 3)
            self.assertEqual([reader.read(0) for _ in range(3)], [b"\0", b"\1", b"\2"])
            writer.write(b"nothing is reserved", 0)

    def test_a_slow_reader_is_waited_for(self):
        for capacity in (1, 2, 5):
            writer, reader = self.pair(capacity=capacity)
            got = []
            thread = threading.Thread(target=lambda r=reader, g=got: g.extend(r))
            thread.start()
            for span, number in zip(writer.spans(100, guard.PATIENCE), range(500)):
                span[:] = guard.chunk(number, 100)
            writer.close()
            thread.join()
            self.assertEqual(got, [guard.chunk(number, 100) for number in range(500)])

    def test_several_writers_take_turns(self):
        writer, reader = self.pair(capacity=4)

        def feed(end, first):
            with end:
                for span, number in zip(end.spans(8, guard.PATIENCE), range(first, 3000, 3)):
                    span[:] = number.to_bytes(8, "little")

        ends = [writer, writer.clone(), writer.clone()]
        threads = [threading.Thread(target=feed, args=(end, i)) for i, end in enumerate(ends)]
        for thread in threads:
            thread.start()
        got = [int.from_bytes(chunk, "little") for chunk in reader]
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(got), list(range(3000)))
        for first in range(3):
            mine = [number for number in got if number % 3 == first]
            self.assertEqual(mine, sorted(mine))

    def test_without_a_reader_the_pipe_is_broken(self):
        writer, reader = self.pair()
        with self.raises_errno(errno.EPIPE, BrokenPipeError):
            for _ in writer.spans(3):
                reader.close()
        with self.raises_errno(errno.EPIPE, BrokenPipeError):
            next(writer.spans(3))
        with self.raises_errno(errno.EINVAL):
            writer.commit()


class Company(guard.Case):
    """What else is done with the Writer meanwhile."""

    def test_nothing_else_is_written_while_reserved(self):
        writer, reader = self.pair()
        spans, others = writer.spans(3), writer.spans(3)
        next(spans)[:] = b"one"
        for write in (lambda: writer.write(b"x"), lambda: writer.reserve(1), lambda: next(others)):
            with self.raises_errno(errno.EBUSY, bstream.BusyError):
                write()
        next(spans)[:] = b"two"
        writer.commit()
        writer.write(b"three")
        writer.reserve(4)[:] = b"mine"  # the body's own, and not the loop's to commit
        with self.raises_errno(errno.EBUSY, bstream.BusyError):
            next(spans)
        writer.commit()
        self.assertEqual([reader.read(0) for _ in range(4)], [b"one", b"two", b"three", b"mine"])

    def test_an_end_that_is_closed_moved_or_gone(self):
        writer, reader = self.pair()
        spans = writer.spans(3)
        next(spans)
        with self.raises_errno(errno.EBUSY, bstream.BusyError):
            writer.detach()
        next(spans)
        writer.commit()
        fd = writer.detach()
        with self.assertRaises(ValueError):
            next(spans)
        writer = bstream.Writer.attach(fd)
        spans = writer.spans(3)
        next(spans)[:] = b"new"
        next(spans)
        writer.close()
        with self.assertRaises(ValueError):
            next(spans)
        self.assertEqual([chunk for chunk in reader if chunk != bytes(3)], [b"new"])

    def test_a_with_block_that_fails_aborts(self):
        writer, reader = self.pair()
        with self.assertRaises(KeyError), writer:
            for span, number in zip(writer.spans(1), range(3)):
                span[0] = number
                if number == 2:
                    raise KeyError
        self.assertEqual([reader.read(), reader.read()], [b"\0", b"\1"])
        with self.assertRaises(bstream.WriterDiedError):
            reader.read()

    def test_a_forgotten_writer_died(self):
        writer, reader = bstream.pair()
        spans = writer.spans(3)
        next(spans)[:] = b"one"
        next(spans)
        with self.assertWarns(ResourceWarning):
            del writer, spans
            gc.collect()
        self.assertEqual(reader.read(), b"one")
        with self.assertRaises(bstream.WriterDiedError):
            reader.read()
        reader.close()

    def test_another_thread_is_refused_while_the_loop_waits(self):
        writer, reader = self.pair(capacity=1)
        writer.write(b"full")
        spans = writer.spans(1)
        thread = threading.Thread(target=lambda: next(spans))
        thread.start()
        guard.until(lambda: "in use" in repr(writer))
        with self.assertRaisesRegex(RuntimeError, "in use"):
            writer.cancel()
        reader.read()
        thread.join()
        spans.close()

    def test_a_child_of_fork_does_not_get_the_loop(self):
        writer, reader = self.pair()
        spans = writer.spans(4)
        span = next(spans)
        span[:] = b"1234"
        part = span[2:]
        for child_does in (lambda: next(spans), lambda: spans.close(), lambda: bytes(span)):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    if child_does() is None:
                        code = 0
                except (bstream.StaleError, BufferError, ValueError):
                    code = 0
                finally:
                    os._exit(code)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
        del part
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                next(spans)
            except bstream.StaleError:
                code = 0
            finally:
                os._exit(code)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        next(spans)
        self.assertEqual(reader.read(0), b"1234")
        spans.close()


class Interrupted(guard.Case):
    """Ctrl-C at any place leaves nothing reserved, and writes nothing twice."""

    @contextlib.contextmanager
    def interrupted(self, name, calls):
        """Behind the library's function, when it returns for that time."""
        real = getattr(_ends, name)
        left = [calls]

        def function(*arguments):
            rc = real(*arguments)
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return rc

        setattr(_ends, name, function)
        try:
            with self.assertRaises(KeyboardInterrupt):
                yield
        finally:
            setattr(_ends, name, real)

    def test_behind_each_call_of_the_library(self):
        for name, calls, written in (
            ("_reserve", 1, 0),
            ("_commit_reserve", 1, 1),
            ("_commit_reserve", 3, 3),
            ("_commit_reserve", 4, 4),  # full: nothing was reserved
            ("_reserve", 2, 4),
        ):
            with self.subTest(name=name, calls=calls):
                writer, reader = self.pair(capacity=4)
                with self.interrupted(name, calls):
                    for span, number in zip(writer.spans(1, 0), range(9)):
                        span[0] = number
                for number in range(written):
                    self.assertEqual(reader.read(0), bytes([number]))
                writer.write(b"nothing is reserved", 0)
                self.assertEqual(reader.read(0), b"nothing is reserved")

    def test_a_reservation_too(self):
        writer, reader = self.pair()
        with self.interrupted("_reserve", 1):
            writer.reserve(4)
        writer.write(b"nothing is reserved", 0)
        self.assertEqual(reader.read(0), b"nothing is reserved")
        writer.reserve(1)
        with self.raises_errno(errno.EBUSY):
            writer.reserve(1)
        writer.commit()  # it was not taken for interrupted
        self.assertEqual(len(reader.read(0)), 1)

    def test_a_handler_in_the_body_ends_the_loop(self):
        def handler(*_):
            raise KeyError

        writer, reader = self.pair()
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            with self.assertRaises(KeyError):
                for span, number in zip(writer.spans(1), range(5)):
                    span[0] = number
                    if number == 2:
                        os.kill(os.getpid(), signal.SIGUSR1)
        finally:
            signal.signal(signal.SIGUSR1, before)
        writer.close()
        self.assertEqual(list(reader), [b"\0", b"\1"])


class Peers(guard.Case):
    def test_c_reads_what_a_loop_writes(self):
        for size in (0, 8, 48, 49, 1000, 4096, 65536):
            with self.subTest(size=size):
                bstream.create("x")
                peer = self.peer("read", "name:x")
                with bstream.Writer("x") as writer:
                    for span, number in zip(writer.spans(size, guard.PATIENCE), range(700)):
                        span[:] = guard.chunk(number, size)
                self.assertEqual(self.said(peer).split()[:3], ["700", str(700 * size), "closed"])

    def test_c_learns_that_a_loop_was_killed(self):
        bstream.create("x")
        peer = self.peer("read", "name:x")
        dying = self.python(
            "for span, number in zip(bstream.Writer('x').spans(8), range(3)):\n"
            "    span[:] = number.to_bytes(8, 'little')\n"
            "    if number == 2: os.kill(os.getpid(), signal.SIGKILL)"
        )
        self.said(dying, -signal.SIGKILL)
        self.assertEqual(self.said(peer).split()[:3], ["2", "16", "died"])

    def test_files_and_arrays_fill_it(self):
        writer, reader = self.pair(capacity=64)
        path = os.path.join(self.directory, "file")
        with open(path, "wb") as file:
            file.write(bytes(range(256)) * 40)
        with open(path, "rb", buffering=0) as file:
            for span in writer.spans(1000):
                count = file.readinto(span)
                if not count:
                    break
                if count < len(span):
                    writer.commit(count)
        numbers = array("i", range(25))
        for span in writer.spans(100):
            span.cast("i")[:] = memoryview(numbers)
            writer.commit()
            break
        writer.close()
        got = list(reader)
        self.assertEqual(got.pop(), numbers.tobytes())
        self.assertEqual(b"".join(got), bytes(range(256)) * 40)
        self.assertEqual([len(chunk) for chunk in got], [1000] * 10 + [240])


class Asyncio(guard.Case):
    def test_a_task_waits_for_room(self):
        async def produce(writer):
            with writer:
                number = 0
                async for span in aio.spans(writer, 8):
                    span[:] = number.to_bytes(8, "little")
                    number += 1
                    if number == 300:
                        writer.commit()
                        break

        async def main():
            writer, reader = bstream.pair(capacity=2)
            task = asyncio.create_task(produce(writer))
            with reader:
                got = [int.from_bytes(chunk, "little") async for chunk in reader]
            await task
            return got

        got = asyncio.run(asyncio.wait_for(main(), guard.PATIENCE))
        self.assertEqual(got, list(range(300)))

    def test_a_task_that_is_cancelled_has_reserved_nothing(self):
        async def produce(writer):
            async for span in aio.spans(writer, 1):
                span[0] = 7

        async def produce_slowly(writer):
            async for span in aio.spans(writer, 1):
                await asyncio.sleep(guard.PATIENCE)

        async def stop(task):
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        async def main():
            writer, reader = self.pair(capacity=2)
            task = asyncio.create_task(produce(writer))
            while reader.stat().in_flight < 2:
                await asyncio.sleep(0)
            await stop(task)
            self.assertEqual([reader.read(0), reader.read(0)], [b"\7", b"\7"])
            writer.write(b"x", 0)
            self.assertEqual(reader.read(0), b"x")
            task = asyncio.create_task(produce_slowly(writer))
            while not reader.stat().in_flight:
                await asyncio.sleep(0)
            await stop(task)
            del task
            while True:
                try:
                    writer.write(b"y", 0)
                    break
                except bstream.BusyError:  # until the event loop has come round
                    await asyncio.sleep(0)
            self.assertEqual(reader.read(0), b"y")

        asyncio.run(asyncio.wait_for(main(), guard.PATIENCE))


if __name__ == "__main__":
    guard.main()
