-- SPDX-License-Identifier: MIT
-- A call that had to ask a server was no operation, but a function that was called again when the answer had come. So
-- select took get, peek, stat, value and release on no engine.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

contract.each(_ENV, "select with the calls of a queue", ipc.queue, function(_, open)
  it("gets what they return", function()
    local q <close> = open()
    assert.same({1, nil}, {ipc.select({{q, "peek"}}, PATIENCE)})
    q:send(3, "x")
    assert.same({1, "x", 3}, {ipc.select({{q, "peek", 3}}, PATIENCE)})
    local which, stat = ipc.select({stat = {q, "stat"}}, PATIENCE)
    assert.same({"stat", 1}, {which, stat.messages})
    assert.equal(1, #q)
  end)

  it("with the timeout 0, too", function()
    local q <close> = open()
    q:send(1, "x")
    assert.same({1, "x", 1}, {ipc.select({{q, "peek"}}, 0)})
  end)
end)

contract.each(_ENV, "select with the calls of shared data", ipc.shared_data, function(_, open)
  it("gets what they return, and the handle remembers it", function()
    local d <close> = open()
    assert.same({1, nil}, {ipc.select({{d, "get", "name"}}, PATIENCE)})
    local version = d:set("name", "value")
    assert.same({1, "value", version}, {ipc.select({{d, "get", "name"}}, PATIENCE)})
    assert.is_truthy(d:set("name", "other", true))
    assert.same({"n", 1}, {ipc.select({n = {d, "count"}}, PATIENCE)})
  end)
end)

contract.each(_ENV, "select with the calls of a mutex", ipc.mutex, function(_, open)
  it("releases, and says who holds", function()
    local m <close> = open()
    m:acquire()
    assert.same({1, ipc.pid()}, {ipc.select({{m, "holder"}}, PATIENCE)})
    assert.same({1, true}, {ipc.select({{m, "release"}}, PATIENCE)})
    assert.is_nil(m:holder())
    local ok, why = pcall(ipc.select, {{m, "release"}}, PATIENCE)
    assert.is_false(ok)
    assert.matches("mutex .* is not held by this task", why)
  end)

  it("lets a release win over what has to wait", function()
    local m <close> = open()
    local q <close> = assert(ipc.queue(ipc.private))
    m:acquire()
    assert.same({2, true}, {ipc.select({{q, "receive"}, {m, "release"}}, PATIENCE)})
    q:send(1, "x")
    m:acquire()
    assert.same({1, "x", 1}, {ipc.select({{q, "receive"}, {m, "release"}}, PATIENCE)})
    assert.equal(ipc.pid(), m:holder())
    assert.same({true}, {m:release()})
  end)
end)

contract.each(_ENV, "select with the calls of a semaphore", contract.semaphore, function(_, open)
  it("counts, and releases", function()
    local s <close> = open()
    s:acquire()
    assert.same({1, 1}, {ipc.select({{s, "value"}}, PATIENCE)})
    assert.same({1, true}, {ipc.select({{s, "release"}}, PATIENCE)})
    assert.equal(2, s:value())
  end)
end)
