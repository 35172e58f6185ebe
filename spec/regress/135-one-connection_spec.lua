-- SPDX-License-Identifier: MIT
-- A process had two connections for each text of a URL; and redis://host/3, which is database 3 in every other
-- client, was the name "3" in database 0.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"

describe("a URL of a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("is of one connection with others, which has a name", function()
    local server <close> = redis_process()
    local a <close> = assert(ipc.queue(server:key("a", nil, "&client_name=shop")))
    local b <close> = assert(ipc.queue(server:key("b", nil, "&lease=3&timeout=7")))
    local c <close> = assert(ipc.mutex(server:key("c", nil, "&prefix=other")))
    assert.is_true(a:send(1, 1) and b:send(1, 1) and c:acquire())
    local list = server:cli("client list")
    local _, ours = list:gsub("name=shop ", "")
    local _, all = list:gsub("id=", "")
    assert.same({1, 2}, {ours, all}) -- and redis-cli
  end)

  it("with a database and no name is refused, with advice", function()
    for _, text in ipairs{"redis://h/3", "redis://h:1/0", "redis://u:p@h/15?lease=1"} do
      local ok, message = pcall(ipc.redis_key, text)
      assert.is_false(ok)
      assert.matches("database", message)
    end
    assert.matches("/0/3", tostring(ipc.redis_key("redis://h/0/3")))
    assert.matches("/0/3x", tostring(ipc.redis_key("redis://h/3x")))
  end)
end)
