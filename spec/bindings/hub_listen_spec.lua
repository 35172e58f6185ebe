-- SPDX-License-Identifier: MIT
-- Hubs at a path, for programs that know nothing of each other; and what becomes of clients that do not read.

local ipc = require "ipc"

local EEXIST, EACCES, ENAMETOOLONG, EADDRINUSE, ECONNREFUSED, ENOENT = 17, 13, 36, 98, 111, 2
local PATIENCE = 20

local function output_of(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  return (pipe:read("a"):gsub("\n$", ""))
end

describe("a hub at a path", function()
  local folder, path
  before_each(function()
    folder = output_of("mktemp -d")
    path = folder .. "/hub"
  end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  it("is joined by other processes, and leaves the path as it was", function()
    local hub = ipc.multi_stream_channel()
    assert.is_true(hub:listen(path))
    assert.matches("at " .. path:gsub("%p", "%%%0"), tostring(hub))
    local program = ("local c = assert(require('ipc').connect(%q)) c:send{c:receive(), c:peer()}"):format(path)
    local host = os.getenv("IPCLUA") or "build/ipclua"
    local child <close> = assert(ipc.process{host, "-e", program})
    while #hub:clients() == 0 do ipc.sleep(0.001) end -- there is no event for it
    assert.equal(1, hub:send("hello"))
    local message, client = hub:receive(PATIENCE)
    assert.equal("hello", message[1])
    assert.equal(1, client)
    assert.is_true(child:wait(PATIENCE))
    hub:close()
    assert.equal("", output_of("ls -A " .. folder))
    assert.same({nil, ENOENT}, {(ipc.connect(path)), (select(3, ipc.connect(path)))})
  end)

  it("is the user's own, unless its mode says otherwise", function()
    local hub <close> = ipc.multi_stream_channel()
    assert(hub:listen(path))
    assert.equal("600", output_of("stat -c %a " .. path))
    local open <close> = ipc.multi_stream_channel()
    assert(open:listen(path .. "2", {mode = 666}))
    assert.equal("666", output_of("stat -c %a " .. path .. "2"))
    if output_of("id -u") ~= "0" or not os.execute("setpriv --version >/dev/null 2>&1") then return end
    os.execute("chmod 755 " .. folder)
    local host = os.getenv("IPCLUA") or "build/ipclua"
    local program = "for i = 1, 2 do local c, _, e = require('ipc').connect(arg[i]) print(c and c:receive(5), e) end"
    local child <close> = assert(ipc.process{"setpriv", "--reuid=65534", "--clear-groups", host, "-e", program, "-",
      path, path .. "2", stdout = "pipe", stdin = "null"})
    local t = ipc.task(function()
      while #open:clients() == 0 do ipc.sleep(0.001) end
      open:send("hello")
    end)
    local first = child.stdout:receive(PATIENCE)
    if first and first:find("nil") then
      assert.equal("nil\t" .. EACCES, first)
      assert.equal("hello\tnil", child.stdout:receive(PATIENCE))
    end
    t:cancel()
  end)

  it("takes over the path of one that was killed, and of no other", function()
    local dead = assert(ipc.process(function(channel)
      local hub = ipc.multi_stream_channel()
      channel:send((hub:listen(path)))
      channel:receive()
    end))
    assert.is_true(dead.channel:receive(PATIENCE))
    local hub <close> = ipc.multi_stream_channel()
    local ok, why, errno = hub:listen(path)
    assert.same({nil, EADDRINUSE}, {ok, errno})
    assert.matches(path, why, 1, true)
    dead:signal("KILL")
    dead:wait(PATIENCE)
    assert.same({nil, ECONNREFUSED}, {(ipc.connect(path)), (select(3, ipc.connect(path)))})
    assert.is_true(hub:listen(path))
    assert.error_matches(function() hub:listen(path) end, "hub listens at .* already")
    local client <close> = assert(ipc.connect(path))
    client:send("hello")
    assert.same({"hello", 1}, {hub:receive(PATIENCE)})
  end)

  it("leaves alone what is no socket, and says what is wrong with a path", function()
    os.execute("echo mine > " .. path)
    local hub <close> = ipc.multi_stream_channel()
    assert.same({nil, EEXIST}, {(hub:listen(path)), (select(3, hub:listen(path)))})
    assert.equal("mine", output_of("cat " .. path))
    assert.same({nil, ENOENT}, {(hub:listen(folder .. "/none/hub")), (select(3, hub:listen(folder .. "/none/hub")))})
    local long = folder .. "/" .. ("x"):rep(120)
    local _, why, errno = hub:listen(long)
    assert.equal(ENAMETOOLONG, errno)
    assert.matches("100 bytes", why)
    assert.is_nil((ipc.connect(long)))
  end)

  it("is its parent's in a forked child", function()
    local hub <close> = ipc.multi_stream_channel()
    assert(hub:listen(path))
    local child = assert(ipc.process(function() hub:close() end))
    assert.is_true(child:wait(PATIENCE))
    local client <close> = assert(ipc.connect(path))
    client:send("still there")
    assert.same({"still there", 1}, {hub:receive(PATIENCE)})
  end)
end)

describe("a client that does not read", function()
  local LIMIT <const> = 64 * 1024
  local text = ("x"):rep(1000)
  local reading -- the task that does

  after_each(function() assert.is_true(reading:join(PATIENCE)) end)

  -- A hub with one that reads, in a task, until the hub is closed, and one that does not; and what the first has got.
  local function hub_with(policy)
    local hub = ipc.multi_stream_channel {backpressure = policy, limit = LIMIT, codec = "raw"}
    local reader, sleeper = hub:create_client(), hub:create_client()
    local got = {count = 0}
    reading = ipc.task(function()
      for message in reader:messages() do
        assert(message:sub(-1000) == text)
        got.count = got.count + 1
      end
    end)
    return hub, got, sleeper
  end

  local function send_many(hub, n)
    for i = 1, n do
      assert(hub:send(i .. text))
      if i % 20 == 0 then ipc.yield() end
    end
  end

  it("loses the oldest messages, and the others get all", function()
    local hub <close>, got, sleeper = hub_with("drop_oldest")
    send_many(hub, 3000)
    while got.count < 3000 do ipc.sleep(0.001) end
    local stat = hub:stat()
    assert.is_true(stat.dropped > 0)
    assert.is_true(stat.bytes <= 2 * LIMIT, stat.bytes)
    assert.same({1, 2}, hub:clients())
    local last, seen = 0, 0
    repeat
      local message = sleeper:receive(0.2)
      local n = message and tonumber(message:match("^%d+"))
      if n then
        assert.is_true(n > last)
        last, seen = n, seen + 1
      end
    until not message
    assert.equal(3000, last)
    assert.equal(3000, seen + stat.dropped)
  end)

  it("does not get a new message while one over the limit is half out", function()
    local hub <close> = ipc.multi_stream_channel {backpressure = "drop_oldest", limit = 1000}
    local client <close> = hub:create_client()
    assert.equal(1, hub:send(("x"):rep(3000000)))
    assert.equal(0, hub:send("lost"))
    assert.same({false}, {hub:send("lost", 1)})
    assert.same({false}, {hub:send_many({"lost", "lost"}, 1)})
    assert.equal(3, hub:stat().dropped)
    assert.same({nil, "closed"}, {hub:send("lost", 2)})
    assert.equal(3000000, #client:receive(PATIENCE))
    assert.is_true(hub:send("at last", 1))
    assert.equal("at last", client:receive(PATIENCE))
  end)

  it("is sent away", function()
    local hub <close>, got = hub_with("disconnect")
    send_many(hub, 3000)
    while got.count < 3000 do ipc.sleep(0.001) end
    assert.same({1}, hub:clients())
    assert.is_true(hub:stat().bytes <= LIMIT)
  end)

  it("is waited for, and a message that times out goes to none", function()
    local hub <close>, got, sleeper = hub_with("block")
    local sent = 0
    while hub:send(sent + 1 .. text, nil, 0.05) do
      sent = sent + 1
      ipc.yield()
    end
    assert.same({nil, "timeout"}, {hub:send("late" .. text, nil, 0)})
    assert.is_true(hub:send("to one" .. text, 1))
    while got.count < sent + 1 do ipc.sleep(0.001) end
    local t = ipc.task(function() return hub:send("at last" .. text) end)
    for i = 1, sent do assert.equal(i, tonumber(sleeper:receive(PATIENCE):match("^%d+"))) end
    assert.same({true, 2}, {t:join(PATIENCE)})
    assert.matches("^at last", sleeper:receive(PATIENCE))
  end)
end)
