-- SPDX-License-Identifier: MIT
-- ipctl explain, ps: what the boards of eight processes tell, and a ring of two.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local ipctl = require "spec.support.ipctl"
local processes = require "spec.support.processes"
local shell = require "spec.support.shell"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local PROCESSES <const> = 8

-- What `ps` tells of a process; nil: nothing.
local function process_of(pid)
  local status, text, problem = ipctl.run{"ps", "--json", tostring(pid)}
  assert.equal("", problem)
  assert.is_true(status < 2)
  return ipctl.lines(text)[1]
end

-- A child that waits in a task with a name.
local function waiter(key)
  return assert(ipc.process(function()
    ipc.task{name = "feeder", function() ipc.queue(key):receive() end}:join()
  end))
end

local function finish(children)
  for _, child in ipairs(children) do
    child:signal("KILL")
    child:wait(PATIENCE)
  end
end

describe("ipctl", function()
  after_each(engines.shm.cleanup)

  it("tells with ps what each task of eight processes waits for", function()
    local key = engines.shm.key()
    local children = {}
    for i = 1, PROCESSES do children[i] = waiter(key) end
    for _, child in ipairs(children) do
      local found
      processes.await(function()
        for _, wait in ipairs((process_of(child.pid) or {waits = {}}).waits) do
          if wait.key == ipctl.text_of(key) then found = wait end
        end
        return found
      end, "it waits")
      assert.same({"feeder", "queue receive"}, {found.name, found.call})
      assert.truthy(found.where:find("explain_spec.lua:%d+$"), found.where)
      assert.is_true(found.seconds >= 0)
    end
    local text = ipctl.output("ps")
    assert.truthy(text:find("^ *PID +STATE +TASK +SINCE +WHERE +WAITS FOR +COMMAND\n"))
    assert.truthy(text:find("queue receive of " .. ipctl.text_of(key), 1, true))
    finish(children)
    assert.is_nil(process_of(children[1].pid))
  end)

  it("maps processes and objects", function()
    local key = engines.shm.key()
    local m <close> = assert(ipc.mutex(key))
    assert(m:acquire())
    local child = assert(ipc.process(function() ipc.mutex(key):acquire() end))
    local text
    processes.await(function()
      text = ipctl.output("map")
      return text:find(("\n  waits +%d [^\n]*main chunk: mutex acquire\n"):format(child.pid))
    end, "it is seen to wait")
    assert.truthy(text:find(ipctl.text_of(key) .. " (mutex)\n", 1, true))
    assert.truthy(text:find(("\n  open +%d [^\n]*mutex\n"):format(child.pid)))
    local dot = ipctl.output("map", "--dot")
    assert.truthy(dot:find("^digraph ipc {\n") and dot:find("\n}\n$"))
    assert.truthy(dot:find(("p%d "):format(child.pid), 1, true))
    if os.execute("command -v dot >/dev/null") then
      local path = shell.temporary(dot)
      assert.same({"", "exit 0"}, {shell.output("dot -Tdot -o /dev/null " .. path .. " 2>&1")})
      os.remove(path)
    end
    finish{child}
    m:release()
  end)

  it("explains a ring of two processes", function()
    local a, b = engines.shm.key(), engines.shm.key()
    local function taker(first, second)
      return assert(ipc.process(function(channel)
        local one <close> = ipc.mutex(first)
        local other <close> = ipc.mutex(second)
        one:acquire()
        channel:send("has it")
        channel:receive()
        other:acquire()
      end))
    end
    local children = {taker(a, b), taker(b, a)}
    for _, child in ipairs(children) do assert.equal("has it", child.channel:receive(PATIENCE)) end
    for _, child in ipairs(children) do child.channel:send("go on") end
    local ring
    processes.await(function()
      local _, text = ipctl.run{"explain", "--json", ipctl.text_of(a)}
      for _, finding in ipairs(ipctl.lines(text)) do ring = finding.kind == "ring" and finding or ring end
      return ring
    end, "the ring is told")
    local pids = {ring.members[1].pid, ring.members[2].pid}
    table.sort(pids)
    local expected = {children[1].pid, children[2].pid}
    table.sort(expected)
    assert.same(expected, pids)
    assert.truthy(ipctl.output("explain", tostring(pids[1])):find("each waits for the next", 1, true))
    finish(children)
    assert.same({1, "", ""}, {ipctl.run{"explain", ipctl.text_of(a)}})
  end)
end)
