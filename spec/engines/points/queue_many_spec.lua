-- SPDX-License-Identifier: MIT
-- A process dies before every single store that send_many or receive_many makes into a queue in shared memory: of what
-- it was to send the first ones are there; what it was to receive is there but for the first ones; and those that wait
-- are woken. `make points` runs this.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local points = require "spec.support.points"
local segment = require "spec.support.segment"

local CAPACITY <const> = 3000
local PATIENCE <const> = points.PATIENCE
local shm = engines.shm

describe("a process that dies at a store, with many messages of a queue", function()
  if points.missing then return pending(points.missing) end

  local key, q
  local function open() return assert(ipc.queue(key, {codec = "raw", capacity = CAPACITY})) end
  before_each(function()
    key = shm.key()
    q = open()
  end)
  after_each(shm.cleanup)

  local function contents()
    local list = q:receive_many(1000, 0, 0)
    return list and table.concat(list, " ") or ""
  end

  -- After the death the queue holds one of these; each of them at some death. All of its room can be used then.
  local function each(fill, all, act)
    local happened, count = {}, 0
    for _, text in ipairs(all) do happened[text], count = false, count + 1 end
    points.each{
      before = fill, open = open, act = act,
      after = function(survived)
        points.sound("queue", key, function() q:stat() end)
        local is = contents()
        assert.is_not_nil(happened[is], is)
        if survived then assert.equal(all[count], is) end
        happened[is] = true
        points.sound("queue", key, function() q:stat() end)
        assert(q:send(1, ("x"):rep(CAPACITY), 0))
        contents()
      end,
    }
    for text, has in pairs(happened) do assert.is_true(has, text) end
  end

  local long <const> = ("y"):rep(700)

  it("has sent the first ones", function()
    each(function() q:send(1, "0") end, {"0", "0 a", "0 a b", "0 a b " .. long},
      function(own) own:send_many(2, {"a", "b", long}, 0) end)
  end)

  it("has sent the first ones of those that do not all find room", function()
    local most = ("z"):rep(CAPACITY - 2)
    each(function() end, {"", most, most .. " a", most .. " a b"},
      function(own) own:send_many(2, {most, "a", "b", "c"}, 0) end)
  end)

  it("has received the first ones", function()
    local function fill()
      q:send_many(2, {"a", "b"})
      q:send_many(1, {long})
      q:send_many(2, {"c"})
    end
    each(fill, {"a b " .. long .. " c", "b " .. long .. " c", long .. " c", "c"},
      function(own) own:receive_many(3, 0, 0) end)
    each(fill, {"a b " .. long .. " c", "b " .. long .. " c", long .. " c", long},
      function(own) own:receive_many(9, 2, 0) end)
  end)

  it("wakes a waiter if one of its messages is there", function()
    local waiter
    points.each{
      before = function()
        waiter = points.waiter("queue", key, open, function(own) return own:receive(0, PATIENCE) end)
      end,
      open = open, act = function(own) own:send_many(2, {"b", "c"}, 0) end,
      after = function(survived)
        local there = survived
        for _, m in ipairs(segment.messages(segment.read("queue", key))) do there = there or m[2]:find("[bc]") end
        if not there then q:send(1, "next") end
        local got = points.result(waiter)
        assert.is_true(got == "b" or not there and got == "next", got)
        points.sound("queue", key, function() q:stat() end)
        contents()
        waiter:close()
      end,
    }
  end)

  it("wakes a sender for which it made room", function()
    local waiter
    points.each{
      before = function()
        q:send_many(1, {("x"):rep(CAPACITY - 1), "x"}, 0)
        waiter = points.waiter("queue", key, open, function(own) return own:send_many(3, {"1", "2"}, PATIENCE) end)
      end,
      open = open, act = function(own) own:receive_many(2, 0, 0) end,
      after = function()
        q:receive(1, 0)
        assert.is_true(points.result(waiter))
        points.sound("queue", key, function() q:stat() end)
        local is = contents()
        assert.is_true(is == "1 2" or is == "x 1 2", is)
        waiter:close()
      end,
    }
  end)
end)
