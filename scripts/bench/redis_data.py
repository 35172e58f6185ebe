# SPDX-License-Identifier: MIT
# redis_data.lua for Python's redis: HGET, HSET, HINCRBY. Prints ns per call.  redis_data.py get|set|add
import os
import sys
import time

import redis

server = redis.Redis(unix_socket_path=os.environ["REDIS_SOCKET"])
n = 5000
value = "x" * 64
server.hset("bench", "name", value)
call = {
    "get": lambda: server.hget("bench", "name"),
    "set": lambda: server.hset("bench", "name", value),
    "add": lambda: server.hincrby("bench", "n", 1),
}[sys.argv[1]]
start = time.perf_counter_ns()
for i in range(n):
    call()
print((time.perf_counter_ns() - start) / n)
