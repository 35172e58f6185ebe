-- SPDX-License-Identifier: MIT
-- A terminal that went away while SIGHUP was ignored (nohup, a shell's disown) left the prompt spinning for ever: the
-- line editor returned at once, with nothing read, and was called again.

local ipc = require "ipc"

local host = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = 60

describe("a prompt whose terminal has gone", function()
  it("ends", function()
    -- its descriptor 9 is this pipe: that closes when the prompt has ended, too
    local terminal <close> = assert(ipc.process{"sh", "-c", "exec script -qefc \"$0\" /dev/null 9>&1",
      ("trap '' HUP; exec env TERM=xterm HOME=/nonexistent %s -E"):format(host), stdin = "pipe", stdout = "pipe",
      codec = "raw"})
    repeat until assert(terminal.stdout:receive(PATIENCE)):find("Lua 5", 1, true)
    terminal.stdin:send("print('it runs'); while os.execute('test -t 0') do end")
    repeat until assert(terminal.stdout:receive(PATIENCE)) == "it runs\r"
    terminal:signal("KILL")
    local text, why
    repeat text, why = terminal.stdout:receive(PATIENCE) until not text
    assert.equal("closed", why)
  end)
end)
