-- SPDX-License-Identifier: MIT
-- Under a limit of a file's size (ulimit -f) the constructors that reserve space in /dev/shm, and a channel on a file,
-- ended the program: the kernel sends SIGXFSZ to a process that reaches the limit. It is EFBIG now, and the signal is
-- gone.

local engines = require "spec.support.engines"
local homes = require "spec.support.homes"

local EFBIG <const> = 27
local shm, sysv = engines.shm, engines.sysv

describe("a program with a limit of its files' size", function()
  after_each(function()
    shm.cleanup()
    sysv.cleanup()
  end)

  -- ulimit counts in blocks of 512 bytes
  local function run(home, blocks, code)
    local output, status, errors = home.run(code, ("sh -c 'ulimit -f %d; exec \"$@\"' sh"):format(blocks))
    assert.equal("exit 0", status, errors)
    return output
  end

  for _, home in ipairs(homes) do
    it("is told so by constructors, and goes on, in " .. home.name, function()
      local name = shm.key().name
      for blocks, allowed in pairs{[0] = 0, [5] = 2, [20] = 3} do -- of 512 bytes
        local output = run(home, blocks, ([[
          local key, made = ipc.shm_key %q, 0
          for _, open in ipairs{
            function(k) return ipc.queue(k) end,
            function(k) return ipc.shared_data(k) end,
            function(k) return ipc.shared_data(k, {size = 65536}) end,
            function(k) return ipc.shared_memory(k, 900) end,
            function(k) return ipc.mutex(k) end,
            function(k) return ipc.semaphore(k, 2) end,
          } do
            local o, message, code = open(key)
            assert(o or code == %d and message:find "%%(ulimit %%-f%%)$", message)
            made = made + (o and 1 or 0)
            if o then assert(o:remove()) o:close() end
            local p, why, errno = open(ipc.private)
            assert(p or errno == %d, why)
          end
          local blocked = io.open "/proc/self/status":read "a":match "SigBlk:%%s+(%%x+)"
          local pending = io.open "/proc/self/status":read "a":match "SigPnd:%%s+(%%x+)"
          print(made, tonumber(blocked, 16), tonumber(pending, 16))]]):format(name, EFBIG, EFBIG))
        assert.equal(("%d\t0\t0\n"):format(allowed), output)
      end
    end)

    it("is told so by a channel on a file, in " .. home.name, function()
      local path = os.tmpname()
      finally(function() os.remove(path) end)
      assert.equal("true\nnil\t27\nnil\t27\n", run(home, 2, ([[
        local file = io.open(%q, "w")
        local channel = ipc.stream_channel(file, {codec = "raw", framing = "line"})
        print(channel:send(("x"):rep(600)))
        local _, _, code = channel:send(("x"):rep(600))
        print(nil, code)
        ipc.task(function()
          local _, _, again = channel:send(("x"):rep(100000), 1)
          print(nil, again)
        end)
        ipc.run()]]):format(path)))
    end)
  end
end)
