-- SPDX-License-Identifier: MIT
-- A program with pipes, an environment and a directory, and one that is not there.
local ipc = require "ipc"

assert(select(3, ipc.process{"no-such-program", stdin = "pipe", stdout = "null"}) == 2)

local child <close> = assert(ipc.process{"cat", stdin = "pipe", stdout = "pipe", stderr = "stdout",
  env = {A = "1", B = "2"}, cwd = "/"})
assert(child.stdin:send("line"))
assert(child.stdout:receive() == "line")
child.stdin:close()
assert(child:wait())
