-- SPDX-License-Identifier: MIT
-- File locks against others: flock(1) of the shell, and PHP.

local ipc = require "ipc"
local peer = require "spec.support.peer"
local waits = require "spec.support.waits"

local PATIENCE, waiting = waits.PATIENCE, waits.waiting

describe("a file lock", function()
  local path, lock
  before_each(function()
    path = os.tmpname()
    lock = assert(ipc.file_lock(path))
  end)
  after_each(function()
    lock:close()
    os.remove(path)
  end)

  -- How a flock(1) fares that does not wait; 9 is our word for "busy".
  local function try_flock(how)
    return select(3, os.execute(("flock %s -n -E 9 %s true"):format(how, path)))
  end

  -- A flock(1) that holds it until its input ends.
  local function flock(how)
    local self = peer.run(("flock %s -F %s sh -c 'echo $$; echo held; read line'"):format(how, path))
    assert.equal("held", self:hear())
    return self
  end

  it("keeps flock(1) out", function()
    assert.equal(0, try_flock("-x"))
    lock:acquire()
    assert.equal(9, try_flock("-x"))
    assert.equal(9, try_flock("-s"))
    lock:release()
    lock:acquire(0, "shared")
    assert.equal(9, try_flock("-x"))
    assert.equal(0, try_flock("-s"))
    lock:release()
    assert.equal(0, try_flock("-x"))
  end)

  it("is kept out by flock(1)", function()
    local other <close> = flock("-x")
    assert.same({nil, "timeout"}, {lock:acquire(0)})
    assert.same({nil, "timeout"}, {lock:acquire(0.001, "shared")})
    local t = waiting(function() return lock:acquire(PATIENCE) end)
    other:close()
    assert.same({true, true}, {t:join(PATIENCE)})
    lock:release()
    local reader <close> = flock("-s")
    assert.same({true}, {lock:acquire(0, "shared")})
    lock:release()
    assert.same({nil, "timeout"}, {lock:acquire(0)})
    t = waiting(function() return lock:acquire(PATIENCE) end)
    reader:kill()
    assert.same({true, true}, {t:join(PATIENCE)})
  end)

  it("keeps PHP out, and lets it in", function()
    local php <close> = peer.start("flock.php", path)
    lock:acquire()
    assert.equal("busy", php:ask("try"))
    assert.equal("waiting", php:ask("lock"))
    assert.same({nil, "timeout"}, {php:hear(0.01)})
    lock:release()
    assert.equal("held", php:hear())
    assert.same({nil, "timeout"}, {lock:acquire(0)})
    assert.equal("free", php:ask("unlock"))
    assert.same({true}, {lock:acquire(0, "shared")})
    assert.equal("waiting", php:ask("share"))
    assert.equal("held", php:hear())
    lock:release()
    assert.same({nil, "timeout"}, {lock:acquire(0)})
    assert.same({true}, {lock:acquire(0, "shared")})
  end)

  it("is kept out by PHP, until that releases, or is killed", function()
    local php <close> = peer.start("flock.php", path)
    assert.equal("held", php:ask("try"))
    local t = waiting(function()
      local ok = lock:acquire(PATIENCE)
      lock:release()
      return ok
    end)
    assert.same({nil, "timeout"}, {lock:acquire(0.001)})
    assert.equal("free", php:ask("unlock"))
    assert.same({true, true}, {t:join(PATIENCE)})
    assert.equal("held", php:ask("try"))
    t = waiting(function() return lock:acquire(PATIENCE) end)
    php:kill()
    assert.same({true, true}, {t:join(PATIENCE)})
  end)
end)
