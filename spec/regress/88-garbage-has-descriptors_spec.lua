-- SPDX-License-Identifier: MIT
-- A loop that drops its handles without closing them failed with EMFILE, though nearly all of them were garbage: Lua
-- knows nothing of descriptors, and collects when there is enough of its own memory to be had. A constructor that
-- fails for want of descriptors, memory or room collects once now, and tries again; so does a hub with a client at
-- its door. Children that have ended are reaped then, too.

local engines = require "spec.support.engines"
local homes = require "spec.support.homes"

local shm = engines.shm

local MAKERS <const> = {
  ["pairs of channels"] = "ipc.stream_channel_pair()",
  ["channels of files"] = "ipc.stream_channel(io.stdin)",
  ["file locks"] = "ipc.file_lock(path)",
  ["private data"] = "ipc.shared_data(ipc.private, {size = 65536})",
  ["shared data"] = "ipc.shared_data(ipc.shm_key(name .. i % 30), {size = 65536})",
  ["hubs with clients"] = "ipc.multi_stream_channel():create_client()",
  ["hubs that listen"] = "ipc.multi_stream_channel():listen(path .. i)",
  ["connections"] = "ipc.connect(hub)",
  ["processes"] = "ended(ipc.process(function() end))",
  ["programs"] = "ended(ipc.process{'true', stdout = 'pipe'})",
}

describe("garbage", function()
  after_each(shm.cleanup)

  for _, home in ipairs(homes) do
    for what, maker in pairs(MAKERS) do
      -- at the end a sanitizer wants a descriptor of its own, and hangs without
      it(("is collected when there is no descriptor for %s, in %s #nosan"):format(what, home.name), function()
        local path = os.tmpname()
        finally(function() os.execute(("rm -f %s %s[0-9]* %s.hub"):format(path, path, path)) end)
        local output, status, errors = home.run(([[
          local path, name = %q, %q
          local hub = path .. ".hub"
          local server = ipc.multi_stream_channel()
          assert(server:listen(hub))
          local function ended(child, why) -- and has not been reaped
            local wait = "while ! grep -q 'State:.Z' /proc/%%d/status; do :; done"
            return child and os.execute(wait:format(child.pid)), why
          end
          collectgarbage "generational"
          for i = 1, 60 do assert(%s) end
          print "done"]]):format(path, shm.key().name, maker), "sh -c 'ulimit -n 40; exec \"$@\"' sh")
        assert.same({"done\n", "exit 0", ""}, {output, status, errors})
      end)
    end

    it("is collected when there is no descriptor for a handle that is sent or arrives, in " .. home.name, function()
      local output, status, errors = home.run([[
        local near, far = ipc.stream_channel_pair()
        local first, second = ipc.stream_channel_pair()
        local function fill() repeat until not io.open "/dev/null" end
        collectgarbage "generational"
        fill()
        assert(near:send_handle(first))
        fill()
        local copy = assert(far:receive_handle(0))
        second:send "there"
        print(copy:receive())]], "sh -c 'ulimit -n 40; exec \"$@\"' sh")
      assert.same({"there\n", "exit 0", ""}, {output, status, errors})
    end)

    it("is collected when a client comes for which a hub has no descriptor, in " .. home.name, function()
      local path = os.tmpname()
      os.remove(path)
      finally(function() os.remove(path) end)
      local output, status, errors = home.run(([[
        local hub = ipc.multi_stream_channel()
        assert(hub:listen(%q))
        local child = ipc.process(function(channel)
          local c = assert(ipc.connect(%q))
          channel:send "connected"
          c:send "let me in"
          c:receive()
        end)
        collectgarbage "stop"
        for _ = 1, 100 do io.open "/dev/null" end
        assert(child.channel:receive(20) == "connected") -- the hub has had no turn yet, or no descriptor
        print(hub:receive(20))
        print(collectgarbage "isrunning")
        hub:close()]]):format(path, path), "sh -c 'ulimit -n 40; exec \"$@\"' sh")
      assert.same({"let me in\t1\nfalse\n", "exit 0", ""}, {output, status, errors})
    end)
  end

  it("is collected when /dev/shm is full of it", function()
    if not os.execute("[ $(id -u) = 0 ] && unshare -m true 2>/dev/null") then
      return pending("this may not make a mount namespace")
    end
    local output, status, errors = homes[1].run([[
      for i = 1, 40 do assert(ipc.shared_data(ipc.private, {size = 1 << 20})) end
      local kept, why, code = {}, nil, nil
      repeat kept[#kept + 1], why, code = ipc.shared_data(ipc.private, {size = 1 << 20}) until why
      print(#kept > 3, code)]], "unshare -m sh -c 'mount -t tmpfs -o size=12m none /dev/shm && exec \"$@\"' sh")
    assert.same({"true\t28\n", "exit 0", ""}, {output, status, errors})
  end)
end)
