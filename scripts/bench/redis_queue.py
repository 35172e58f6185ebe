# SPDX-License-Identifier: MIT
# A list on a Redis server by Python's client: RPUSH and LPOP of 64 bytes, no types, no limit. Prints ns per message.
#   redis_queue.py N
import os, sys, time
import redis

n, r = int(sys.argv[1]), redis.Redis(unix_socket_path=os.environ["REDIS_SOCKET"])
message = b"x" * 64
start = time.monotonic()
for _ in range(n):
    r.rpush("bench", message)
    r.lpop("bench")
print((time.monotonic() - start) / n * 1e9)
