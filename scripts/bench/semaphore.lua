-- SPDX-License-Identifier: MIT
-- acquire and release of a semaphore or a mutex that no other process wants, on sysv or shm. Prints ns per pair.
local ipc = require "ipc"
local n = 500000
local file = os.tmpname()
local key = arg[2] == "shm" and ipc.shm_key("bench" .. file:gsub("/", ".")) or ipc.file_key(file)
local lock = arg[1] == "mutex" and ipc.mutex(key) or ipc.semaphore(key, 1)

local start = ipc.now()
for _ = 1, n do
  lock:acquire()
  lock:release()
end
print((ipc.now() - start) / n * 1e9)
lock:remove()
os.remove(file)
