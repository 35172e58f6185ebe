# SPDX-License-Identifier: MIT
# channel.lua for Python's multiprocessing.Pipe, 64-byte strings.
import sys
import time
from multiprocessing import Pipe, Process

how = sys.argv[1]
n = 100000 if how == "oneway" else 20000


def child(end):
    for i in range(n):
        message = end.recv()
        if how == "roundtrip" or i == n - 1:
            end.send(message)


ours, theirs = Pipe()
process = Process(target=child, args=(theirs,))
process.start()
start = time.monotonic()
for i in range(n):
    ours.send("x" * 64)
    if how == "roundtrip" or i == n - 1:
        ours.recv()
print((time.monotonic() - start) / n * 1e9)
process.join()
