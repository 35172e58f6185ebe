-- SPDX-License-Identifier: MIT
-- The directories of shared data: what is in the way there, what is damaged, a full /dev/shm; readers that do not
-- hurry; what waiting costs.

local ipc = require "ipc"
local peer = require "spec.support.peer"
local engines = require "spec.support.engines"
local quiet = require "spec.support.quiet"
local shell = require "spec.support.shell"
local waits = require "spec.support.waits"

local EINVAL, EACCES, EUCLEAN, EPROTO = 22, 13, 117, 71
local PATIENCE = waits.PATIENCE
local host = os.getenv("IPCLUA") or "build/ipclua"
local shm = engines.shm

local function exists(path) return (os.execute("test -e " .. path)) == true end

describe("the directory of shared data", function()
  local key, path
  before_each(function()
    key = shm.key()
    path = "/dev/shm/ipclua.data." .. key.name
  end)
  after_each(shm.cleanup)

  local function open(options) return assert(ipc.shared_data(key, options)) end

  local function refused(errno, text)
    local d, why, code = ipc.shared_data(key)
    assert.same({nil, errno}, {d, code})
    assert.matches(text, why)
  end

  it("is named by the key, and has its permissions", function()
    local function modes()
      return (shell.output(("cd %s && stat -c '%%n %%a' . *"):format(path)):gsub("\n", ", "))
    end
    local d = open{mode = 660}
    assert.equal(". 770, control 660, data.mdb 660, lock.mdb 660, ", modes())
    d:remove()
    assert.is_false(exists(path))
    d:close()
    open():close()
    assert.equal(". 700, control 600, data.mdb 600, lock.mdb 600, ", modes())
    local slashed <close> = assert(ipc.shared_data(ipc.shm_key(key.name .. ".a/b")))
    assert.is_true(exists(path .. ".a+b/data.mdb"))
    slashed:set("x", 1)
  end)

  it("has all of its space reserved", function()
    local d <close> = open{size = 1 << 20}
    d:set("x", 1)
    for line in shell.output(("stat -c '%%s %%b' %s/*"):format(path)):gmatch("[^\n]+") do
      local size, blocks = line:match("(%d+) (%d+)")
      assert.is_true(blocks * 512 >= tonumber(size), line)
    end
  end)

  it("cannot be something else", function()
    os.execute("touch " .. path)
    refused(EINVAL, "another program")
    os.execute(("rm %s && ln -s /tmp %s"):format(path, path))
    refused(EINVAL, "another program")
    os.execute(("rm %s && mkdir %s"):format(path, path))
    refused(EUCLEAN, "damaged; remove it")
  end)

  it("is looked over before it is used", function()
    local function damage(errno, command)
      local d = open()
      d:set("x", ("x"):rep(100000))
      d:close()
      assert(os.execute(("cd %s && %s"):format(path, command)), command)
      refused(errno, "shm:")
      os.execute("rm -rf " .. path)
    end
    damage(EUCLEAN, "rm data.mdb")
    damage(EUCLEAN, "rm lock.mdb")
    damage(EUCLEAN, "rm control")
    damage(EUCLEAN, "rm control && ln -s data.mdb control")
    damage(EUCLEAN, "truncate -s 100 control")
    damage(EINVAL, "head -c 4096 /dev/zero > control")
    damage(EUCLEAN, "truncate -s 100000 data.mdb")
    damage(EUCLEAN, "truncate -s +1M data.mdb")
    damage(EUCLEAN, "cp data.mdb x && truncate -s 0 data.mdb && cp --sparse=always x data.mdb")
    damage(EUCLEAN, "dd if=/dev/zero of=data.mdb bs=100 count=1 conv=notrunc 2>/dev/null")
    damage(EUCLEAN, "printf '\\377\\377\\377' | dd of=data.mdb bs=1 seek=136 conv=notrunc 2>/dev/null")
    damage(EINVAL, "dd if=/dev/zero of=data.mdb bs=1 seek=10 count=2 conv=notrunc 2>/dev/null")
    damage(EPROTO, "printf '\\2' | dd of=data.mdb bs=1 seek=20 conv=notrunc 2>/dev/null")
  end)

  it("of another user is used only if others were meant to write there", function()
    local d = open()
    d:close()
    if not os.execute("chown -R 65534 " .. path .. " 2>/dev/null") then return pending("this is not root") end
    refused(EACCES, "belongs to another user")
    os.execute(("chmod 666 %s/*"):format(path))
    open():close()
  end)

  it("that no process has any more is swept up", function()
    local name = "/dev/shm/ipclua.tmp.spec" .. os.time() % 100000
    os.execute(("mkdir %s && touch %s/control"):format(name, name))
    local locked <close> = peer.run(("sh -c 'mkdir %sb && exec 9<%sb && flock -s 9 && echo $$ && read line'")
      :format(name, name))
    open():close()
    assert.same({false, true}, {exists(name), exists(name .. "b")})
    locked:kill()
    local d <close> = assert(ipc.shared_data(ipc.private))
    d:set("x", 1)
    assert.is_false(exists(name .. "b"))
  end)

  it("goes, where it is private, with the last process that has it", function()
    local pid = key.name:match("%d+") -- this process
    local function count()
      return tonumber((shell.output(("ls -d /dev/shm/ipclua.tmp.%s.* 2>/dev/null | wc -l"):format(pid))))
    end
    waits.collect()
    assert.equal(0, count())
    local d = assert(ipc.shared_data(ipc.private))
    assert.equal(1, count())
    local child <close> = assert(ipc.process(function(channel)
      channel:receive()
      d:add("x", 1)
      d:close()
    end))
    d:close()
    assert.equal(1, count()) -- the child has not opened it yet, but will
    child.channel:send("go on")
    assert.is_true(child:wait(PATIENCE))
    assert.equal(0, count())
    local last = assert(ipc.shared_data(ipc.private))
    local heir <close> = assert(ipc.process(function(channel) -- which ends without closing it
      channel:receive()
      last:add("x", 1)
    end))
    last:close()
    assert.equal(1, count())
    heir.channel:send("go on")
    assert.is_true(heir:wait(PATIENCE))
    assert.equal(0, count())
    local removed <close> = assert(ipc.shared_data(ipc.private))
    removed:remove()
    assert.equal(0, count())
  end)

  it("finds no room on a full /dev/shm, and is never surprised by one later", function()
    if not os.execute("[ $(id -u) = 0 ] && unshare -m true 2>/dev/null") then
      return pending("this may not make a mount namespace")
    end
    local script = os.tmpname()
    finally(function() os.remove(script) end)
    local file <close> = assert(io.open(script, "w"))
    file:write([[
      local ipc = require "ipc"
      local key = ipc.shm_key "x"
      local d, why, code = ipc.shared_data(key)
      print(d, code, why:match "/dev/shm has no room")
      print(io.popen("ls -A /dev/shm"):read("a") == "")
      d = assert(ipc.shared_data(key, {size = 1 << 20, codec = "raw"}))
      os.execute "head -c 3M /dev/zero > /dev/shm/fill 2>/dev/null"
      print(ipc.shared_data(ipc.private, {size = 65536}) == nil)
      for round = 1, 3 do
        local n = 0
        while true do
          local ok, _, errno = d:set("name " .. n, ("x"):rep(n * 37 % 9000))
          if not ok then assert(errno == 28) break end
          n = n + 1
        end
        assert(n > 100)
        for i = 0, n - 1 do assert(d:delete("name " .. i)) end
      end
      local t = ipc.task(function() return d:wait("go", 0, 20) end)
      ipc.process(function() d:set("go", "on") end):wait()
      print((select(2, t:join())))
      d:remove()]])
    file:close()
    local said = shell.output(("unshare -m sh -c 'mount -t tmpfs -o size=3m none /dev/shm && exec %s %s' 2>&1")
      :format(host, script))
    assert.equal("nil\t28\t/dev/shm has no room\ntrue\ntrue\non\n", said)
  end)
end)

describe("shared data and a reader that does not hurry", function()
  after_each(shm.cleanup)
  teardown(peer.clean)

  local function reader(key)
    peer.compile("lmdb_reader.c", "-Wl,--no-as-needed -llmdb")
    return peer.start("lmdb_reader.c", "/dev/shm/ipclua.data." .. key.name)
  end

  -- more than there is room for, if nothing can be used twice
  local function write_a_lot(d)
    for i = 1, 300 do assert(d:set("x" .. i % 3, ("x"):rep(3000 + i))) end
  end

  it("waits until it has read", function()
    local key = shm.key()
    local d <close> = assert(ipc.shared_data(key, {size = 65536}))
    d:set("x", 1)
    local slow <close> = reader(key)
    assert.equal("held", slow:ask("hold"))
    slow:tell("release")
    write_a_lot(d)
    assert.equal("released", slow:hear())
  end)

  it("uses its room again when it was killed", function()
    local key = shm.key()
    local d <close> = assert(ipc.shared_data(key, {size = 65536}))
    d:set("x", 1)
    local dead = reader(key)
    assert.equal("held", dead:ask("hold"))
    dead:kill()
    write_a_lot(d)
  end)

  it("says so when it stands still #slow", function()
    local key = shm.key()
    local d <close> = assert(ipc.shared_data(key, {size = 65536}))
    d:set("x", 1)
    local slow <close> = reader(key)
    assert.equal("held", slow:ask("hold"))
    assert.error_matches(function() write_a_lot(d) end, "stands still")
    assert.equal(1, d:get("x"))
    assert.equal("released", slow:ask("release"))
    write_a_lot(d)
  end)

  it("reads though all places for readers are taken", function()
    local key = shm.key()
    local d <close> = assert(ipc.shared_data(key))
    local full <close> = reader(key)
    assert.is_true(tonumber(full:ask("fill")) > 900)
    local child <close> = assert(ipc.process(function(channel)
      local own <close> = assert(ipc.shared_data(key))
      own:set("x", 1)
      for name in pairs(own) do channel:send{name, own:get(name), own:count()} end
    end))
    assert.same({"x", 1, 1}, child.channel:receive(PATIENCE))
    assert.is_true(child:wait(PATIENCE))
    full:kill()
    assert.same({1, 1}, {d:get("x"), (d:count())})
  end)
end)

describe("waiting for shared data #nosan", function()
  after_each(shm.cleanup)

  it("takes no thread while nothing else is waited for", function()
    local d <close> = assert(ipc.shared_data(shm.key()))
    local child <close> = assert(ipc.process(function(channel)
      local t = waits.waiting(function() return d:wait("x", 0) end)
      channel:send("waiting")
      t:join()
      os.exit(ipc.stats().threads == 0)
    end))
    assert.equal("waiting", child.channel:receive(PATIENCE))
    d:set("x", 1)
    assert.is_true(child:wait(PATIENCE))
  end)

  it("makes no system call while nothing comes", function()
    local calls, why = quiet("data_idle.lua " .. shm.key().name)
    if not calls then return pending(why) end
    assert.same({}, calls)
  end)
end)
