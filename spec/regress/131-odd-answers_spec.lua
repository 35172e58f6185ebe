-- SPDX-License-Identifier: MIT
-- A server that said one thing too much, or something odd, ended the program: by an assertion of the client
-- library, or a null pointer. "*300000000" took gigabytes; an answer without end stopped all tasks, and its own
-- timeout. Now that is an error, and a new connection.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_liar = require "spec.support.redis_liar"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

describe("a server that answers oddly", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server, liar
  lazy_setup(function()
    server = redis_process()
    liar = redis_liar(server)
  end)
  lazy_teardown(function()
    liar:close()
    server:close()
  end)
  local made = 0
  local function key(more)
    made = made + 1
    return server:key("odd." .. made, liar.path, "&timeout=" .. (more or 5))
  end

  local function open(make, ...)
    local deadline, object, why = ipc.now() + PATIENCE
    repeat
      object, why = make(...)
      assert.is_true(object ~= nil or ipc.now() < deadline, why)
    until object
    return object
  end

  -- The next call may fail, for what is wrong with the connection may be found by it; the one after it may not.
  local function works(q, text)
    liar:ask("go")
    local deadline = ipc.now() + PATIENCE
    repeat
      local ok, why = q:send(1, "x")
      assert.is_true(ok or ipc.now() < deadline, why)
    until ok
    local message, why
    repeat -- what is wrong may be found only now
      message, why = q:receive(0, PATIENCE)
      assert.is_true(message ~= nil or ipc.now() < deadline, why)
    until message
    assert.equal("x", message, text)
  end

  it("unasked is not believed any more", function()
    for _, text in ipairs{"+OK\\r\\n", ":1\\r\\n", "*0\\r\\n", "-ERR no\\r\\n", "_\\r\\n", ">1\\r\\n$3\\r\\nabc\\r\\n",
      ">3\\r\\n$9\\r\\nsubscribe\\r\\n$1\\r\\nx\\r\\n:1\\r\\n",
      ">3\\r\\n$7\\r\\nmessage\\r\\n$1\\r\\nx\\r\\n:1\\r\\n", "\\r\\n", "?"} do
      local q <close> = assert(ipc.queue(key()))
      assert(q:stat()) -- nothing is in flight now: what comes would be taken for its answer
      local before = tonumber(liar:ask("count"))
      liar:ask("extra " .. text)
      works(q, text)
      assert.equal(before + 1, tonumber(liar:ask("count")), text)
    end
  end)

  local ODD <const> = {
    "+OK\\r\\n", ":116\\r\\n", "*0\\r\\n", "*1\\r\\n:0\\r\\n", "*1\\r\\n:116\\r\\n", "*1\\r\\n:43\\r\\n",
    "*1\\r\\n:11\\r\\n",
    "*1\\r\\n:-7\\r\\n", "*1\\r\\n:99999999999\\r\\n", "*1\\r\\n*1\\r\\n:0\\r\\n", "*-1\\r\\n", "*-2\\r\\n",
    "$-1\\r\\n", "_\\r\\n",
    "*3\\r\\n:0\\r\\n_\\r\\n_\\r\\n", "*3\\r\\n:0\\r\\n$0\\r\\n\\r\\n$1\\r\\nx\\r\\n",
    "*2\\r\\n$24\\r\\n012345678901234567890123\\r\\n:1\\r\\n",
    "%1\\r\\n:0\\r\\n:0\\r\\n", "*300000000\\r\\n:0\\r\\n", "$99999999999\\r\\n", "-\\r\\n", "-NOSCRIPT No\\r\\n",
    "#x\\r\\n", "*1x\\r\\n",
    ("*1\\r\\n"):rep(20), "=1\\r\\n", "=4\\r\\ntxt:\\r\\n", "$1\\r\\nxyz", "HTTP/1.1 400 Bad Request\\r\\n\\r\\n",
    ":12\\n",
    ">2\\r\\n$10\\r\\ninvalidate\\r\\n_\\r\\n*1\\r\\n:0\\r\\n",
  }
  it("ends calls, and nothing else", function()
    for i, text in ipairs(ODD) do
      local k = key(0.05)
      local q, d = open(ipc.queue, k), open(ipc.shared_data, k)
      local m, s, mem = open(ipc.mutex, k), open(ipc.semaphore, k, 2), open(ipc.shared_memory, k, 4)
      d:set("a", 1)
      m:acquire()
      s:acquire()
      liar:ask("instead " .. text)
      local calls = {
        function() return q:send(1, "x", 0) end, function() return q:receive(0, 0) end, function() return q:peek() end,
        function() return q:stat() end, function() return #q end, function() return d:set("a", 2) end,
        function() return d:get("a") end, function() return d:add("n", 1) end, function() return d:delete("a") end,
        function() return next(d) end, function() return pairs(d)(d) end, function() return d:stat() end,
        function() return d:wait("b", 0, 0) end, function() return m:holder() end, function() return m:release() end,
        function() return m:acquire(0) end, function() return s:value() end, function() return s:release() end,
        function() return s:acquire(0) end, function() return mem[1] end, function() mem[1] = 5 end,
        function() return mem:add(1, 2) end, function() return mem:compare_and_swap(1, 0, 7) end,
        function() return mem:wait(1, 0, 0) end,
        function() return ipc.queue(k) end, function() return ipc.mutex(k) end,
        function() return ipc.shared_data(k) end,
      }
      pcall(calls[(i - 1) % #calls + 1])
      local tasks = {}
      for n, call in ipairs(calls) do tasks[n] = ipc.task(pcall, call) end
      for _, t in ipairs(tasks) do assert.is_true((t:join(PATIENCE))) end
      liar:ask("go")
      for _, object in ipairs{q, d, m, s, mem} do object:close() end
    end
    local q <close> = open(ipc.queue, key())
    works(q)
  end)

  it("without end stops neither other tasks nor its own timeout", function()
    for _, text in ipairs{"x", "*1\\r\\n:1\\r\\n", ":1\\r\\n",
      ">3\\r\\n$7\\r\\nmessage\\r\\n$1\\r\\nx\\r\\n$1\\r\\ny\\r\\n"} do
      for _, before in ipairs{"", "+", "$500000000\\r\\n", "*8000\\r\\n"} do
        local q <close> = open(ipc.queue, key(0.1))
        liar:ask(("flood %s|%s"):format(before, text))
        local turns, over = 0, false
        local others = ipc.task(function()
          while not over do
            turns = turns + 1
            ipc.sleep(0)
          end
        end)
        q:send(1, "x", 0)
        assert.is_nil((q:peek()))
        over = true
        others:join()
        assert.is_true(turns > 0)
        works(q)
      end
    end
  end)
end)
