-- SPDX-License-Identifier: MIT
-- A call that could have waited but was served at once never let the others run: a task that emptied a long queue kept
-- sleeps, timeouts and heartbeats waiting until the queue was empty. And ipc.yield() on the main chunk ran the first 16
-- of those that were ready.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local OTHERS <const> = 200
local LARGE <const> = ("x"):rep(1 << 20)

-- Each is an object, or what makes one, and a call that is served at once for as often as one likes.
local function hogs()
  local raw = {codec = "raw"}
  local queue, full = assert(ipc.queue(ipc.private, raw)), assert(ipc.queue(ipc.private, raw))
  full:send(1, "there")
  local next_message = full:messages()
  local near, far = ipc.stream_channel_pair(raw)
  local hub = assert(ipc.multi_stream_channel(raw))
  local client = hub:create_client()
  local semaphore, mutex = assert(ipc.semaphore(ipc.private, 1)), assert(ipc.mutex(ipc.private))
  local taken = assert(ipc.mutex(ipc.private))
  local holder = waits.waiting(function()
    taken:acquire()
    ipc.sleep(1000)
  end)
  local memory, data = assert(ipc.shared_memory(ipc.private, 1)), assert(ipc.shared_data(ipc.private))
  data:set("name", 1)
  data:set("number", 1)
  local ended, child = ipc.task(function() return 1 end), assert(ipc.process {"true"})
  ended:join()
  child:wait()
  local signal = ipc.signal("USR2")
  signal:wait(0)
  local pid = tonumber(io.open("/proc/self/stat"):read("n")) --[[@as integer]]
  local trap = ipc.signal_trap("USR2")
  signal:dispatch(pid)
  trap:wait()
  local ticks = ipc.timer(1e-7)
  local calls = {
    ["queue"] = function() assert(queue:send(1, "m") and queue:receive()) end,
    ["a large message"] = function() assert(queue:send(1, LARGE) and queue:receive()) end,
    ["messages of a queue"] = function() full:send(1, (next_message(full))) end,
    ["a queue that is empty"] = function() assert(not queue:receive(0, 0)) end,
    ["channel"] = function() assert(near:send("m") and far:receive()) end,
    ["hub"] = function()
      hub:send("m")
      client:send(client:receive())
      hub:receive()
    end,
    ["semaphore"] = function()
      semaphore:acquire()
      semaphore:release()
    end,
    ["guard"] = function() local _ <close> = mutex:hold() end,
    ["a mutex that is taken"] = function() assert(not taken:try_acquire()) end,
    ["memory"] = function() assert(memory:wait(0, 1)) end,
    ["data"] = function() assert(data:wait("name", 0)) end,
    ["data that is set"] = function() assert(data:set("other", 1)) end,
    ["data that is added to"] = function() assert(data:add("number", 1)) end,
    ["data that is updated"] = function() assert(data:update("name", function(n) return n + 1 end)) end,
    ["a task that has ended"] = function() assert(ended:join()) end,
    ["a child that has ended"] = function() assert(child:wait()) end,
    ["signal"] = function() assert(signal:dispatch(pid) and signal:wait()) end,
    ["trap"] = function() assert(trap:wait()) end,
    ["timer"] = function() assert(ticks:wait()) end,
    ["select"] = function() assert(ipc.select {{queue, "send", 1, "m"}, {queue, "receive"}} and queue:receive()) end,
    ["a select in vain"] = function() assert(not ipc.select({queue, far}, 0)) end,
  }
  finally(function()
    holder:close()
    for _, object in ipairs{queue, full, near, far, hub, semaphore, mutex, taken, memory, data, signal, trap, ticks} do
      object:close()
    end
  end)
  return calls
end

-- Calls again and again until a sleeper has had its turn, which it needs several times.
local function lets_others_run(call)
  local turns, deadline = 0, ipc.now() + waits.PATIENCE
  local sleeper = ipc.task(function()
    while turns < 3 do
      ipc.sleep(1e-4)
      turns = turns + 1
    end
  end)
  while turns < 3 and ipc.now() < deadline do call() end
  local seen = turns
  sleeper:close()
  return seen == 3
end

local function each_call(check)
  for name, call in pairs(hogs()) do assert.is_true(check(call), name) end
end

describe("a call that is served at once", function()
  it("gives the others a turn now and then, in a task", function()
    each_call(function(call)
      local _, result = assert(ipc.task(lets_others_run, call):join())
      return result
    end)
  end)

  it("does so on the main chunk", function() each_call(lets_others_run) end)

  it("does so in a coroutine of a task, and of the main chunk", function()
    local function inside(call) return ipc.coroutine.wrap(lets_others_run)(call) end
    each_call(function(call)
      local _, result = assert(ipc.task(inside, call):join())
      return result and inside(call)
    end)
  end)

  it("works where nothing can be suspended", function()
    local queue <close> = assert(ipc.queue(ipc.private))
    local since = ipc.now()
    local function sorted()
      repeat
        table.sort({3, 2, 1}, function(a, b)
          queue:send(1, a)
          return queue:receive() < b
        end)
      until ipc.now() - since > 0.002
      return true
    end
    assert.same({true, true}, {ipc.task(sorted):join()})
    assert.is_true(sorted())
  end)

  it("loses no result when the task is cancelled in that turn", function()
    local MESSAGES <const> = 200
    local queue <close> = assert(ipc.queue(ipc.private, {capacity = 1 << 22}))
    for _ = 1, 20 do
      for i = 1, MESSAGES do queue:send(1, i) end
      local got = {}
      local hog = ipc.task(function()
        while true do
          got[#got + 1] = queue:receive()
          local busy = ipc.now() + 2e-5
          while ipc.now() < busy do end
        end
      end)
      ipc.yield()
      hog:cancel()
      hog:join()
      repeat
        local m = queue:receive(0, 0)
        got[#got + 1] = m
      until not m
      for i = 1, MESSAGES do assert.equal(i, got[i]) end
    end
  end)
end)

describe("ipc.yield", function()
  -- Makes tasks that compute for a while each; how many have run after `turn`, and how many they have made that have.
  local function run_by(turn)
    local ran, later = 0, 0
    for _ = 1, OTHERS do
      ipc.task(function()
        for _ = 1, 2000 do end
        ran = ran + 1
        ipc.task(function() later = later + 1 end)
      end)
    end
    turn()
    local result = {ran, later}
    repeat ipc.yield() until later == OTHERS
    return result
  end

  it("runs each that was ready once, and none that became so later", function()
    for _, turn in ipairs{ipc.yield, function() ipc.sleep(0) end} do
      assert.same({OTHERS, 0}, run_by(turn))
      assert.same({true, {OTHERS, 0}}, {ipc.task(run_by, turn):join()})
    end
  end)

  it("lets timers and descriptors have their turn", function()
    local near, far = ipc.stream_channel_pair()
    local ticked, received = false, false
    local reader = waits.waiting(function() received = far:receive() end)
    local busy = true
    local always_ready = ipc.task(function() while busy do ipc.yield() end end)
    ipc.after(0, function() ticked = true end)
    near:send(true)
    local deadline = ipc.now() + waits.PATIENCE
    repeat ipc.yield() until (ticked and received) or ipc.now() > deadline
    busy = false
    assert.is_true(ticked)
    assert.is_true(received)
    reader:join()
    always_ready:join()
    near:close()
    far:close()
  end)
end)
