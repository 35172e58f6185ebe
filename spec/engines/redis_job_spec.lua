-- SPDX-License-Identifier: MIT
-- Jobs on a Redis server: what the lease of their process brings about, and what is lost on the way.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const>, LEASE <const> = waits.PATIENCE, waits.SANITIZED and 2 or 1
local MORE <const> = "&lease=" .. LEASE

local waiting = waits.waiting

describe("a job on a Redis server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server, q
  lazy_setup(function() server = redis_process("--appendonly yes") end)
  lazy_teardown(function()
    server:close()
    peer.clean()
  end)
  local function open(socket, options) return assert(ipc.queue(server:key("jobs", socket, MORE), options)) end
  before_each(function() q = open() end)
  after_each(function()
    q:close()
    server:cli("FLUSHALL")
  end)

  -- A child that takes a job, and then does what it is told: the name of a method.
  local function holder(socket)
    local child = assert(ipc.process(function(channel)
      local job = assert(open(socket):take(nil, PATIENCE))
      channel:send(job.message)
      for method in channel:messages() do channel:send({(select(2, pcall(job[method], job)))} or false) end
    end))
    assert.is_truthy(child.channel:receive(PATIENCE))
    return child
  end

  local function states(queue)
    local stat = assert((queue or q):stat())
    return {stat.ready, stat.delayed, stat.taken, stat.dead}
  end

  -- Commands that the server has had, those of scripts not counted, while fn ran.
  local function commands_of(fn)
    server:cli("config resetstat")
    fn()
    local count = 0
    for name, calls in server:cli("info commandstats"):gmatch("cmdstat_([%w|]+):calls=(%d+)") do
      if name:find("^eval") or name == "publish" then count = count + calls end
    end
    return count
  end

  describe("whose process dies", function()
    it("is the next one's that waits, when the lease ends", function()
      q:send(1, "x")
      local child <close> = holder()
      local t = waiting(function() return q:take(nil, PATIENCE) end)
      local start = ipc.now()
      child:signal("KILL")
      local ok, job = t:join(PATIENCE)
      assert.same({true, "x", 2, 1, "its holder died"}, {ok, job.message, job.attempt, job.deaths, job.reason})
      assert.is_true(ipc.now() - start < LEASE + PATIENCE / 4, "it was found late")
      assert.is_true(job:done())
    end)

    it("is received by a process that waits, and found by stat", function()
      q:send(2, "x")
      local child <close> = holder()
      local t = waiting(function() return q:receive(2, PATIENCE) end)
      child:signal("KILL")
      assert.same({true, "x", 2}, {t:join(PATIENCE)})
      q:send(1, "y")
      local other <close> = holder()
      other:signal("KILL")
      local deadline = ipc.now() + PATIENCE
      while q:stat().taken > 0 and ipc.now() < deadline do ipc.sleep(0.02) end
      assert.same({1, 0, 0, 0}, states())
    end)

    it("is known to a process that waited before it was taken", function()
      local t = waiting(function() return q:take(2, PATIENCE) end)
      waits.answered(q)
      q:send(1, "x")
      local child <close> = holder()
      child:signal("KILL")
      local deadline = ipc.now() + PATIENCE
      local watching = open()
      while server:cli("hlen ipclua:{jobs}:queue:taken") == "2" do -- no process asks: t's does, by itself
        assert.is_true(ipc.now() < deadline, "it is not found")
        ipc.sleep(0.02)
      end
      watching:close()
      q:send(2, "mine")
      assert.equal("mine", select(2, t:join(PATIENCE)).message)
    end)

    it("goes to its place, before what came later", function()
      for i = 1, 3 do q:send(1, i) end
      local child <close> = holder()
      child:signal("KILL")
      child:wait()
      local t = waiting(function() return q:take(9, PATIENCE) end) -- looks when the lease ends
      local deadline = ipc.now() + PATIENCE
      while states()[1] < 3 and ipc.now() < deadline do ipc.sleep(0.02) end
      for i = 1, 3 do assert.equal(i, q:receive(1, 0)) end
      t:cancel()
    end)

    it("dies when its holders died too often", function()
      q:send(1, "x", nil, {id = "poison"})
      for _ = 1, 3 do
        local child <close> = holder()
        child:signal("KILL")
      end
      local deadline = ipc.now() + PATIENCE
      while states()[4] < 1 and ipc.now() < deadline do ipc.sleep(0.02) end
      local letter = q:dead()(q)
      assert.same({"poison", 3, "its holder died (3 times)"}, {letter.id, letter.deaths, letter.reason})
      assert.equal(true, (q:send(1, "y", nil, {id = "poison"}))) -- a dead one does not count
    end)
  end)

  it("is lost to a process that was stopped for longer than its lease, which changes nothing", function()
    q:send(1, "x")
    local child <close> = holder()
    child:signal("STOP")
    local job = assert(q:take(nil, PATIENCE))
    child:signal("CONT")
    child.channel:send("done")
    assert.is_nil(child.channel:receive(PATIENCE)[1])
    assert.same({0, 0, 1, 0}, states())
    assert.is_true(job:done())
    assert.same({0, 0, 0, 0}, states())
  end)

  it("is lost to a process that was stopped, though no other one has looked", function()
    q:send(1, "x")
    local child <close> = holder()
    child:signal("STOP")
    ipc.sleep(LEASE * 1.2)
    child:signal("CONT")
    child.channel:send("done")
    assert.is_nil(child.channel:receive(PATIENCE)[1])
    assert.same({1, 0, 0, 0}, states())
  end)

  it("stays its process's while Lua is busy", function()
    q:send(1, "x")
    local child <close> = assert(ipc.process(function(channel)
      local mine = open()
      local job = assert(mine:take(nil, PATIENCE))
      channel:send("taken")
      local till = ipc.now() + 3 * LEASE
      repeat until ipc.now() > till
      channel:send(job:done())
    end))
    assert.equal("taken", child.channel:receive(PATIENCE))
    local t = waiting(function() return q:take(nil, PATIENCE) end)
    assert.is_true(child.channel:receive(PATIENCE))
    assert.equal("waiting", t:status())
    t:cancel()
  end)

  -- To ask redis-cli blocks the process, so that no beat is sent meanwhile: the lease is long.
  it("costs one beat, whatever the number of them", function()
    local many <close> = assert(ipc.queue(server:key("many", nil, "&lease=6")))
    local jobs = {}
    for i = 1, 200 do many:send(1, i) end
    for i = 1, 200 do jobs[i] = assert(many:take()) end
    local beats = commands_of(function() ipc.sleep(5) end)
    assert.is_true(beats >= 2 and beats <= 8, beats .. " commands")
    for i = 1, 200 do assert.is_true(jobs[i]:done()) end
    assert.same({0, 0, 0, 0}, states(many))
  end)

  it("that is not due costs nothing, and wakes a process that waits when it is", function()
    q:send(1, "x", nil, {after = 2 * LEASE})
    local start = ipc.now()
    local t = waiting(function() return q:take(nil, PATIENCE) end)
    for _ = 1, 3 do waits.answered(q) end -- it asks, and asks to hear, and hears
    assert.equal(0, commands_of(function() ipc.sleep(LEASE) end))
    local _, job = t:join(PATIENCE)
    assert.equal("x", job.message)
    assert.is_true(ipc.now() - start > 2 * LEASE - 0.1)
    job:done()
  end)

  it("that comes to be delayed is known to processes that wait already", function()
    local t = waiting(function() return q:receive(nil, PATIENCE) end)
    waits.answered(q)
    local child <close> = assert(ipc.process(function() open():send(1, "x", nil, {after = 0.05}) end))
    assert.same({true, "x", 1}, {t:join(PATIENCE)})
    child:wait()
  end)

  it("is ready again when its handle is closed, and when its program ends", function()
    q:send(1, "x")
    local other = open()
    local job = assert(other:take())
    other:close()
    assert.same({1, 0, 0, 0}, states())
    assert.same({nil, "expired"}, {job:done()})
    local child <close> = assert(ipc.process(function()
      local mine <close> = open()
      mine:take()
    end))
    child:wait()
    local again = assert(q:take(nil, PATIENCE))
    assert.same({1, 0}, {again.attempt, again.deaths})
    again:done()
  end)

  it("that is given back to a process that stands still is another's", function()
    q:send(1, "x")
    local job = assert(q:take())
    local child <close> = assert(ipc.process(function(channel)
      local mine = open()
      ipc.task(function()
        for _ = 1, 3 do waits.answered(mine) end
        channel:send("stands")
      end)
      mine:take(nil, PATIENCE)
    end))
    assert.equal("stands", child.channel:receive(PATIENCE))
    child:signal("STOP")
    assert.is_true(job:release())
    local again = assert(q:take(nil, PATIENCE / 2))
    assert.same({1, 0}, {again.attempt, again.deaths})
    assert.is_true(again:done())
    child:signal("KILL")
  end)

  it("of a dead process is judged by the limits of the handle that finds it", function()
    q:send(1, "x")
    local strict <close> = open(nil, {deaths = 1})
    local child <close> = holder()
    child:signal("KILL")
    child:wait()
    local deadline = ipc.now() + PATIENCE
    while strict:stat().dead == 0 and ipc.now() < deadline do ipc.sleep(0.02) end
    assert.same({0, 0, 0, 1}, states())
  end)

  it("gets its word, though the handle is closed before the answer", function()
    for _, word in ipairs{"done", "bury"} do
      q:send(1, "x")
      local other = open()
      local job = assert(other:take(nil, PATIENCE))
      server:pause()
      local t = waiting(function() return job[word](job) end)
      server:blocked()
      other:close()
      assert.is_nil((select(2, t:join(PATIENCE))))
      server:unpause()
      local deadline = ipc.now() + PATIENCE
      while states()[3] > 0 and ipc.now() < deadline do ipc.sleep(0.01) end
      assert.same({0, 0, 0, word == "bury" and 1 or 0}, states())
    end
  end)

  it("that is dead makes room for what is sent", function()
    local small <close> = assert(ipc.queue(server:key("small", nil, MORE), {capacity = 1000, codec = "raw"}))
    local bytes = ("x"):rep(300)
    for _ = 1, 3 do
      small:send(1, bytes)
      small:take():bury("no")
    end
    assert.equal(3, small:stat().dead)
    for _ = 1, 2 do assert.is_true(small:send(1, bytes, 0)) end
    assert.equal(1, small:stat().dead)
    assert.is_true(small:send(1, bytes, 0))
    assert.same({3, 0, 0, 0}, states(small))
    assert.same({nil, "timeout"}, {small:send(1, bytes, 0)})
    local job = small:take()
    assert.is_true(job:retry(0)) -- it has no need of room
    assert.same({3, 0, 0, 0}, states(small))
    assert.is_true(small:take():bury("no"))
    assert.same({nil, "timeout"}, {small:send(1, ("x"):rep(500), 0)}) -- there is none, even without it
    assert.same({2, 0, 0, 1}, states(small))
  end)

  it("is there after the server was started again", function()
    q:send(1, "x", nil, {id = "one"})
    q:send(1, "late", nil, {after = 0.01})
    local job = assert(q:take())
    server:kill()
    server:start()
    assert.same({nil, "exists"}, {q:send(1, "x", nil, {id = "one"})})
    assert.is_true(job:done())
    assert.equal("late", assert(q:take(nil, PATIENCE)).message)
  end)

  describe("whose answer is lost", function()
    local proxy, far
    before_each(function()
      local path = os.tmpname()
      os.remove(path)
      proxy = peer.start("proxy.py", path, server.folder .. "/socket")
      proxy.path = path
      far = open(path)
    end)
    after_each(function()
      far:close()
      proxy:close()
      os.remove(proxy.path)
    end)

    -- Calls fn in a task; the server does it, and the answer is lost. `done`: has the server done it?
    local function lose(done, fn)
      proxy:ask("deafen")
      local t = waiting(fn)
      local deadline = ipc.now() + PATIENCE
      while not done() do
        assert.is_true(ipc.now() < deadline, "the server has not got it")
        ipc.sleep(0.005)
      end
      proxy:ask("cut")
      proxy:ask("go")
      return select(2, t:join(PATIENCE))
    end

    local function is(...)
      local wanted = {...}
      return function()
        local found = states()
        for i, n in ipairs(wanted) do
          if found[i] ~= n then return false end
        end
        return true
      end
    end

    it("is taken all the same, once", function()
      q:send(1, "x")
      local job = lose(is(0, 0, 1), function() return far:take(nil, PATIENCE) end)
      assert.same({"x", 1, 0}, {job.message, job.attempt, job.deaths})
      assert.same({0, 0, 1, 0}, states())
      assert.is_true(job:done())
      assert.same({0, 0, 0, 0}, states())
    end)

    it("is taken by a wait that was to end meanwhile, and back when its handle is closed", function()
      q:send(1, "x")
      local won = lose(is(0, 0, 1), function()
        return table.pack(ipc.select({{far, "take", 2}, {far, "take"}}, 0.03))
      end)
      assert.same({2, "x"}, {won[1], won[2].message})
      won[2]:release()
      proxy:ask("deafen")
      local t = waiting(function() return far:take(nil, PATIENCE) end)
      while not is(0, 0, 1)() do ipc.sleep(0.005) end
      far:close()
      assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
      proxy:ask("go")
      local job = assert(q:take(nil, PATIENCE))
      assert.same({1, 0}, {job.attempt, job.deaths})
      job:done()
    end)

    it("is done, retried, released and buried", function()
      for _, step in ipairs{{"done", {0, 0, 0, 0}}, {"retry", {0, 1, 0, 0}, 50}, {"release", {1, 0, 0, 0}},
        {"bury", {0, 0, 0, 1}}} do
        q:send(1, "x")
        local job = assert(far:take(nil, PATIENCE))
        assert.is_true(lose(is(table.unpack(step[2])), function() return job[step[1]](job, step[3]) end), step[1])
        assert.same(step[2], states())
        q:remove()
        far:close()
        q:close()
        q, far = open(), open(proxy.path)
      end
    end)

    it("is dead, and told so", function()
      q:send(1, "x", nil, {attempts = 1})
      local job = assert(far:take(nil, PATIENCE))
      assert.same({true, "dead"}, lose(is(0, 0, 0, 1), function() return {job:retry(50)} end))
    end)

    it("is followed by the next message, once", function()
      q:send(1, "x")
      local job = assert(far:take(nil, PATIENCE))
      assert.is_true(lose(is(1, 0, 0), function() return job:done(2, "y") end))
      assert.same({1, 0, 0, 0}, states())
      assert.same({"y", 2}, {q:receive()})
    end)

    it("is sent once, with an id, a time or a limit", function()
      for i, how in ipairs{{id = "one"}, {after = 100}, {attempts = 5}} do
        local was = states()
        local wanted = how.after and is(was[1], was[2] + 1) or is(was[1] + 1)
        local ok = lose(wanted, function() return far:send(1, i, PATIENCE, how) end)
        assert.is_true(ok)
        assert.is_true(wanted())
      end
      assert.same({nil, "exists"}, {q:send(1, "x", nil, {id = "one"})})
    end)

    it("is not sent twice, though it was done meanwhile", function()
      local function done() return q:receive(nil, 0) == "x" end
      assert.is_true(lose(done, function() return far:send(1, "x", PATIENCE, {id = "one"}) end))
      assert.same({0, 0, 0, 0}, states())
    end)

    it("is lost when no answer comes for as long as the lease", function()
      q:send(1, "x")
      local job = assert(far:take(nil, PATIENCE))
      assert.same({nil, "timeout"}, {job:lost(0.01)})
      proxy:ask("hold")
      local t = waiting(function() return job:lost(PATIENCE) end)
      local mine = assert(q:take(nil, PATIENCE))
      assert.same({true, true}, {t:join(PATIENCE)})
      proxy:ask("go")
      assert.same({nil, "expired"}, {job:done()})
      assert.same({0, 0, 1, 0}, states())
      assert.is_true(mine:done())
    end)

    it("is kept through a connection that is lost for less", function()
      q:send(1, "x")
      local job = assert(far:take(nil, PATIENCE))
      for _ = 1, 5 do
        proxy:ask("cut")
        ipc.sleep(LEASE / 2)
      end
      assert.same({0, 0, 1, 0}, states())
      assert.is_true(job:done())
    end)
  end)

  -- Workers are killed and stopped, connections cut. A job that was done is done once; each is done or dead in the end.
  it("is done once, whatever becomes of those that take it #slow #nosan", function()
    local JOBS <const>, WORKERS <const>, KILLS <const> = 400, 5, 25
    local path, log = os.tmpname(), os.tmpname()
    os.remove(path)
    local proxy <close> = peer.start("proxy.py", path, server.folder .. "/socket")
    finally(function()
      os.remove(path)
      os.remove(log)
    end)
    local options = {attempts = 60, deaths = 50}
    local function work()
      local file = assert(io.open(log, "a"))
      file:setvbuf("no")
      local mine
      repeat mine = ipc.queue(server:key("jobs", path, MORE), options) until mine -- to open is not tried again
      while true do
        local job = mine:take(({0, -2})[math.random(2)], 1)
        if job then
          ipc.sleep(math.random() * 0.01)
          local method = ({"done", "done", "done", "retry", "release"})[math.random(5)]
          file:write(("tries %s %s %d\n"):format(method, job.message, job.token))
          local ok, why = job[method](job, method == "retry" and math.random() * 0.1 or nil)
          local how = ok and "did" or why == "expired" and "lost" or "perhaps"
          file:write(("%s %s %s %d\n"):format(how, method, job.message, job.token))
          if how == "perhaps" then job:close() end
        end
      end
    end
    local workers, kills = {}, 0
    for i = 1, WORKERS do workers[i] = assert(ipc.process(work)) end
    ipc.scope(function(scope)
      scope:task(function()
        for n = 1, JOBS do
          local how = n % 3 == 0 and {id = "j" .. n, after = math.random() * 0.1} or nil
          assert.is_true((q:send(n % 2 + 1, n, PATIENCE, how)))
          ipc.sleep(math.random() * 0.005)
        end
      end)
      scope:task(function()
        while kills < KILLS do
          ipc.sleep(math.random() * 0.1)
          proxy:ask("cut")
        end
      end)
      while kills < KILLS do
        ipc.sleep(math.random() * 0.1)
        local i = math.random(WORKERS)
        if math.random(3) == 1 then
          workers[i]:signal("STOP")
          ipc.sleep(LEASE * math.random() * 1.5)
          workers[i]:signal("CONT")
        else
          workers[i]:signal("KILL")
          workers[i]:wait()
          workers[i] = assert(ipc.process(work))
        end
        kills = kills + 1
      end
    end)
    local deadline = ipc.now() + PATIENCE
    while ipc.now() < deadline do
      local found = states()
      if found[1] + found[2] + found[3] == 0 then break end
      ipc.sleep(0.05)
    end
    for _, child in ipairs(workers) do child:signal("KILL") end
    assert.same({0, 0, 0}, {table.unpack(states(), 1, 3)})
    local done, perhaps = {}, {}
    for line in io.lines(log) do
      local what, method, n, token = line:match("^(%a+) (%a+) (%d+) (%d+)$")
      if what == "did" and method == "done" then
        assert.is_nil(done[n], line)
        done[n] = token
      elseif method == "done" and what ~= "did" then
        perhaps[n] = true
      end
    end
    local dead = {}
    for letter in q:dead() do dead[tostring(letter.message)] = true end
    for n = 1, JOBS do
      n = tostring(n)
      assert.is_true((done[n] or perhaps[n] or dead[n]) ~= nil, n .. " was lost")
      assert.is_false(done[n] ~= nil and dead[n] ~= nil, n .. " is done and dead")
    end
  end)

  it("is told when the queue is removed", function()
    q:send(1, "x")
    local job = assert(q:take())
    local t = waiting(function() return job:lost(PATIENCE) end)
    local other <close> = open()
    other:remove()
    assert.same({true, true}, {t:join(PATIENCE)})
    assert.equal("", server:cli("keys '*'"))
  end)
end)
