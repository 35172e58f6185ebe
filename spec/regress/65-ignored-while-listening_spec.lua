-- SPDX-License-Identifier: MIT
-- Under nohup, a program that was started while we listened to HUP ourselves had it at its default, and died with the
-- terminal; one that was started before or afterwards had not. Likewise INT and QUIT in a shell's background.

local homes = require "spec.support.homes"

local IGNORING <const> = [[sh -c 'trap "" HUP INT QUIT; exec "$@"' sh]]

local PRELUDE <const> = [[
  local function each(fn) for _, name in ipairs {"HUP", "INT", "QUIT"} do fn(name) end end
  -- without the two that the C library keeps for itself
  local function ignored(text) return tonumber(text:match "SigIgn:%s*(%x+)", 16) & ~(3 << 31) end
  local function show()
    local program = assert(ipc.process {"cat", "/proc/self/status", stdout = "pipe"})
    local lines = {}
    for line in program.stdout:messages() do lines[#lines + 1] = line end
    program:wait()
    local child = ipc.process(function(channel) channel:send(io.open("/proc/self/status"):read "a") end)
    print(ignored(table.concat(lines, "\n")), ignored(child.channel:receive()))
    child:wait()
  end
]]

local listening = {
  ["nobody listens"] = "show()",
  ["a handler listens"] = "each(function(name) ipc.signal_handler(name):add(print) end) show()",
  ["a function listens"] = "each(function(name) ipc.signal(name):handle(print) end) show()",
  ["a trap listens"] = [[local trap <close> = ipc.signal_trap("HUP", "INT", "QUIT", "TERM") show()]],
  ["somebody waits"] = "each(function(name) ipc.signal(name):wait(0) end) show()",
  ["we have set the default"] = "each(function(name) ipc.signal(name):default() end) show()",
  ["nobody listens any more"] = [[ipc.signal_trap("HUP", "INT", "QUIT"):close() show()]],
}

describe("what was ignored when the program began", function()
  for _, home in ipairs(homes) do
    for name, program in pairs(listening) do
      it("is ignored in what it starts while " .. name .. ", in " .. home.name, function()
        local output, status, errors = home.run(PRELUDE .. program, IGNORING)
        -- lua5.4 catches INT whatever it was
        assert.equal(home.name == "lua5.4" and "5\t5\n" or "7\t7\n", output, errors)
        assert.equal("exit 0", status)
      end)

      it("is so for nothing else while " .. name .. ", in " .. home.name, function()
        local output, status, errors = home.run(PRELUDE .. program)
        assert.equal("0\t0\n", output, errors)
        assert.equal("exit 0", status)
      end)
    end
  end
end)
