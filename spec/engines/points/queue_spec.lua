-- SPDX-License-Identifier: MIT
-- A process dies before every single store that an operation makes into a queue in shared memory. Whatever comes after:
-- the operation has happened or it has not, the next process makes the rest whole, and the waiters are woken without
-- anybody's help. `make points` runs this.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local points = require "spec.support.points"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"

local CAPACITY <const> = 3000
local PATIENCE <const> = points.PATIENCE
local shm = engines.shm

local function contents(q)
  local list = {}
  while true do
    local message, type = q:receive(0, 0)
    if not message then return list end
    list[#list + 1] = type .. message
  end
end

-- Whether a message is in the queue's file by now, whatever else.
local function is_there(key, text)
  for _, m in ipairs(segment.messages(segment.read("queue", key))) do if m[2] == text then return true end end
end

describe("a process that dies at a store, with a queue", function()
  if points.missing then return pending(points.missing) end

  local key, q
  local function open() return assert(ipc.queue(key, {codec = "raw", capacity = CAPACITY})) end
  local function send(type, text) assert(q:send(type, text, 0)) end
  before_each(function()
    key = shm.key()
    q = open()
  end)
  after_each(shm.cleanup)

  -- The queue holds `before`; after the death it holds that, or `done`. All of its room can be used then.
  local function each(fill, before, done, act)
    local happened = {}
    local n = points.each{
      before = fill, open = open, act = act,
      after = function(survived)
        points.sound("queue", key, function() q:stat() end)
        local list = contents(q)
        local is = table.concat(list, " ")
        assert.is_true(is == done or is == before and not survived, is)
        happened[is] = true
        points.sound("queue", key, function() q:stat() end)
        send(1, ("x"):rep(CAPACITY))
        contents(q)
      end,
    }
    assert.is_true(happened[before] and happened[done])
    return n
  end

  it("has sent a message, or not", function()
    each(function() send(1, "a") end, "1a", "1a 2b", function(own) own:send(2, "b", 0) end)
    each(function() end, "", "2b", function(own) own:send(2, "b", 0) end)
  end)

  -- every second extent is free, in turn of one block and of two
  local function fragments()
    for i = 1, 8 do send(1 + i % 2, ("f"):rep(i % 4 < 2 and 1 or 60)) end
    while q:receive(2, 0) do end
  end
  local rest = table.concat({"1" .. ("f"):rep(60), "1f", "1" .. ("f"):rep(60), "1f"}, " ")

  it("has sent a message of many pieces, or not", function()
    local long = ("b"):rep(2500)
    each(fragments, rest, rest .. " 2" .. long, function(own) own:send(2, long, 0) end)
  end)

  it("has received a message of many pieces, or not", function()
    local long = ("b"):rep(2500)
    each(function()
      fragments()
      send(2, long)
    end, rest .. " 2" .. long, rest, function(own) own:receive(2, 0) end)
  end)

  it("has received the first, one in the middle, the last, or the only one, or not", function()
    local function fill() send(1, "a") send(2, "b") send(3, "c") end
    for type, left in ipairs{"2b 3c", "1a 3c", "1a 2b"} do
      each(fill, "1a 2b 3c", left, function(own) own:receive(type, 0) end)
    end
    each(function() send(1, "a") end, "1a", "", function(own) own:receive(0, 0) end)
  end)

  it("may be followed by others that die while they repair", function()
    local long, deaths = ("b"):rep(1500), 0
    local function act(own) own:send(2, long, 0) end
    local total = each(fragments, rest, rest .. " 2" .. long, act)
    for n = 3, total, 5 do
      deaths = deaths + points.each{
        before = function()
          contents(q)
          fragments()
          points.run(n, open, act) -- it may come to its end first: the extents lie differently each time
        end,
        open = open, act = function(own) own:stat() end,
        after = function()
          points.sound("queue", key, function() q:stat() end)
          local is = table.concat(contents(q), " ")
          assert.is_true(is == rest or is == rest .. " 2" .. long, is)
        end,
      }
    end
    assert.is_true(deaths > 50, deaths)
  end)

  it("wakes the waiter for its message, if that is there", function()
    local waiter
    points.each{
      before = function()
        waiter = points.waiter("queue", key, open, function(own) return own:receive(0, PATIENCE) end)
      end,
      open = open, act = function(own) own:send(2, "b", 0) end,
      after = function(survived)
        local there = survived or is_there(key, "b")
        if not there then send(1, "next") end
        local got = points.result(waiter)
        assert.is_true(got == "b" or not there and got == "next", got)
        points.sound("queue", key, function() q:stat() end)
        assert.same(got == "b" and not there and {"1next"} or {}, contents(q))
        waiter:close()
      end,
    }
  end)

  it("lets waiters go on that came in the middle of it", function()
    local waiter
    local function come()
      waiter = points.waiter("queue", key, open, function(own) return own:receive(0, PATIENCE) end)
    end
    local function look(text)
      return function()
        if not waiter then come() end -- it came to the end before it could stop
        send(1, "next")
        local got = points.result(waiter)
        assert.is_true(got == text or got == "next", got)
        waiter:close()
        waiter = nil
        points.sound("queue", key, function() q:stat() end)
        local left = table.concat(contents(q), " ")
        assert.is_true(got == "next" and left == "" or left == "1next", left)
      end
    end
    points.each{open = open, act = function(own) own:send(2, "b", 0) end, meanwhile = come, after = look "b"}
    points.each{
      before = function() send(1, "a") end,
      open = open, act = function(own) own:receive(0, 0) end, meanwhile = come, after = look "a",
    }
  end)

  it("wakes all waiters, and they share what is there", function()
    local waiters
    points.each{
      before = function()
        waiters = {}
        for i = 1, 3 do
          waiters[i] = points.waiter("queue", key, open, function(own) return own:receive(i, PATIENCE) end)
        end
        send(4, "other") -- woken in vain, they sleep again
        for i = 1, 3 do
          local another = points.waiter("queue", key, open, function(own) return own:receive(i, PATIENCE) end)
          waiters[i]:close()
          waiters[i] = another
        end
      end,
      open = open, act = function(own) own:send(3, "b", 0) end,
      after = function(survived)
        if not (survived or is_there(key, "b")) then send(3, "b") end
        assert.equal("b", points.result(waiters[3]))
        send(1, "for 1")
        send(2, "for 2")
        assert.equal("for 1", points.result(waiters[1]))
        assert.equal("for 2", points.result(waiters[2]))
        for i = 1, 3 do waiters[i]:close() end
        contents(q)
        points.sound("queue", key, function() q:stat() end)
      end,
    }
  end)

  it("wakes the waiter for room, if there is some", function()
    local waiter
    points.each{
      before = function()
        send(1, ("x"):rep(CAPACITY))
        waiter = points.waiter("queue", key, open, function(own) return own:send(2, "late", PATIENCE) end)
      end,
      open = open, act = function(own) own:receive(0, 0) end,
      after = function(survived)
        if not survived and is_there(key, ("x"):rep(CAPACITY)) then assert.equal(CAPACITY, #q:receive(1, 0)) end
        assert.is_true(points.result(waiter))
        points.sound("queue", key, function() q:stat() end)
        assert.same({"2late"}, contents(q))
        waiter:close()
      end,
    }
  end)

  -- A child that waits for a message of type 1; it sleeps by now. Others get those of type 2 alone.
  local function last_resort()
    return points.waiter("queue", key, open, function(own) return own:receive(1, PATIENCE) end)
  end

  -- The process that was called dies: on its way to sleep, or between its call and the next one's. So does the sender.
  it("leaves what it has not taken to another one that waits, if it dies as the last of them", function()
    local n, survived = 0, nil
    repeat
      n = n + 1
      local other <close> = last_resort()
      local started, starts = ipc.stream_channel_pair()
      local last = ipc.task(function()
        survived = points.run(n, function()
          local own = open()
          starts:send(ipc.pid())
          assert.equal("known", own:receive(2, PATIENCE)) -- so the sender is watched already, as is this one
          return own
        end, function(own) assert(own:receive(0, PATIENCE)) end)
      end)
      local pid = started:receive(PATIENCE)
      points.await_sleep("queue", key, pid)
      local sender <close> = assert(ipc.process(function(channel)
        local own = open()
        own:send(2, "known")
        channel:receive()
        own:send(2, "a")
        own:send(1, "b") -- the last one is on its way, and would take this, too
        ipc.signal("KILL"):dispatch(ipc.pid())
      end))
      processes.await(function() return q:stat().last_receiver == pid end, "it does not take the first message")
      points.await_sleep("queue", key, pid)
      points.await_sleep("queue", key, other.pid)
      sender.channel:send("go on")
      sender:wait()
      last:join()
      assert.equal("b", points.result(other))
      started:close()
      starts:close()
      points.sound("queue", key, function() q:stat() end)
      local left = table.concat(contents(q), " ")
      assert.is_true(left == "" or left == "2a" and not survived, left)
    until survived
    assert.is_true(n > 10, "there is no point")
  end)

  it("leaves its message to another one that waits, if it dies while the one it has called is stopped", function()
    local n, survived = 0, nil
    repeat
      n = n + 1
      local other <close> = last_resort()
      local stopped <close> = assert(ipc.process(function()
        local own = open()
        while true do own:receive(0) end
      end))
      points.await_sleep("queue", key, stopped.pid)
      local go <close>, inner = ipc.stream_channel_pair()
      local sender = ipc.task(function()
        survived = points.run(n, function()
          local own = open()
          own:send(2, "known")
          inner:receive()
          return own
        end, function(own) own:send(1, "b") end)
      end)
      processes.await(function() return q:stat().last_receiver == stopped.pid end, "it does not take the first message")
      points.await_sleep("queue", key, stopped.pid)
      points.await_sleep("queue", key, other.pid)
      stopped:signal("STOP")
      processes.await(function() return processes.state(stopped.pid) == "T" end, "it does not stop")
      go:send("go on")
      sender:join()
      if not (survived or is_there(key, "b") or points.has_result(other)) then send(1, "b") end
      assert.equal("b", points.result(other))
      stopped:signal("KILL")
      stopped:wait()
      points.sound("queue", key, function() q:stat() end)
      assert.same({}, contents(q))
    until survived
    assert.is_true(n > 10, "there is no point")
  end)

  it("leaves room to another one that waits for it, if it dies as the first of them", function()
    local n, survived = 0, nil
    repeat
      n = n + 1
      send(1, ("x"):rep(CAPACITY))
      local started, starts = ipc.stream_channel_pair()
      local first = ipc.task(function()
        survived = points.run(n, function()
          starts:send(ipc.pid())
          return open()
        end, function(own) assert(own:send(2, "a", PATIENCE)) end)
      end)
      points.await_sleep("room", key, started:receive(PATIENCE))
      local other <close> = points.waiter("queue", key, open, function(own) return own:send(3, "b", PATIENCE) end)
      points.await_sleep("room", key, other.pid)
      q:receive(1, 0)
      first:join()
      assert.is_true(points.result(other))
      started:close()
      starts:close()
      points.sound("queue", key, function() q:stat() end)
      local is = table.concat(contents(q), " ")
      assert.is_true(is == "2a 3b" or is == "3b 2a" or is == "3b" and not survived, is)
    until survived
    assert.is_true(n > 10, "there is no point")
  end)

  it("has removed it, or not; the waiters are told", function()
    local waiter
    points.each{
      before = function()
        q = open()
        waiter = points.waiter("queue", key, open, function(own) return own:receive(7, PATIENCE) end)
      end,
      open = open, act = function(own) own:remove() end,
      after = function(survived)
        local bytes = segment.read("queue", key)
        local removed = survived or segment.is_removed(bytes)
        if not removed then send(7, "b") end
        local got, why = points.result(waiter)
        assert.same(removed and {"nil", "removed"} or {"b"}, {got, why ~= 7 and why or nil})
        waiter:close()
        local new = open() -- the same, or a new one in its place
        assert.is_true(new:send(1, "a", 0))
        assert.equal("a", new:receive(0, 0))
        points.sound("queue", key, function() new:stat() end)
        q:close()
        new:close()
      end,
    }
  end)

  it("has made it, or not, and leaves nothing half-made", function()
    q:remove()
    points.each{
      open = function() end, act = open,
      after = function(survived)
        local bytes = segment.read("queue", key)
        assert.is_true(bytes ~= nil or not survived)
        if bytes then segment.check("queue", key) end
        local new = open()
        assert.is_true(new:send(1, "a", 0))
        assert.is_true(new:remove())
        assert.is_nil(segment.read("queue", key))
        new:close()
      end,
    }
  end)
end)
