# SPDX-License-Identifier: MIT
# shared_data.lua for Python: a dict of multiprocessing's Manager. Prints ns per call. shared_data.py get|set|add raw|table [names]
import multiprocessing
import sys
import time

what, codec = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "raw"
names = int(sys.argv[3]) if len(sys.argv) > 3 else 1
n = 5000
value = "x" * 64 if codec == "raw" else {"id": 17, "name": "bench", "values": [1, 2.5, "three"]}
if what == "add":
    value = 12345

with multiprocessing.Manager() as manager:
    data, lock = manager.dict(), manager.Lock()
    data.update({i: value for i in range(names)})
    start = time.perf_counter_ns()
    for i in range(n):
        name = i * 7919 % names
        if what == "get":
            data[name]
        elif what == "set":
            data[name] = value
        else:
            with lock:
                data[name] += 1
    print((time.perf_counter_ns() - start) / n)
