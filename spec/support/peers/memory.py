# SPDX-License-Identifier: MIT
# A peer of ours on a System V segment, by Python's sysv_ipc. memory.py KEY [SLOTS]: with SLOTS it makes the segment. Then a
# line for each order, and for its answer: get SLOT · set SLOT N · add SLOT N → the sum · size · remove.

import os
import struct
import sys

import sysv_ipc

if len(sys.argv) > 2:
    memory = sysv_ipc.SharedMemory(int(sys.argv[1]), sysv_ipc.IPC_CREX, size=int(sys.argv[2]) * 8,
                                   init_character=b"\0")
else:
    memory = sysv_ipc.SharedMemory(int(sys.argv[1]))
print(os.getpid(), flush=True)
for line in sys.stdin:
    order, slot, n = (line.split() + ["0", "0"])[:3]
    slot, n = int(slot), int(n)
    current = struct.unpack("q", memory.read(8, slot * 8))[0]
    if order in ("set", "add"):
        current = n if order == "set" else current + n
        memory.write(struct.pack("q", current), slot * 8)
    elif order == "size":
        current = memory.size
    elif order == "remove":
        memory.remove()
        current = 0
    print(current, flush=True)
