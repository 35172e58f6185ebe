-- SPDX-License-Identifier: MIT
-- The thread that waits for System V messages cannot help taking an empty one. If another case of the select had won by
-- then, or the handle was closed, it stayed in the process: others waited for it in vain, and a process that ended
-- without closing took it along. Now it goes back to the queue at once, or to another task that waits for it.

local engines = require "spec.support.engines"
local homes = require "spec.support.homes"

local sysv = engines.sysv

-- `elsewhere` runs code in another process while this one stands still, all but its thread: it has `q`, the queue. An
-- empty message that is sent there has been taken by our thread when send() returns.
local beginning = [[
  local key, options = ipc.file_key("%s", %d), {codec = "raw"}
  local q = assert(ipc.queue(key, options))
  local function elsewhere(code)
    local program = "local ipc = require 'ipc' local q = assert(ipc.queue(ipc.file_key('%s', %d), {codec = 'raw'})) "
    local pipe = io.popen(("%s -e \"%%s\""):format(program .. code))
    local output = pipe:read("a")
    pipe:close()
    return output
  end
  local function send()
    while ipc.stats().threads == 0 do ipc.sleep(0.001) end
    elsewhere "q:send(7, '') local give_up = ipc.now() + 10 while #q > 0 and ipc.now() < give_up do end"
    assert(q:stat().messages == 0, "it was not taken")
  end
  local function receive() io.write(elsewhere "print(q:receive(0, 5))") end
]]

local cases = {
  ["whose select is lost"] = [[
    local s = ipc.semaphore(ipc.private, 1)
    s:acquire()
    local t = ipc.task(function() return ipc.select{s, q} end)
    send()
    s:release()
    assert(select(2, t:join()) == 1)
    receive()
  ]],
  ["whose select is lost, and which is killed"] = [[
    local s = ipc.semaphore(ipc.private, 1)
    s:acquire()
    ipc.task(function() return ipc.select{s, q} end)
    send()
    s:release()
    os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
  ]],
  ["that closes the handle"] = [[
    local other = ipc.queue(key, options)
    ipc.task(q.receive, q)
    send()
    q:close()
    receive()
    other:close()
  ]],
  ["of which another task waits for it"] = [[
    local s = ipc.semaphore(ipc.private, 1)
    s:acquire()
    local t = ipc.task(function() return ipc.select{s, {q, "receive", 7}} end)
    send()
    local other = ipc.task(function() return q:receive(-9) end)
    s:release()
    assert(select(2, t:join()) == 1)
    print(select(2, other:join()))
  ]],
  ["whose wait is cancelled, and has it by then"] = [[
    local t = ipc.task(function() return q:receive() end)
    send()
    t:cancel()
    print(select(2, t:join()))
  ]],
}

describe("an empty message, taken by a process", function()
  if sysv.missing then return pending(sysv.missing) end
  after_each(sysv.cleanup)

  for _, home in ipairs(homes) do
    for what, code in pairs(cases) do
      it(("%s, is there once: %s"):format(what, home.name), function()
        local key = sysv.key()
        local start = beginning:format(key.path, key.project, key.path, key.project, homes[1].command)
        local output, status, errors = home.run(start .. code)
        if not what:find("killed") then assert.same({"exit 0", ""}, {status, errors}) end
        if output == "" then output = home.run(start .. "receive()") end
        assert.equal("\t7\n", output)
        assert.equal("nil\ttimeout\n", (home.run(start .. "print(q:receive(0, 0))")))
      end)
    end
  end
end)
