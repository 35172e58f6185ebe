# SPDX-License-Identifier: MIT
# fork.lua in Python: ns per child.
import os
import socket
import time

n = 1000
start = time.monotonic_ns()
for _ in range(n):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        theirs.send(b"x")
        os._exit(0)
    theirs.close()
    if ours.recv(1) != b"x" or os.waitpid(pid, 0)[1] != 0:
        raise SystemExit(1)
    ours.close()
print((time.monotonic_ns() - start) / n)
