# SPDX-License-Identifier: MIT
# queue.lua for sysv_ipc, sent and received by one process: 64 bytes (raw) or the small table (json). Prints ns per
# message. The module belongs to Debian's own /usr/bin/python3.
import json
import signal
import sys
import time

import sysv_ipc

what = sys.argv[1]
n = 100000
payload = {"id": 17, "name": "bench", "values": [1, 2.5, "three"]} if what == "json" else b"x" * 64

for signum in signal.SIGHUP, signal.SIGINT, signal.SIGTERM:
    signal.signal(signum, lambda *_: sys.exit(1))


def raw(queue):
    for _ in range(n):
        queue.send(payload)
        got = queue.receive()[0]
    return got


def coded(queue):
    for _ in range(n):
        queue.send(json.dumps(payload))
        got = json.loads(queue.receive()[0])
    return got


queue = sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX, 0o600)
try:
    start = time.monotonic()
    got = (coded if what == "json" else raw)(queue)
    took = time.monotonic() - start
finally:
    queue.remove()
assert got == payload
print(took / n * 1e9)
