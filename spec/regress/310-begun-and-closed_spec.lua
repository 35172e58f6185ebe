-- SPDX-License-Identifier: MIT
-- A change on disk is made by a thread. One that the thread had taken when its handle was closed, or its task was
-- cancelled, was told as "closed" or "cancelled", and was made nevertheless: a send was repeated, and there were two
-- messages. Now what has begun has its result, and what has not does not happen.

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local peer = require "spec.support.peer"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

-- On a disk that takes longer than a call that is to end waits for its answer. Prints what was told, and what is there.
local SLOW <const> = [[
  local ipc = require "ipc"
  local key = ipc.disk_key(os.getenv "FOLDER", "q")
  local q, d = assert(ipc.queue(key)), assert(ipc.shared_data(key))
  local function cancelled(call, ...)
    local told
    local t = ipc.task(function(...) told = call(...) end, ...)
    ipc.sleep(0.05)
    t:cancel()
    t:join()
    return told ~= nil
  end
  print("send", q:send(1, "x", 0.05) == true, #q == 1)
  print("send_many", q:send_many(2, {"x", "y"}, 0.05) == true, #q == 3)
  print("cancelled send", cancelled(q.send, q, 3, "x"), #q == 4)
  print("cancelled set", cancelled(d.set, d, "a", 1), d:get("a") == 1)
  print("cancelled delete", cancelled(d.delete, d, "a"), d:get("a") == nil)
  local job = q:take(1)
  print("cancelled done", cancelled(job.done, job, 4, "next"), q:peek(4) == "next")
  print("cancelled receive", cancelled(q.receive, q, 3), q:peek(3) == nil)
]]

-- What a task is told whose call is ended by finish(): true, and whether it has happened: by its results, or else by
-- what was raised.
local function outcome(call, delay, finish)
  local told
  local t = ipc.task(function() told = table.pack(call()) end)
  ipc.yield()
  local until_then = os.clock() + delay -- the thread goes on meanwhile, and the loop does not
  while os.clock() < until_then do end
  finish(t)
  local ok, why = t:join(PATIENCE)
  assert.is_true(ok or why == ipc.cancelled, tostring(why))
  return told and told[1] or false, told or {"cancelled"}
end

-- Each call: what it begins with, the call, and whether it has happened.
local queue_calls = {
  send = {
    call = function(q) return q:send(1, "x") end,
    happened = function(q) return #q == 1 end,
  },
  ["send with an id"] = {
    call = function(q) return q:send(1, "x", PATIENCE, {id = "a"}) end,
    happened = function(q) return #q == 1 end,
  },
  send_many = {
    call = function(q) return q:send_many(1, {"x", "y"}) end,
    happened = function(q) return #q == 2 end,
  },
  done = {
    prepare = function(q) q:send(1, "x") return q:take(1, PATIENCE) end,
    call = function(_, job) return job:done(2, "next") end,
    happened = function(q) return q:peek(2) ~= nil end,
  },
  revive = {
    prepare = function(q) q:send(1, "x") q:take(1, PATIENCE):bury() end,
    call = function(q) return q:revive() end,
    happened = function(q) return q:stat().dead == 0 end,
  },
  drop = {
    prepare = function(q) q:send(1, "x") q:take(1, PATIENCE):bury() end,
    call = function(q) return q:drop() end,
    happened = function(q) return q:stat().dead == 0 end,
  },
}

local data_calls = {
  set = {
    call = function(d) return d:set("a", 1) end,
    happened = function(d) return d:get("a") == 1 end,
  },
  delete = {
    prepare = function(d) d:set("a", 1) end,
    call = function(d) return d:delete("a") end,
    happened = function(d) return d:get("a") == nil end,
  },
  change = {
    call = function(d) return d:change(function(t) t:set("a", 1) t:set("b", 2) return true end) end,
    happened = function(d) return d:get("b") == 2 end,
  },
  clear = {
    prepare = function(d) d:set("a", 1) end,
    call = function(d) return d:clear() end,
    happened = function(d) return d:get("a") == nil end,
  },
}

describe("a change on disk that has begun", function()
  after_each(disk.cleanup)
  teardown(peer.clean)

  local function check(make, calls, finish, exact)
    for name, c in pairs(calls) do
      for round = 1, rounds(4) do
        local key = disk.key()
        local mine, other <close> = assert(make(key)), assert(make(key))
        local prepared = c.prepare and c.prepare(mine)
        local told, words = outcome(function() return c.call(mine, prepared) end, (round - 1) * 0.0003,
          function(t) finish(t, mine) end)
        local happened = c.happened(other)
        if exact(name, words) then
          assert.equal(happened, told and true, ("%s: %s"):format(name, words[2] or words[1]))
        else
          assert.is_true(happened or not told, name)
        end
        mine:close()
        other:remove()
      end
    end
  end

  local function always() return true end

  local function close(_, handle) handle:close() end

  local function cancel(t) t:cancel() end

  -- A word about a job that was said counts, also after a cancellation.
  local function but_for_words(name, words) return name ~= "done" or words[1] ~= "cancelled" end

  it("is told as it ends, when its handle is closed", function()
    check(ipc.queue, queue_calls, close, always)
    check(ipc.shared_data, data_calls, close, always)
  end)

  it("is told as it ends, when its task is cancelled", function()
    check(ipc.queue, queue_calls, cancel, but_for_words)
    check(ipc.shared_data, data_calls, cancel, always)
  end)

  it("is told as it ends on a disk that takes long #slow #nosan", function()
    local preload = peer.compile("slow_disk.c", "-shared -fPIC")
    local pipe = assert(io.popen(("FOLDER=%s LD_PRELOAD=%s %s -e '%s' 2>&1"):format(disk.folder(), preload,
      os.getenv("IPCLUA") or "build/ipclua", SLOW)))
    local lines = 0
    for line in pipe:lines() do
      local what, told, happened = line:match("^([%l_ ]+)\t(%l+)\t(%l+)$")
      assert.equal(happened, told, line)
      assert.is_string(what)
      lines = lines + 1
    end
    pipe:close()
    assert.equal(7, lines)
  end)
end)
