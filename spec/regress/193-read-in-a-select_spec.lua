-- SPDX-License-Identifier: MIT
-- A get of shared data as a case of a select returned a table in place of the case: what it remembered the version in
-- was left on the stack, below the value.

local contract = require "spec.support.contract"
local ipc = require "ipc"

contract.each(_ENV, "in a select, shared data", ipc.shared_data, function(_, open)
  it("is read, counted and described", function()
    local d <close> = open()
    local version = d:set("x", "value")
    assert.same({1, "value", version}, {ipc.select{{d, "get", "x"}}})
    assert.same({"none"}, {ipc.select{none = {d, "get", "no such name"}}})
    assert.same({"count", 1}, {ipc.select{count = {d, "count"}}})
    local which, stat = ipc.select{{d, "stat"}}
    assert.same({1, 1}, {which, stat.names})
  end)

  it("knows the version that the select has read", function()
    local d <close> = open()
    d:set("x", 1)
    ipc.select{{d, "get", "x"}}
    assert.equal("integer", math.type(d:set("x", 2, true)))
    assert.same({nil, "changed"}, {d:set("x", 3, true)})
  end)
end)

contract.each(_ENV, "in a select, a queue", ipc.queue, function(_, open)
  it("is peeked into and described", function()
    local q <close> = open()
    q:send(7, "message")
    assert.same({1, "message", 7}, {ipc.select{{q, "peek", 7}}})
    local which, stat = ipc.select{stat = {q, "stat"}}
    assert.same({"stat", 1}, {which, stat.messages})
    assert.equal(1, #q)
  end)
end)
