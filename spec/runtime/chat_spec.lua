-- SPDX-License-Identifier: MIT
-- The example chat.lua as programs of their own: users in processes that know nothing of each other, one that is
-- stopped and never reads, one that sends rubbish, a server that is killed and started again at the same path.

local ipc = require "ipc"

local host = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = 30

describe("the example chat", function()
  local path, running

  local function start(...)
    local program = {host, "scripts/examples/chat.lua", ...}
    program.stdin, program.stdout = "pipe", "pipe"
    running[#running + 1] = assert(ipc.process(program))
    return running[#running]
  end

  local function serve()
    local server = start("serve", path)
    assert.equal("listening at " .. path, server.stdout:receive(PATIENCE))
    return server
  end

  local function see(text, ...)
    for _, user in ipairs {...} do assert.equal(text, user.stdout:receive(PATIENCE)) end
  end

  before_each(function()
    path, running = os.tmpname(), {}
    os.remove(path)
  end)

  after_each(function()
    for _, process in ipairs(running) do
      process:signal("KILL")
      process:close()
    end
    os.remove(path)
  end)

  it("brings what anybody types to all, in the same order", function()
    local server = serve()
    local users, names = {}, {"ann", "bob", "cid", "dan"}
    for i, name in ipairs(names) do
      users[i] = start("join", path, name)
      see(name .. " has come", table.unpack(users))
    end
    for round = 1, 20 do
      local user = round % 4 + 1
      users[user].stdin:send("line " .. round)
      see(names[user] .. ": line " .. round, table.unpack(users))
    end
    for i = 1, 4 do
      for n = 1, 50 do users[i].stdin:send(tostring(n)) end
    end
    local orders = {}
    for i = 1, 4 do
      local order = {}
      for n = 1, 200 do order[n] = users[i].stdout:receive(PATIENCE) end
      orders[i] = table.concat(order, "\n")
    end
    for i = 2, 4 do assert.equal(orders[1], orders[i]) end
    users[4].stdin:send("/who")
    see("here: ann, bob, cid, dan", users[4])
    users[2].stdin:close()
    see("bob has gone", users[1], users[3], users[4])
    see("the chat is over", users[2])
    assert.same({true, "exit", 0}, {users[2]:wait(PATIENCE)})
    users[3]:signal("KILL")
    see("cid has gone", users[1], users[4])
    server:signal("TERM")
    see("the chat is over", users[1], users[4])
    assert.same({true, "exit", 0}, {server:wait(PATIENCE)})
    assert.is_nil((ipc.connect(path)))
    assert.is_nil(io.open(path))
  end)

  it("bears users who send rubbish", function()
    serve()
    local ann = start("join", path, "ann")
    see("ann has come", ann)
    for _, rubbish in ipairs {"{", "7", "[]", '{"name":7}', '{"say":{}}', '{"say":"nobody"}', '{"name":[],"say":1}'} do
      local client <close> = assert(ipc.connect(path, {codec = "raw"}))
      client:send(rubbish)
    end
    local client <close> = assert(ipc.connect(path, {codec = "raw", framing = "line"}))
    client:send("GET / HTTP/1.1")
    assert.same({nil, "closed"}, {client:receive(PATIENCE)})
    ann.stdin:send("still here")
    see("ann: still here", ann)
  end)

  it("sends a stopped client away, and the others go on", function()
    serve()
    local ann = start("join", path, "ann")
    see("ann has come", ann)
    local bob = start("join", path, "bob")
    see("bob has come", ann, bob)
    bob:signal("STOP")
    local text = ("x"):rep(30000)
    repeat -- the server looks around by its clock, and a fast machine sends thousands of lines until then
      ann.stdin:send(text)
      local line = assert.is_string((ann.stdout:receive(PATIENCE)))
    until line == "bob has gone"
  end)

  it("takes over the path of a server that was killed", function()
    serve():signal("KILL")
    assert.same({nil, "signal", 9}, {running[1]:wait(PATIENCE)})
    serve()
    local ann = start("join", path, "ann")
    see("ann has come", ann)
    local second = assert(ipc.process {host, "scripts/examples/chat.lua", "serve", path, stderr = "pipe"})
    assert.matches("cannot listen at .*: Address already in use", second.stderr:receive(PATIENCE))
    assert.same({nil, "exit", 1}, {second:wait(PATIENCE)})
  end)
end)
