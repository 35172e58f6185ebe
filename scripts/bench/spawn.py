# SPDX-License-Identifier: MIT
# spawn.lua in Python: ns per program.
import subprocess
import time

n = 1000
start = time.monotonic_ns()
for _ in range(n):
    if subprocess.Popen(["true"]).wait() != 0:
        raise SystemExit(1)
print((time.monotonic_ns() - start) / n)
