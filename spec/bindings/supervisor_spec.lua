-- SPDX-License-Identifier: MIT
-- require "ipc.supervisor": what is started again, when, and how all is stopped.

local ipc = require "ipc"
local new = require "ipc.supervisor".new

local PATIENCE = 20

-- Runs one; returns what happened, as "what name extra" lines, without process ids, and how it ended.
local function run(options, on_event)
  local events, supervisor = {}, nil
  options.event = function(what, name, a, b)
    local extra = what == "started" and "" or table.concat({a and " " .. a or "", b and " " .. b or ""})
    events[#events + 1] = what .. " " .. name .. extra
    if on_event then on_event(supervisor, what, name) end
  end
  supervisor = new(options)
  local ok, how, info = ipc.task(supervisor.run, supervisor):join(PATIENCE)
  assert.is_true(ok, how)
  return events, how, info, supervisor
end

local function fails() os.exit(3) end
local function sleeps() ipc.sleep(100) end

describe("a supervisor", function()
  it("starts again what fails, with pauses that grow, and gives it up", function()
    local events, how, _, supervisor = run {children = {
      {name = "a", fn = fails, restart = "on_failure", backoff = {min = 0.001, max = 0.003}, restarts = 3},
    }}
    assert.same({
      "started a", "ended a exit 3", "restarting a 0.001", "started a", "ended a exit 3", "restarting a 0.002",
      "started a", "ended a exit 3", "restarting a 0.003", "started a", "ended a exit 3", "given up a",
    }, events)
    assert.equal("ended", how)
    assert.same({{name = "a", state = "given up", started = 4}}, supervisor:status())
  end)

  it("starts again what ends well only if it is to run always", function()
    local events = run({children = {
      {name = "once", fn = function() end, restart = "on_failure"},
      {name = "never", fn = fails, restart = "never"},
      {name = "always", program = {"true"}, backoff = {min = 0}, restarts = 1},
    }})
    local count = {}
    for _, event in ipairs(events) do count[event] = (count[event] or 0) + 1 end
    assert.same({1, 1, 2}, {count["started once"], count["started never"], count["started always"]})
    assert.equal(1, count["given up always"])
  end)

  it("counts one as well that has run long enough", function()
    local pauses = {}
    local events = run({children = {
      {name = "a", fn = fails, backoff = {min = 0.001, max = 1}, reset = 0, restarts = 2},
    }}, function(supervisor, what)
      if what == "restarting" then pauses[#pauses + 1] = what end
      if #pauses == 5 then supervisor:stop() end
    end)
    for _, event in ipairs(events) do
      if event:find("restarting") then assert.equal("restarting a 0.001", event) end
    end
    assert.equal(5, #pauses)
  end)

  it("stops all when it is told to, the last one first", function()
    local running = 0
    local events, how = run({children = {
      {name = "a", fn = sleeps}, {name = "b", program = {"sleep", "100"}}, {name = "c", fn = sleeps},
    }}, function(supervisor, what)
      if what == "started" then running = running + 1 end
      if running == 3 and what == "started" then ipc.task(supervisor.stop, supervisor) end
    end)
    assert.same({"started a", "started b", "started c", "stopping c", "ended c signal 15", "stopping b",
      "ended b signal 15", "stopping a", "ended a signal 15"}, events)
    assert.equal("stopped", how)
  end)

  it("kills what does not end within the grace time", function()
    local events = run({grace = 0.05, children = {
      {name = "deaf", fn = function(channel)
        ipc.signal("TERM"):ignore()
        channel:send("deaf")
        ipc.sleep(100)
      end},
    }}, function(supervisor, what)
      if what == "started" then
        ipc.task(function()
          ipc.sleep(0.1) -- until it is deaf; no process has its channel
          supervisor:stop()
        end)
      end
    end)
    assert.same({"started deaf", "stopping deaf", "ended deaf signal 9"}, events)
  end)

  it("stops one that waits to be started again", function()
    local events, how = run({children = {{name = "a", fn = fails, backoff = {min = 100}}}}, function(supervisor, what)
      if what == "restarting" then ipc.task(supervisor.stop, supervisor) end
    end)
    assert.same({"started a", "ended a exit 3", "restarting a 100", "stopping a"}, events)
    assert.equal("stopped", how)
  end)

  it("stops all when its process gets a signal", function()
    local child = assert(ipc.process(function(channel)
      local how, info = new {
        children = {{name = "a", fn = sleeps}},
        event = function(what) channel:send(what) end,
      }:run()
      channel:send(how .. " " .. info.name)
    end))
    assert.equal("started", child.channel:receive(PATIENCE))
    child:signal("TERM")
    local said = {}
    for _ = 1, 3 do said[#said + 1] = child.channel:receive(PATIENCE) end
    assert.same({"stopping", "ended", "stopped TERM"}, said)
    assert.is_true(child:wait(PATIENCE))
  end)

  it("tells what cannot be started, and tries again", function()
    local events = run {children = {{name = "a", program = {"/no/such/program"}, backoff = {min = 0}, restarts = 1}}}
    assert.equal(4, #events)
    assert.matches("^ended a error .*/no/such/program", events[1])
    assert.equal("given up a", events[4])
  end)

  it("closes its children when the task that runs it is cancelled", function()
    local pid
    local supervisor = new {children = {{name = "a", fn = sleeps}}, event = function(what, _, id)
      if what == "started" then pid = id end
    end}
    local task = ipc.task(supervisor.run, supervisor)
    while not pid do ipc.sleep(0.001) end
    task:cancel()
    task:join(PATIENCE)
    assert.is_nil(os.execute("kill -0 " .. pid .. " 2>/dev/null"))
  end)

  it("can be run again, after it was stopped and after an error", function()
    local supervisor, fail
    supervisor = new {children = {{name = "a", fn = sleeps}}, event = function(what)
      if what ~= "started" then return end
      if fail then error("no more") end
      ipc.task(supervisor.stop, supervisor)
    end}
    assert.equal("stopped", supervisor:run())
    fail = true
    assert.error_matches(function() supervisor:run() end, "no more")
    assert.same({{name = "a", state = "stopped", started = 1}}, supervisor:status())
    fail = false
    assert.equal("stopped", supervisor:run())
    supervisor:stop() -- there is nothing to be stopped, and that does not last
    assert.equal("stopped", supervisor:run())
  end)

  it("starts nothing when it is stopped at once", function()
    local events = {}
    local supervisor = new {children = {{name = "a", fn = sleeps}}, event = function(what)
      events[#events + 1] = what
    end}
    local task, stop = ipc.task(supervisor.run, supervisor), ipc.task(supervisor.stop, supervisor)
    assert.is_true(stop:join(PATIENCE))
    assert.same({true, "stopped"}, {task:join(PATIENCE)})
    assert.same({"new", 0}, {supervisor:status()[1].state, supervisor:status()[1].started})
    assert.same({}, events)
  end)

  it("is waited for by every call that stops it, and the least patient one counts", function()
    local supervisor, pid
    local path = os.tmpname()
    supervisor = new {children = {
      {name = "deaf", program = {"sh", "-c", "trap '' TERM; echo >" .. path .. "; sleep 100 & wait; wait"}},
    }, event = function(what, _, id)
      if what == "started" then pid = id end
    end}
    local all = ipc.task(supervisor.run, supervisor)
    repeat ipc.sleep(0.001) until #(io.open(path):read("a")) > 0
    local patient = ipc.task(supervisor.stop, supervisor, 1000)
    ipc.yield()
    local hasty = ipc.task(supervisor.stop, supervisor, 0)
    assert.is_true(hasty:join(PATIENCE))
    assert.is_true(patient:join(PATIENCE))
    assert.same({true, "stopped"}, {all:join(PATIENCE)})
    assert.is_nil(os.execute("kill -0 " .. pid .. " 2>/dev/null"))
    os.remove(path)
  end)

  it("belongs to the process that made it", function()
    local told, supervisor = os.tmpname(), nil
    supervisor = new {children = {{name = "a", restart = "never", fn = function()
      local file <close> = io.open(told, "w")
      file:write(select(2, pcall(supervisor.stop, supervisor)))
    end}}}
    assert.equal("ended", supervisor:run())
    assert.matches("belongs to the process that made it", io.open(told):read("a"))
    os.remove(told)
  end)

  it("raises for options that are wrong", function()
    assert.error_matches(function() new() end, "options must be a table with a list, children")
    assert.error_matches(function() new {children = {{fn = sleeps}}} end, "children%[1%].name must be a string")
    assert.error_matches(function() new {children = {{name = "a"}}} end, "a needs either fn, a function, or program")
    local child = {name = "a", fn = sleeps, restart = "often"}
    assert.error_matches(function() new {children = {child}} end, "a: restart must be")
    child = {name = "a", fn = sleeps, reset = -1}
    assert.error_matches(function() new {children = {child}} end, "a: reset must be a number")
    child = {name = "a", fn = sleeps, program = {"true"}}
    assert.error_matches(function() new {children = {child}} end, "a needs either fn, a function, or program")
    child = {name = "a", fn = sleeps, backoff = {least = 1}}
    assert.error_matches(function() new {children = {child}} end, "a: unknown option 'backoff.least'")
    child = {name = "a", fn = sleeps, restarts = 0 / 0}
    assert.error_matches(function() new {children = {child}} end, "a: restarts must be a number, 0 or more")
    assert.error_matches(function() new {children = {}, grace = "x"} end, "grace must be a number")
    assert.error_matches(function() new {children = {}, event = 7} end, "event must be a function, got number")
    assert.error_matches(function() new {children = {}, signals = {"TERMINATE"}} end, "no signal is TERMINATE")
    assert.error_matches(function() new {children = {}, sinals = {}} end, "unknown option 'sinals'")
    assert.error_matches(function() new {children = {}}:stop(-1) end, "grace must be a number, 0 or more")
  end)
end)
