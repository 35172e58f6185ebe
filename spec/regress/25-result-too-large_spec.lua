-- SPDX-License-Identifier: MIT
-- A job of a pool whose result was over max_message was waited for until the end of days: the worker's send said
-- that it was too large, nothing listened, and nothing was sent. And codec "json" could be chosen, but no result
-- came through it.

local new = require "ipc.pool".new

local PATIENCE <const> = 20

describe("a pool's result", function()
  it("is reported when it is too large, and so is an error", function()
    local pool <close> = new {workers = 1, max_message = 4096}
    local ok, problem = pcall(pool.map, pool, {"a", "b"}, function(item) return item == "b" and ("x"):rep(5000) end)
    assert.is_false(ok)
    assert.matches("item 2: its result cannot be sent: message of 50%d%d bytes is over .* 4096 bytes", problem)
    ok, problem = pcall(pool.map, pool, {"a"}, function() error(("x"):rep(5000)) end)
    assert.is_false(ok)
    assert.matches("item 1: .*xxxxx", problem)
    local job = pool:submit(function() return ("x"):rep(5000) end)
    local done, why = job:join(PATIENCE)
    assert.is_false(done)
    assert.matches("its result cannot be sent", why)
    assert.same({"fine"}, pool:map({1}, function() return "fine" end))
  end)

  for _, codec in ipairs {"json", "lua"} do
    it("is what it was, nils and all, with codec " .. codec, function()
      local pool <close> = new {workers = 2, codec = codec}
      assert.same({2, 4, nil, 8}, pool:map({1, 2, 3, 4}, function(i) return i ~= 3 and 2 * i or nil end))
      local function three() return nil, {"two"}, nil end
      assert.same(table.pack(true, nil, {"two"}, nil), table.pack(pool:submit(three):join(PATIENCE)))
      assert.same({n = 1, true}, table.pack(pool:submit(function() end):join(PATIENCE)))
      local done, why = pool:submit(function() error("no luck") end):join(PATIENCE)
      assert.is_false(done)
      assert.matches("no luck", why)
    end)
  end
end)
