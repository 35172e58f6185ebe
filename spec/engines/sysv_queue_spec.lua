-- SPDX-License-Identifier: MIT
-- Queues on file keys with foreign programs at the other end: PHP, Python and C, each with its own ftok and its own
-- JSON. Two ends of ours could share a mistake.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local waits = require "spec.support.waits"

local EINVAL, EIDRM = 22, 43
local PATIENCE, waiting = waits.PATIENCE, waits.waiting
local sysv = engines.sysv

local function succeeds(command) return (os.execute(command .. " >/dev/null 2>&1")) end

-- Long enough for the loop to have blocked, and for a thread to wait in its place: nothing tells of that.
local function sleep_in_kernel() ipc.sleep(0.003) end

describe("a queue of System V", function()
  if sysv.missing then return pending(sysv.missing) end

  local key, open
  teardown(peer.clean)
  before_each(function()
    key = sysv.key()
    function open(options) return assert(ipc.queue(key, options)) end
  end)
  after_each(sysv.cleanup)

  local peers = {
    {"PHP", "queue.php", "php -r 'exit(extension_loaded(\"sysvmsg\") ? 0 : 1);'"},
    {"Python", "queue.py", "/usr/bin/python3 -c 'import sysv_ipc'"},
    {"C", "queue.c"},
  }

  for _, foreign in ipairs(peers) do
    local language, program, present = foreign[1], foreign[2], foreign[3]
    describe("with " .. language, function()
      if present and not succeeds(present) then return pending(language .. " has no System V queues here") end

      -- running, and with the queue open
      local function start(q)
        local p = peer.start(program, key.path, key.project)
        assert.equal("ok", p:ask("send 1 1"))
        assert.same({1, 1}, {q:receive(1, PATIENCE)})
        return p
      end

      it("carries JSON there and back, with types", function()
        local q <close> = open()
        local p <close> = start(q)
        for i, case in ipairs{
          {1, '"hello"'}, {3, "42"}, {7, "[1,2.5,true,null]"}, {1 << 30, '{"a":{"b":["c"]}}'}, {2, '"\\u00e4\\u20ac"'},
          {5, "[]"}, {5, "9007199254740993"}, {6, "-1.5e-7"}, {1, "false"},
        } do
          local type, text = table.unpack(case)
          assert.equal("ok", p:ask(("send %d %s"):format(type, text)))
          local message, got = q:receive(0, PATIENCE)
          assert.equal(type, got)
          assert.is_true(q:send(type, message))
          local number, back = p:ask("receive 0"):match("^(%d+) (.*)$")
          assert.equal(type, math.tointeger(number))
          q:send(99, i) -- what the peer has written is read again by the codec
          q:receive(99)
          assert(open{codec = "raw"}:send(99, back))
          assert.same({message, 99}, {q:receive(99, 0)})
        end
      end)

      it("is asked for types by both", function()
        local q <close> = open()
        local p <close> = start(q)
        for _, type in ipairs{4, 3, 2, 1, 3} do p:ask(("send %d %d"):format(type, type * 10)) end
        assert.same({30, 3}, {q:receive(3, 0)})
        assert.same({10, 1}, {q:receive(-2, 0)})
        assert.equal("2 20", p:ask("receive -3"))
        assert.equal("3 30", p:ask("receive 3"))
        assert.equal("4 40", p:ask("receive 0"))
        assert.equal(0, #q)
      end)

      it("wakes our receivers", function()
        local q <close> = open()
        local p <close> = start(q)
        local tasks = {}
        for i, wanted in ipairs{5, -3, 6} do
          tasks[i] = waiting(function() return q:receive(wanted, PATIENCE) end)
        end
        sleep_in_kernel()
        for i, type in ipairs{5, 2, 6} do
          p:ask(("send %d %d"):format(type, i))
          assert.same({true, i, type}, {tasks[i]:join(PATIENCE)})
        end
      end)

      it("is woken by our message", function()
        local q <close> = open()
        local p <close> = start(q)
        for i = 1, 3 do
          p:tell("receive " .. i)
          assert.same({nil, "timeout"}, {p:hear(0.005)}) -- it sleeps in the kernel
          q:send(9, "not for it")
          q:send(i, i)
          assert.equal(i .. " " .. i, p:hear())
          q:receive(9)
        end
      end)

      it("waits for room, and makes it", function()
        local q <close> = open()
        local p <close> = start(q)
        local large = ("y"):rep(sysv.queue.max_message // 2)
        local count = 0
        while q:send(1, large, 0) do count = count + 1 end
        p:tell(('send 2 "%s"'):format(large))
        assert.same({nil, "timeout"}, {p:hear(0.005)}) -- it sleeps in the kernel
        q:receive(1)
        assert.equal("ok", p:hear())
        local t = waiting(function() return q:send(3, large, PATIENCE) end)
        sleep_in_kernel()
        assert.equal("2 ", p:ask("receive 2"):sub(1, 2))
        assert.same({true, true}, {t:join(PATIENCE)})
        assert.equal(count, #q)
      end)

      it("is removed by it, which wakes our tasks", function()
        local q <close> = open()
        local p <close> = start(q)
        local tasks = {
          waiting(function() return q:receive(5, PATIENCE) end),
          waiting(function() return q:receive(0, PATIENCE) end),
        }
        sleep_in_kernel()
        assert.equal("ok", p:ask("remove"))
        for _, t in ipairs(tasks) do assert.same({true, nil, "removed"}, {t:join(PATIENCE)}) end
        assert.same({nil, "removed"}, {q:send(1, 1)})
      end)

      it("is removed by us, which it is told", function()
        local q <close> = open()
        local p <close> = start(q)
        p:tell("receive 1")
        assert.same({nil, "timeout"}, {p:hear(0.005)}) -- it sleeps in the kernel
        q:remove()
        local answer = p:hear()
        assert.is_true(answer == "error " .. EIDRM or answer == "error " .. EINVAL, answer) -- EINVAL: it was slow
      end)
    end)
  end

  it("is given PHP's serialized text by codec raw, and no value by json", function()
    if not succeeds(peers[1][3]) then return pending("PHP has no System V queues here") end
    local q <close> = open()
    local raw <close> = open{codec = "raw"}
    local p <close> = peer.start("queue.php", key.path, key.project)
    assert.equal("ok", p:ask('serialize 1 {"a":[1,true]}'))
    assert.same({'a:1:{s:1:"a";a:2:{i:0;i:1;i:1;b:1;}}', 1}, {raw:receive(1, PATIENCE)})
    p:ask('serialize 2 [1]')
    p:ask("send 2 3")
    local message, why = q:receive(2, PATIENCE)
    assert.is_nil(message)
    assert.matches("^cannot decode a message of type 2 of queue file:", why)
    assert.same({3, 2}, {q:receive(2, PATIENCE)})
  end)

  it("takes what is not JSON from C off, and goes on", function()
    local q <close> = open()
    local p <close> = peer.start("queue.c", key.path, 0)
    for _, text in ipairs{"hello", "", "{", "\xff\xfe"} do
      p:ask("send 4 " .. text)
      p:ask("send 4 1")
      local message, why = q:receive(4, PATIENCE)
      assert.is_nil(message)
      assert.matches("cannot decode a message of type 4", why)
      assert.same({1, 4}, {q:receive(4, PATIENCE)})
    end
  end)

  it("has the mode and the capacity that were asked for", function()
    open{mode = 0660, capacity = 3000}:close()
    local p <close> = peer.start("queue.c", key.path, 0)
    assert.equal("660 3000", p:ask("stat 0"))
    assert.equal("ok", p:ask("remove 0"))
    open():close()
    local again <close> = peer.start("queue.c", key.path, 0)
    assert.equal("600 " .. sysv.queue.capacity, again:ask("stat 0"))
  end)

  it("asks the kernel no more than it allows", function()
    local q, message, code = ipc.queue(key, {capacity = 1 << 30})
    if q then return pending("this process may have any capacity") end
    assert.matches(("over the limit of %d %%(kernel.msgmnb%%)"):format(sysv.queue.capacity), message)
    assert.equal(1, code)
    assert.equal(0, #open()) -- and leaves nothing half made
  end)

  it("tells a sender when the queue has become too small for it", function()
    local q <close> = open{codec = "raw"}
    local p <close> = peer.start("queue.c", key.path, 0)
    assert.equal("ok", p:ask("shrink 1000"))
    local ok, message, code = q:send(1, ("x"):rep(1001))
    assert.is_nil(ok)
    assert.matches("message of 1001 bytes is over this queue's limit of 1000 bytes %(the queue's capacity%)", message)
    assert.equal(90, code)
    assert.is_true(q:send(1, ("x"):rep(1000), 0))
  end)

  it("has kernel.msgmax for a limit, and says so", function()
    if sysv.queue.max_message >= 9000 then return pending("kernel.msgmax is above 9000 here") end
    local q <close> = open{codec = "raw"}
    local _, message = q:send(1, ("x"):rep(9000))
    assert.matches("message of 9000 bytes is over this queue's limit of 8192 bytes %(kernel.msgmax%)", message)
  end)

  it("carries large messages whole where the kernel allows them", function()
    local host = os.getenv("IPCLUA") or "build/ipclua"
    local set = "cd /proc/sys/kernel && echo 60000 >msgmax && echo 120000 >msgmnb"
    local may = succeeds(("unshare -i sh -c '%s'"):format(set))
    if not may then return pending("kernel.msgmax cannot be raised here") end
    local steady = os.getenv("IPC_SANITIZE") == "thread" and "setarch -R " or ""
    local command = ("exec 2>&1; timeout 60 unshare -i sh -c '(%s) && exec %s%s %squeue_large.lua %s'"):format(
      set, steady, host, "spec/support/peers/", key.path)
    local pipe = assert(io.popen(command))
    assert.equal("ok\n", pipe:read("a"))
    pipe:close()
  end)
end)
