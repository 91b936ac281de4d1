"""A bad network: an HTTP proxy before the local backend in which a share of all exchanges fails somewhere."""
import asyncio
import collections
import random
import socket
import struct
import threading

TROUBLES = ("refuse", "hole", "drip", "cut-request", "cut-answer", "reset", "stall", "garbage", "status-500",
            "status-503", "status-429")
STALL_S = 3


class Proxy:
    """Runs in a thread of its own. `share`: of the exchanges that fail, 0 to 1; changed at any time."""

    def __init__(self, port, share, seed):
        self.backend_port = port
        self.share = share
        self.chance = random.Random(seed)
        self.count = collections.Counter()
        self.loop = asyncio.new_event_loop()
        self.tasks = set()  # the loop alone does not keep them
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        self.ready.wait()

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            while await self.exchange(reader, writer):
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self.tasks.discard(asyncio.current_task())

    def trouble(self):
        self.count["exchanges"] += 1
        if self.chance.random() >= self.share:
            return None
        trouble = self.chance.choice(TROUBLES)
        self.count[trouble] += 1
        return trouble

    async def exchange(self, reader, writer):
        """One request and its answer, each on a connection of its own to the backend. False: no more here."""
        head = await reader.readuntil(b"\r\n\r\n")
        trouble = self.trouble()
        if trouble == "refuse":
            return False
        if trouble == "hole":  # taken, and nothing is ever heard of it
            await asyncio.sleep(STALL_S)
            return False
        if trouble == "garbage":
            writer.write(self.chance.randbytes(500))
            await writer.drain()
            return False
        if trouble and trouble.startswith("status"):
            status = trouble[-3:].encode()
            writer.write(b"HTTP/1.1 " + status + b" Trouble\r\nContent-Length: 2\r\nConnection: close\r\n"
                         b"Content-Type: application/json\r\n\r\n{}")
            await writer.drain()
            return False
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.backend_port)
        try:
            if b"expect" in fields:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            lines = [l for l in head.split(b"\r\n") if not l.lower().startswith((b"connection:", b"expect:"))]
            back_writer.write(b"\r\n".join(lines[:-2] + [b"Connection: close", b"", b""]))
            left = int(fields.get(b"content-length", b"0"))
            if trouble == "cut-request":
                left = self.chance.randrange(left + 1)
            while left:
                piece = await reader.read(min(left, 65536))
                if not piece:
                    return False
                left -= len(piece)
                back_writer.write(piece)
                await back_writer.drain()
            if trouble == "cut-request":
                return False
            await self.answer(back_reader, writer, trouble)
        finally:
            back_writer.transport.abort()
        return False  # the backend's close ended the answer

    async def answer(self, back, writer, trouble):
        """The request was carried out; what comes of the answer?"""
        if trouble == "drip":  # a byte a second, then the rest
            for byte in await back.read(STALL_S):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
            trouble = None
        room = self.chance.randrange(2000) if trouble else None
        while True:
            piece = await back.read(65536)
            if not piece:
                writer.close()
                await writer.wait_closed()
                return
            if room is not None and len(piece) >= room:
                writer.write(piece[:room])
                await writer.drain()
                if trouble == "stall":
                    await asyncio.sleep(STALL_S)
                elif trouble == "reset":
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                               struct.pack("ii", 1, 0))
                return  # serve() aborts
            if room is not None:
                room -= len(piece)
            writer.write(piece)
            await writer.drain()
