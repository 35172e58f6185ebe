-- SPDX-License-Identifier: MIT
-- ipctl lock: a program with a mutex held, or a file lock.

local ipc = require "ipc"
local args = require "ipctl.args"
local keys = require "ipctl.keys"
local out = require "ipctl.out"
local program = require "ipctl.program"

local lock = {}

local function open(parsed)
  local name = parsed[1]
  if keys.is_key(name) then
    if parsed.shared then out.fail("lock: --shared is for the lock of a path") end
    return keys.open("mutex", name)
  end
  return out.check(ipc.file_lock(name))
end

function lock.run(parsed)
  if not (parsed.command and parsed.command[1]) then out.fail("usage: ipctl lock [options] KEY|PATH -- PROGRAM") end
  local x <close> = open(parsed)
  local timeout = args.number(parsed, "timeout")
  local held, what, errno
  if parsed.shared then held, what, errno = x:acquire(timeout, "shared") else held, what, errno = x:acquire(timeout) end
  if not held then
    if errno or what ~= "timeout" then out.fail("lock %s: %s", parsed[1], what) end
    return 1
  end
  if what == "abandoned" then out.note("mutex %s: its last holder died", parsed[1]) end
  local how, code = program.run(parsed.command, nil, parsed[1]:find("^redis") and x or nil)
  x:release()
  return how == "signal" and 128 + code or code
end

return lock
