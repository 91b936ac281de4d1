"""The test's side of shim.c."""
import mmap
import os
import struct

CREATE, WRITE, SYNC, RENAME, UNLINK, MKDIR, SEND, RECV, ANSWER, ALLOC, READ, OPEN = (1 << n for n in range(12))
DISK = CREATE | WRITE | SYNC | RENAME | UNLINK | MKDIR | READ | OPEN
KILL_BEFORE, KILL_AFTER, FAIL, HOLD = 1, 2, 3, 4
FOREVER = 2**31 - 1

LAYOUT = struct.Struct("=IIiiiiqQ")  # struct control of shim.c
HITS_AT, CLOCK_AT = 20, 24


class Shim:
    def __init__(self, library, path):
        with open(path, "wb") as file:
            file.write(bytes(LAYOUT.size))
        fd = os.open(path, os.O_RDWR)
        self.map = mmap.mmap(fd, LAYOUT.size)
        os.close(fd)
        self.environment = {"LD_PRELOAD": str(library), "SHIM_CONTROL": str(path)}

    def hit(self, kinds, action, after=0, times=1, error=0, only=0):
        """The (after+1)-th call of these kinds from now on, and `times` - 1 more; syncs `only` of this inode.
        HOLD: they wait for rest()."""
        clock, = struct.unpack_from("=q", self.map, CLOCK_AT)
        self.rest()
        # The action last: until then nothing is due.
        LAYOUT.pack_into(self.map, 0, kinds, 0, error, after, times, 0, clock, only)
        struct.pack_into("=I", self.map, 4, action)

    def rest(self):
        struct.pack_into("=I", self.map, 4, 0)

    def hits(self):
        return struct.unpack_from("=i", self.map, HITS_AT)[0]

    def set_clock(self, offset_s):
        struct.pack_into("=q", self.map, CLOCK_AT, offset_s)
