-- SPDX-License-Identifier: MIT
-- Signals, timers and the loop belong to the process, so one Lua state of it can have the module. Two threads that
-- loaded ipc.so at once both had it, and crashed. And each copy of the code asked for itself: in the host, a state made
-- by a module (luv's threads, rings) got a second runtime from ipc.so, and the signals and ticks of the first stopped.

local homes = require "spec.support.homes"
local peer = require "spec.support.peer"

local USE = [[
  local ipc = require 'ipc'
  local ticks, tick = 0
  tick = ipc.timer(0.001, function(t) ticks = ticks + 1 if ticks == 2 then t:stop() end end)
  while ticks < 2 do ipc.sleep(0.001) end
  return tostring(ticks)
]]
local REFUSED = "ipc is loaded in another Lua state of this process"

describe("the module in several Lua states of a process", function()
  local states, copy, path

  setup(function()
    states = peer.compile("states.c", "-shared -fPIC $(pkg-config --cflags lua5.4) -lpthread")
    local host = os.getenv("IPCLUA") or "build/ipclua"
    path = ("%s/ipc.so"):format(host:match("^(.*)/") or ".")
    copy = os.tmpname()
    assert(os.execute(("cp %s %s"):format(path, copy)))
  end)

  teardown(function()
    peer.clean()
    os.remove(copy)
  end)

  -- Runs code that begins with `states`, USE, REFUSED and the paths, and without ipc.
  local function run(home, code)
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(("local states, USE, REFUSED, path, copy = package.loadlib(%q, 'luaopen_states')(), %q, %q, %q, %q\n")
      :format(states, USE, REFUSED, path, copy), ("package.cpath = %q\n"):format((path:gsub("ipc%.so$", "?.so"))), code)
    file:close()
    -- AddressSanitizer would complain that there are two copies
    local before = "ASAN_OPTIONS=$ASAN_OPTIONS:detect_odr_violation=0 "
    local output = peer.output(("%s%s %s 2>&1"):format(before, home.command, script))
    os.remove(script)
    return output
  end

  for _, home in ipairs(homes) do
    describe("in " .. home.name, function()
      it("is had by one of the threads that load it at once", function()
        assert.equal("1\t3\n", run(home, [[
          local text = states.at_once(4, ("package.cpath = %q "):format(package.cpath) .. USE)
          local had, refused = 0, 0
          for _, t in ipairs(text) do
            if t == "2" then had = had + 1 end
            if t:find(REFUSED, 1, true) then refused = refused + 1 end
          end
          print(had, refused)
        ]]))
      end)

      it("is refused to others, which have it when the first is closed", function()
        assert.equal("2\n2\ttrue\n2\n2\n", run(home, [[
          local a, b = states.new(), states.new()
          local use = ("package.cpath = %q "):format(package.cpath) .. USE
          print(a:run(use))
          local _, err = b:run(use)
          print(a:run(use), err:find(REFUSED, 1, true) ~= nil)
          a:close()
          print(b:run(use))
          b:close()
          print(load(USE)())
        ]]))
      end)

      it("is refused to states that load another copy of it", function()
        assert.equal("2\ntrue\n2\n2\ttrue\n", run(home, [[
          local a, b = states.new(), states.new()
          local other = ("package.preload.ipc = package.loadlib(%q, 'luaopen_ipc') "):format(copy) .. USE
          print(load(USE)())
          local _, err = a:run(other)
          print(err:find(REFUSED, 1, true) ~= nil)
          print(load(USE)())
          -- within one state it is the same
          local ipc, same = require "ipc", package.loadlib(copy, "luaopen_ipc")()
          print(load(USE)(), ipc == same)
        ]]))
      end)

      it("is refused to threads of a state that has it", function()
        assert.equal("true\ttrue\n2\n", run(home, [[
          load(USE)()
          local text = states.at_once(2, ("package.cpath = %q "):format(package.cpath) .. USE)
          print(text[1]:find(REFUSED, 1, true) ~= nil, text[2]:find(REFUSED, 1, true) ~= nil)
          print(load(USE)())
        ]]))
      end)
    end)
  end
end)
