-- SPDX-License-Identifier: MIT
-- ipctl ls: what there is on this machine, while eight processes use it, when none does, and when it is damaged.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local ipctl = require "spec.support.ipctl"
local waits = require "spec.support.waits"

local PROCESSES <const> = 8
local PATIENCE <const> = waits.PATIENCE

-- Children that open the object, say so, and keep it until they are told to end.
local function users(open)
  local children = {}
  for i = 1, PROCESSES do
    children[i] = assert(ipc.process(function(channel)
      local object <close> = assert(open())
      channel:send("open")
      channel:receive()
      return object
    end))
  end
  for _, child in ipairs(children) do assert.equal("open", child.channel:receive(PATIENCE)) end
  return children
end

local function finish(children)
  for _, child in ipairs(children) do child.channel:close() end
  for _, child in ipairs(children) do assert.is_true(child:wait(PATIENCE)) end
end

local openers = {
  queue = function(key) return ipc.queue(key) end,
  mutex = function(key) return ipc.mutex(key) end,
  semaphore = function(key) return ipc.semaphore(key, 3) end,
  shared_memory = function(key) return ipc.shared_memory(key, 5) end,
  shared_data = function(key) return ipc.shared_data(key) end,
}

-- of what the system knows that
local function counts_users(engine, noun)
  return engine.name == "shm" or noun ~= "queue"
end

for _, noun in ipairs{"queue", "mutex", "semaphore", "shared_memory", "shared_data"} do
  contract.each(_ENV, "ipctl ls: " .. noun, ipc[noun], function(engine, _, _, key)
    if engine.private or engine.remote or engine.name == "disk" then return end

    it("tells which processes use it, and that none does", function()
      local open = function() return openers[noun](key()) end
      local children = users(open)
      local found = ipctl.find(ipctl.name_of(key()), noun)
      assert.is_truthy(found)
      if counts_users(engine, noun) then
        assert.is_true(found.in_use)
        assert.is_false(found.orphan)
      end
      finish(children)
      found = ipctl.find(ipctl.name_of(key()), noun)
      assert.equal(counts_users(engine, noun), found.orphan)
      assert.is_false(found.in_use)
    end)
  end)
end

describe("ipctl ls", function()
  local engine = engines.shm
  local key

  before_each(function() key = engine.key() end)
  after_each(engine.cleanup)

  it("counts messages and jobs", function()
    local q <close> = assert(ipc.queue(key, {attempts = 1}))
    for i = 1, 5 do q:send(i, {number = i}) end
    local job <close> = assert(q:take(1, 0))
    assert(q:take(2, 0)):bury("bad")
    q:send(1, "later", nil, {after = 1000})
    local found = ipctl.find(ipctl.name_of(key), "queue")
    assert.same({3, 1, 1, 1}, {found.messages, found.taken, found.dead, found.delayed})
    assert.is_true(found.holds)
    assert(job:done())
  end)

  it("tells who holds a mutex, and how many wait", function()
    local m <close> = assert(ipc.mutex(key))
    assert(m:acquire())
    local child <close> = assert(ipc.process(function(channel)
      local mine <close> = assert(ipc.mutex(key))
      ipc.task(function() channel:send("waits") end)
      return mine:acquire()
    end))
    assert.equal("waits", child.channel:receive(PATIENCE))
    local deadline = ipc.now() + PATIENCE
    local found
    repeat found = ipctl.find(ipctl.name_of(key), "mutex") until found.waiters == 1 or ipc.now() > deadline
    assert.same({1, 1, 1, ipc.pid()}, {found.waiters, found.held, found.max, found.holder})
    m:release()
    assert.is_true(child:wait(PATIENCE))
  end)

  it("tells what a holder that was killed has left", function()
    local child = assert(ipc.process(function(channel)
      assert(ipc.mutex(key)):acquire()
      channel:send("has it")
      ipc.sleep(1000)
    end))
    assert.equal("has it", child.channel:receive(PATIENCE))
    child:signal("KILL")
    child:wait()
    local found = ipctl.find(ipctl.name_of(key), "mutex")
    assert.same({true, true, true}, {found.orphan, found.holds, found.abandoned})
  end)

  it("has a line for what is damaged, and for another program's file", function()
    local path = "/dev/shm/ipclua.queue." .. key.name
    finally(function() os.remove(path) end)
    local q = assert(ipc.queue(key, {capacity = 1000}))
    q:close()
    local file = assert(io.open(path, "r+b"))
    file:seek("end")
    file:write(("\0"):rep(64))
    file:close()
    assert.equal("damaged", ipctl.find(ipctl.name_of(key), "queue").fault)
    file = assert(io.open(path, "wb"))
    file:write("not ours")
    file:close()
    assert.equal("another program's", ipctl.find(ipctl.name_of(key), "queue").fault)
    assert.truthy(ipctl.output("ls"):find("another program's", 1, true))
  end)

  it("lists a folder on a disk", function()
    local disk = engines.disk
    finally(disk.cleanup)
    local where = disk.key()
    local q <close> = assert(ipc.queue(where))
    local d <close> = assert(ipc.shared_data(where))
    q:send(1, "a")
    q:send(1, "b", nil, {after = 1000})
    d:set("x", 1)
    local place <const> = "disk:" .. where.path
    local text <const> = "disk:" .. where.path .. "?name=" .. where.name
    local found = ipctl.find(text, "queue", place)
    assert.same({1, 1, 1, true}, {found.messages, found.delayed, found.users, found.in_use})
    assert.equal(1, ipctl.find(text, "shared_data", place).names)
    q:close()
    d:close()
    assert.truthy(ipctl.output("ls", place):find("kept +1 messages"))
    assert.truthy(ipctl.failure("ls", "disk:/no/such/folder"):find("/no/such/folder", 1, true))
    assert.truthy(ipctl.failure("ls", "shm:a"):find("is no place", 1, true))
  end)

  it("lists the objects of a server", function()
    local redis = engines.redis
    if redis.missing then return pending(redis.missing) end
    finally(redis.cleanup)
    local place <const> = "redis+unix://" .. redis.socket()
    local function url(name) return place .. "?db=0&name=" .. name end
    local q <close> = assert(ipc.queue(url "ls/orders"))
    local m <close> = assert(ipc.mutex(url "ls/lock"))
    local s <close> = assert(ipc.semaphore(url "ls/seats", 3))
    local memory <close> = assert(ipc.shared_memory(url "ls/slots", 5))
    local d <close> = assert(ipc.shared_data(url "ls/data"))
    q:send(1, "a")
    d:set("x", 1)
    assert(s:acquire())
    assert.equal(5, #ipctl.json("ls", "--json", place))
    assert.equal(1, ipctl.find(url "ls/orders", "queue", place).messages)
    assert.equal(0, ipctl.find(url "ls/lock", "mutex", place).held)
    assert.same({1, 3}, {ipctl.find(url "ls/seats", "semaphore", place).held,
      ipctl.find(url "ls/seats", "semaphore", place).max})
    assert.equal(5, ipctl.find(url "ls/slots", "shared_memory", place).slots)
    assert.equal(1, ipctl.find(url "ls/data", "shared_data", url "any").names)
    assert.equal(1, ipctl.run{"ls", place .. "?db=1"})
    assert.equal("", ipctl.output("rm", url "ls/seats"))
    for _, object in ipairs{q, m, s, memory, d} do object:close() end
    assert.truthy(ipctl.failure("ls", place .. ".gone"):find(".gone", 1, true))
  end)

  it("makes nothing by looking, and changes nothing", function()
    local path = "/dev/shm/ipclua.queue." .. key.name
    ipctl.run{"ls"}
    ipctl.run{"peek", "shm:" .. key.name}
    assert.is_nil(io.open(path))
    local q <close> = assert(ipc.queue(key))
    q:send(1, "stays")
    local before = assert(io.open(path, "rb")):read("a")
    ipctl.output("ls")
    assert.is_true(before == assert(io.open(path, "rb")):read("a"))
  end)

  it("shows a table, without colours where nobody looks", function()
    local q <close> = assert(ipc.queue(key))
    local text = ipctl.output("ls")
    assert.truthy(text:find("^NOUN +KEY +SIZE +PROCS +WAIT +AGE +STATE +CONTENT\n"))
    assert.truthy(text:find("\nqueue +" .. ipctl.name_of(key):gsub("%p", "%%%0") .. " +%d"))
    assert.is_nil(text:find("\27", 1, true))
    q:close()
  end)
end)
