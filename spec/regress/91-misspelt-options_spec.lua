-- SPDX-License-Identifier: MIT
-- Unknown options were ignored by most constructors: a queue with capasity = 3 had the usual one, a hub with
-- backpresure = "drop_oldest" blocked. What a call does not know raises, and it says what it knows. The table is read
-- once, when the call begins: what its metatable does, raise or give another value each time, cannot come between.

local ipc = require "ipc"

local path <const>, socket <const> = os.tmpname(), os.tmpname()
os.remove(socket)

local calls = {
  queue = {"attempts, backoff, capacity, codec, create, deaths, keep, max_message, mode, sync, within", function(o)
    return ipc.queue(ipc.private, o)
  end},
  semaphore = {"create, lease, mode", function(o) return ipc.semaphore(ipc.private, 1, o) end},
  mutex = {"create, lease, mode", function(o) return ipc.mutex(ipc.private, o) end},
  shared_memory = {"create, mode", function(o) return ipc.shared_memory(ipc.private, 1, o) end},
  shared_data = {"codec, create, mode, size, sync", function(o) return ipc.shared_data(ipc.private, o) end},
  file_lock = {"mode", function(o) return ipc.file_lock(path, o) end},
  stream_channel_pair = {"buffer, codec, framing, max_message", function(o) return ipc.stream_channel_pair(o) end},
  stream_channel = {"buffer, codec, framing, max_message", function(o)
    local file <close> = assert(io.tmpfile())
    return ipc.stream_channel(file, o)
  end},
  multi_stream_channel = {
    "buffer, codec, framing, max_message, backpressure, limit", function(o) return ipc.multi_stream_channel(o) end,
  },
  connect = {"buffer, codec, framing, max_message", function(o) return ipc.connect(socket, o) end},
  listen = {"mode", function(o)
    local hub <close> = ipc.multi_stream_channel()
    return hub:listen(socket, o)
  end},
  process = {"buffer, codec, framing, max_message, cwd, env, stderr, stdin, stdout, with_parent", function(o)
    if type(o) == "table" then o[1] = "true" end
    return ipc.process(o)
  end, names_only = true},
}

local function refused(pattern, plain, fn, ...)
  local ok, why = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(why:find(pattern, 1, plain), why)
end

for noun, call in pairs(calls) do
  local known, make <const> = call[1], call[2]
  describe("options of " .. noun, function()
    it("are those that it knows", function()
      refused(("to '%s' (unknown option 'capasity'; it knows %s)"):format(noun, known), true, make, {capasity = 3})
      refused("unknown option 'Mode'", true, make, {Mode = "0600"})
      refused("unknown option ''", true, make, {[""] = 1})
      refused("unknown option 'mode", true, make, {["mode\0"] = "0600"})
      refused("unknown option 'x", true, make, {[("x"):rep(100000)] = 1})
    end)

    it("have names", function()
      for _, name in ipairs{true, ipc.private, print} do
        refused("unknown option, a " .. type(name), true, make, {[name] = 1})
      end
      refused("unknown option '-1'", true, make, {[-1] = "mode"})
      if not call.names_only then refused("unknown option '1'", true, make, {"mode"}) end
    end)

    it("are a table", function()
      if call.names_only then return end
      for _, options in ipairs{1, "mode", true, print, io.stdout} do
        refused("table expected, got ", true, make, options)
      end
    end)

    it("may come from a metatable, which is asked once for each", function()
      if call.names_only then return end
      local asked = {}
      local made, why = make(setmetatable({}, {__index = function(_, name)
        asked[name] = (asked[name] or 0) + 1
      end}))
      if type(made) == "userdata" then made:close() end
      if noun ~= "connect" then assert.is_truthy(made, why) end
      for name in known:gmatch("[%w_]+") do assert.equal(1, asked[name], name) end
      refused("no such luck", true, make, setmetatable({}, {__index = function() error("no such luck") end}))
    end)
  end)
end

teardown(function() os.remove(path) end)

it("a client takes no options: it has those of its hub", function()
  local hub <close> = ipc.multi_stream_channel()
  refused("a client has the options of its hub", true, hub.create_client, hub, {codec = "raw"})
end)

it("options stay what they were when their table changes later", function()
  local options = {codec = "raw"}
  local queue <close> = assert(ipc.queue(ipc.private, options))
  options.codec = "json"
  queue:send(1, "{}")
  assert.equal("{}", queue:receive())
end)
