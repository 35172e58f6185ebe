-- SPDX-License-Identifier: MIT
-- Servers that answer anything: spec/fuzz/redis.lua over a few hundred connections, each with lies of its own.
-- HOSTILE_CONNECTIONS=10000 for more; `make fuzz` makes some thousand under sanitizers.

local redis = require("spec.support.engines").redis

describe("a hostile server", function()
  if redis.missing then return pending(redis.missing) end

  it("ends calls in time, and nothing else", function()
    local host, connections = os.getenv("IPCLUA") or "build/ipclua", os.getenv("HOSTILE_CONNECTIONS") or 300
    local said = os.tmpname() -- a pipe would be held open by what a crash leaves behind
    finally(function() os.remove(said) end)
    local ok = os.execute(("timeout 300 %s spec/fuzz/redis.lua %s >%s 2>&1"):format(host, connections, said))
    local file <close> = assert(io.open(said))
    local text = file:read("a")
    assert.is_true(ok, text)
    assert.matches("calls over", text)
  end)
end)
