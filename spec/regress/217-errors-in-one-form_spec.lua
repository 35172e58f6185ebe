-- SPDX-License-Identifier: MIT
-- With the server down #q said "queue URL: Connection refused", and no other call did: they name the server. And what
-- shared data could not encode was called a message.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"

describe("an error", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("of #queue without a server names the server, as those of other calls do", function()
    local server <close> = redis_process()
    local q <close> = assert(ipc.queue(server:key("n", nil, "&timeout=0.2")))
    server:kill()
    local none, expected = q:stat()
    assert.is_nil(none)
    assert.matches("redis server", expected)
    local ok, message = pcall(function() return #q end)
    assert.is_false(ok)
    assert.equal(expected, (message:gsub("^[^ ]+:%d+: ", "")))
  end)

  it("of shared data names the value that cannot be encoded", function()
    local d <close> = assert(ipc.shared_data(ipc.private))
    assert.error_matches(function() d:set("x", {f = print}) end, "cannot encode value%.f: a function has no JSON form")
    local raw <close> = assert(ipc.shared_data(ipc.private, {codec = "raw"}))
    assert.error_matches(function() raw:set("x", 1) end, "cannot encode value: codec")
  end)
end)
