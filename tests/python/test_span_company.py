# SPDX-License-Identifier: MIT
"""spans(at_once=…) in company: what else is done with the Writer and the stream meanwhile, and by whom: other
loops, writers and threads, forked children, C at the other end, asyncio."""

import asyncio
import errno
import gc
import os
import signal
import threading

import guard
from bstream import aio
from guard import bstream


def fill(spans, count):
    """Goes on over so many chunks, b"0", b"1" and so on, and to the one behind them."""
    for span, number in zip(spans, range(count)):
        span[:] = b"%d" % number


class Company(guard.Case):
    """What else is done with the Writer, and the stream, meanwhile."""

    def test_nothing_else_is_written_while_reserved(self):
        writer, reader = self.pair()
        spans = writer.spans(1, at_once=3)
        others = writer.spans(1, at_once=3), writer.spans(1)
        next(spans)[:] = b"0"
        refused = [lambda: writer.write(b"x"), lambda: writer.reserve(1), writer.drain, writer.detach]
        refused += [lambda: writer.write_split(b"x", 1), lambda: writer.send(-1)]
        refused += [lambda other=other: next(other) for other in others]
        for call in refused:
            with self.raises_errno(errno.EBUSY, bstream.BusyError):
                call()
        next(spans)[:] = b"1"
        writer.commit()
        writer.reserve(1)[:] = b"2"  # the body's own, and not the loop's to commit
        with self.raises_errno(errno.EBUSY, bstream.BusyError):
            next(spans)
        writer.commit()
        self.assertEqual([reader.read(0) for _ in range(3)], [b"0", b"1", b"2"])

    def test_loops_may_take_turns(self):
        writer, reader = self.pair()
        loops = [writer.spans(1, at_once=3), writer.spans(1, at_once=2), writer.spans(1)]
        got = []
        for number in range(9):
            next(loops[number % 3])[:] = b"%d" % number
            writer.commit()
            got.append(reader.read(0))
        self.assertEqual(got, [b"%d" % number for number in range(9)])

    def test_an_end_that_is_closed_moved_or_gone(self):
        writer, reader = self.pair()
        spans = writer.spans(1, at_once=3)
        fill(spans, 2)
        clone = writer.clone()
        clone.write(b"behind")
        writer.cancel()
        fd = writer.detach()
        with self.assertRaises(ValueError):
            next(spans)
        spans.close()
        writer = bstream.Writer.attach(fd)
        spans = writer.spans(1, at_once=3)
        fill(spans, 1)
        writer.close()
        with self.assertRaises(ValueError):
            next(spans)
        del spans
        clone.close()
        self.assertEqual(list(reader), [b"0", b"1", b"behind", b"0"])

    def test_without_a_reader_the_pipe_is_broken_once(self):
        def go_on(writer, spans):
            with self.raises_errno(errno.EPIPE, BrokenPipeError):
                next(spans), next(spans)
            self.assertEqual(list(spans), [])

        def commit(writer, spans):
            with self.raises_errno(errno.EPIPE, BrokenPipeError):
                writer.commit()

        ways = [go_on, commit, lambda writer, spans: writer.cancel(), lambda writer, spans: spans.close()]
        ways += [lambda writer, spans: writer.close(), lambda writer, spans: writer.abort()]
        for way in ways:
            writer, reader = self.pair()
            spans = writer.spans(1, at_once=2)
            fill(spans, 1)
            reader.close()
            way(writer, spans)
            if not writer.closed:
                with self.raises_errno(errno.EINVAL):
                    writer.commit()
                with self.raises_errno(errno.EPIPE, BrokenPipeError):
                    next(writer.spans(1, at_once=2))
            writer.close()

    def test_a_full_stream_ends_the_loop_behind_what_it_wrote(self):
        for timeout, error in ((0, BlockingIOError), (0.01, TimeoutError)):
            writer, reader = self.pair(capacity=3)
            spans = writer.spans(1, timeout, at_once=2)
            with self.assertRaises(error):
                fill(spans, 9)
            self.assertEqual([reader.read(0) for _ in range(3)], [b"0", b"1", b"2"])
            writer.write(b"nothing is reserved", 0)

    def test_a_slow_reader_is_waited_for(self):
        for capacity, at_once in ((1, 8), (2, 2), (5, 3)):
            writer, reader = self.pair(capacity=capacity)
            got = []
            thread = threading.Thread(target=lambda r=reader, g=got: g.extend(r))
            thread.start()
            for span, number in zip(writer.spans(100, guard.PATIENCE, at_once=at_once), range(500)):
                span[:] = guard.chunk(number, 100)
            writer.close()
            thread.join()
            self.assertEqual(got, [guard.chunk(number, 100) for number in range(500)])

    def test_several_writers_take_turns(self):
        writer, reader = self.pair(capacity=4)

        def feed(end, first):
            with end:
                spans = end.spans(8, guard.PATIENCE, at_once=1 + first)
                for span, number in zip(spans, range(first, 3000, 3)):
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

    def test_a_loop_in_two_threads_is_refused_to_one(self):
        writer, reader = self.pair(capacity=1)
        writer.write(b"full")
        spans = writer.spans(1, at_once=2)
        thread = threading.Thread(target=lambda: next(spans))
        thread.start()
        guard.until(lambda: "in use" in repr(writer))
        with self.assertRaises(ValueError):
            next(spans)
        with self.assertRaisesRegex(RuntimeError, "in use"):
            writer.cancel()
        reader.read()
        thread.join()
        del spans
        with self.assertRaises(BlockingIOError):
            reader.read(0)  # past what was cancelled
        writer.write(b"nothing is reserved", 0)

    def test_a_child_of_fork_does_not_get_the_batch(self):
        writer, reader = self.pair()
        spans = writer.spans(1, at_once=4)
        fill(spans, 2)
        tries = [lambda: next(spans), spans.close, writer.commit, writer.cancel, writer.close]
        tries += [writer.abort, lambda: writer.write(b"x"), gc.collect]
        for keep in False, True:
            part = writer._lender.batch[2][:] if keep else None
            for child_does in tries:
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        child_does()
                        code = 0
                    except (bstream.StaleError, BufferError):
                        code = 0
                    finally:
                        os._exit(code)
                self.assertEqual(os.waitpid(pid, 0)[1], 0)
            with self.assertRaises(BlockingIOError):
                reader.read(0)
            self.assertEqual(part is None, not keep)
            del part
        next(spans)
        writer.cancel()
        self.assertEqual([reader.read(0) for _ in range(3)], [b"0", b"1", bytes(1)])


class Peers(guard.Case):
    def test_c_reads_what_a_loop_writes(self):
        for size in (0, 8, 48, 49, 1000, 4096, 65536):
            with self.subTest(size=size):
                bstream.create("x")
                peer = self.peer("read", "name:x")
                with bstream.Writer("x") as writer:
                    spans = writer.spans(size, guard.PATIENCE, at_once=2 + size % 11)
                    for span, number in zip(spans, range(700)):
                        span[:] = guard.chunk(number, size)
                self.assertEqual(self.said(peer).split()[:3], ["700", str(700 * size), "closed"])

    def test_c_learns_that_a_loop_was_killed(self):
        bstream.create("x")
        peer = self.peer("read", "name:x")
        dying = self.python(
            "for span, number in zip(bstream.Writer('x').spans(8, at_once=2), range(6)):\n"
            "    span[:] = number.to_bytes(8, 'little')\n"
            "    if number == 5: os.kill(os.getpid(), signal.SIGKILL)"
        )
        self.said(dying, -signal.SIGKILL)
        self.assertEqual(self.said(peer).split()[:3], ["4", "32", "died"])

    def test_batches_both_ways_through_c(self):
        bstream.create("from-c")
        self.peer("write", "name:from-c", 2000, 4096)
        bstream.create("to-c")
        peer = self.peer("read", "name:to-c")
        with bstream.Reader("from-c") as reader, bstream.Writer("to-c") as writer:
            views = reader.views(guard.PATIENCE, at_once=8)
            for span, view in zip(writer.spans(4096, guard.PATIENCE, at_once=8), views):
                span[:] = view
        self.assertEqual(self.said(peer).split()[:3], ["2000", str(2000 * 4096), "closed"])


class Asyncio(guard.Case):
    def test_a_task_waits_for_room(self):
        async def produce(writer):
            with writer:
                number = 0
                async for span in aio.spans(writer, 8, at_once=3):
                    span[:] = number.to_bytes(8, "little")
                    number += 1
                    if number == 300:
                        writer.commit()
                        break

        async def main():
            writer, reader = bstream.pair(capacity=4)
            task = asyncio.create_task(produce(writer))
            with reader:
                got = [int.from_bytes(chunk, "little") async for chunk in reader]
            await task
            return got

        got = asyncio.run(asyncio.wait_for(main(), guard.PATIENCE))
        self.assertEqual(got, list(range(300)))


if __name__ == "__main__":
    guard.main()
