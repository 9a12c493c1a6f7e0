# SPDX-License-Identifier: MIT
"""asyncio and other event loops, through the ends' descriptors."""

import asyncio
import errno
import select
import unittest

import guard
from bstream import aio
from guard import bstream


def run(coroutine):
    async def limited():
        return await asyncio.wait_for(coroutine, guard.PATIENCE)

    return asyncio.run(limited())


class Asyncio(guard.Case):
    def test_both_ends_wait_for_each_other(self):
        async def produce(writer):
            with writer:
                for number in range(500):
                    if number % 2:
                        await aio.write(writer, b"%d" % number)
                    else:
                        text = b"%d" % number
                        (await aio.reserve(writer, len(text)))[:] = text
                        writer.commit()

        async def main():
            writer, reader = bstream.pair(capacity=2)
            task = asyncio.create_task(produce(writer))
            with reader:
                got = [int(await aio.read(reader)) for _ in range(100)]
                async for chunk in reader:
                    got.append(int(chunk))
                    if len(got) == 200:
                        break
                async for view in aio.views(reader):
                    got.append(int(bytes(view)))
                    if len(got) == 300:
                        reader.release()
                        break
                async for view in aio.views(reader):
                    got.append(int(bytes(view)))
                self.assertIsNone(await aio.read(reader))
            await task
            return got

        self.assertEqual(run(main()), list(range(500)))

    def test_c_feeds_an_event_loop(self):
        async def main():
            bstream.create("x", capacity=2)
            peer = self.peer("write", "name:x", 300, 64)
            with bstream.Reader("x") as reader:
                got = [chunk async for chunk in reader]
            self.said(peer)
            return got

        self.assertEqual(run(main()), [guard.chunk(number, 64) for number in range(300)])

    def test_ends_wake_who_waits(self):
        async def main():
            writer, reader = self.pair(capacity=1)
            writer.write(b"full")
            writing = asyncio.create_task(aio.write(writer, b"x"))
            await asyncio.sleep(0)
            reader.close()
            with self.raises_errno(errno.EPIPE, BrokenPipeError):
                await writing
            writer, reader = self.pair()
            reading = asyncio.create_task(aio.read(reader))
            await asyncio.sleep(0)
            writer.abort()
            with self.raises_errno(errno.ECONNRESET, bstream.WriterDiedError):
                await reading

        run(main())

    def test_one_task_waits_for_an_end(self):
        async def main():
            writer, reader = self.pair()
            first = asyncio.create_task(aio.read(reader))
            await asyncio.sleep(0)
            with self.assertRaisesRegex(RuntimeError, "another task"):
                await aio.read(reader)
            writer.write(b"for the first")
            self.assertEqual(await first, b"for the first")

        run(main())

    def test_a_cancelled_wait_has_taken_nothing(self):
        async def main():
            writer, reader = self.pair()
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(aio.read(reader), 0.01)
            writer.write(b"still there")
            self.assertEqual(await aio.read(reader), b"still there")

        run(main())

    def test_messages_arrive_in_the_loop(self):
        async def main():
            with bstream.Mailbox("box") as mailbox:
                waiting = asyncio.create_task(aio.recv(mailbox))
                await asyncio.sleep(0)
                peer = self.peer("mail", "box", "from C", 3, 8)
                message = await waiting
                self.assertEqual(message.note, b"from C")
                with message.reader as reader:
                    self.assertEqual(len([chunk async for chunk in reader]), 3)
                self.said(peer)

        run(main())


class Poll(guard.Case):
    def assert_falls_silent(self, poll, call):
        """A new descriptor may be readable for nothing: for each of six looks at an end on its way out."""
        for _ in range(7):
            if poll.poll(0) == []:
                return
            with self.raises_errno(errno.EAGAIN):
                call()
        self.fail("readable, and there is nothing")

    def test_descriptors_are_readable_when_there_is_something(self):
        writer, reader = self.pair(capacity=1)
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        self.assert_falls_silent(poll, lambda: reader.read(0))
        writer.write(b"x")
        self.assertEqual(poll.poll(guard.PATIENCE * 1000), [(reader.fileno(), select.POLLIN)])
        full = select.poll()
        full.register(writer, select.POLLIN)
        with self.raises_errno(errno.EAGAIN):
            writer.write(b"y", 0)
        self.assert_falls_silent(full, lambda: writer.write(b"y", 0))
        reader.read()
        self.assertEqual(full.poll(guard.PATIENCE * 1000), [(writer.fileno(), select.POLLIN)])


if __name__ == "__main__":
    guard.main()
