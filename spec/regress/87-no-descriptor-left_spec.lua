-- SPDX-License-Identifier: MIT
-- Where no descriptor was left, some calls raised "the event loop failed", some ended the child that they had
-- started, and a wait was over that needed no descriptor at all. Each call that there is, in a process of its own, is
-- left 0, 1, 2... descriptors until it has enough: it works, or it is nil, a message, EMFILE. It works when there are
-- descriptors again, and in the end there are as many as before.

local engines = require "spec.support.engines"
local homes = require "spec.support.homes"

local sysv, shm = engines.sysv, engines.shm

local PROGRAM <const> = [==[
  local shm, file, path = ...
  local EMFILE <const>, LIMIT <const> = 24, 40
  local skey, fkey = ipc.shm_key(shm), file and ipc.file_key(file)

  -- All descriptors but n are taken.
  local function fill(n)
    local files = {}
    collectgarbage() collectgarbage()
    repeat
      local one = io.open "/dev/null"
      files[#files + 1] = one
    until not one
    for _ = 1, n do table.remove(files):close() end
    return files
  end

  local function close_all(files) for _, f in ipairs(files) do f:close() end end

  local function count()
    collectgarbage() collectgarbage()
    local files, n = {}, 0
    repeat
      local one = io.open "/dev/null"
      files[#files + 1] = one
    until not one
    n = #files
    close_all(files)
    return n
  end

  local calls = {}
  local function add(name, call, before) calls[#calls + 1] = {name = name, call = call, before = before} end

  for where, key in pairs{shm = skey, private = ipc.private, file = fkey} do
    for noun, open in pairs{
      queue = function() return ipc.queue(key) end,
      mutex = function() return ipc.mutex(key) end,
      semaphore = function() return ipc.semaphore(where == "file" and key:clone() or key, 3) end,
      memory = function() return ipc.shared_memory(key, 3) end,
      data = function() return ipc.shared_data(key, {size = 65536}) end,
    } do
      add(where .. " " .. noun, function()
        local o, why, code = open()
        if not o then return nil, why, code end
        assert(o:remove())
        o:close()
        return true
      end)
    end
    add(where .. " mutex: acquire, wait for another process", function(m)
      local ok, why, code = m:acquire(0.001)
      if ok == nil and why == "timeout" then return true end
      return ok, why, code
    end, function()
      local m = assert(ipc.mutex(key))
      local holder = ipc.process(function(channel)
        m:acquire()
        channel:send "held"
        channel:receive()
      end)
      assert(holder.channel:receive() == "held")
      return m
    end)
    add(where .. " data: first use", function(d)
      local ok, why, code = d:set("x", 1)
      if not ok then return nil, why, code end
      local version, message, errno = d:wait("x", ok, 0.001)
      assert(version == nil)
      return message == "timeout" or nil, message, errno
    end, function() return assert(ipc.shared_data(key, {size = 65536})) end)
    add(where .. " memory: wait", function(m)
      local ok, why, code = m:wait(0, 0, 0.001)
      return ok == nil and why == "timeout" or nil, why, code
    end, function() return assert(ipc.shared_memory(key, 3)) end)
    add(where .. " queue: receive", function(q)
      local ok, why, code = q:receive(0, 0.001)
      return ok == nil and why == "timeout" or nil, why, code
    end, function() return assert(ipc.queue(key)) end)
  end

  local function closed(o, why, code)
    if not o then return nil, why, code end
    o:close()
    return true
  end

  add("file lock", function() return closed(ipc.file_lock(path)) end)
  add("file lock: acquire in a child", function(l)
    local ok, why, code = l:acquire()
    if ok then l:release() end
    return ok, why, code
  end, function() return assert(ipc.file_lock(path)) end)
  add("pair", function()
    local a, b, code = ipc.stream_channel_pair()
    if a then b:close() end
    return closed(a, b, code)
  end)
  add("channel", function(f) return closed(ipc.stream_channel(f)) end, function() return assert(io.open(path)) end)
  add("channel: receive", function(c)
    local ok, why, code = c:receive(0.001)
    return ok == nil and why == "timeout" or nil, why, code
  end, function()
    local a, b = assert(ipc.stream_channel_pair())
    ipc.other = b
    return a
  end)
  add("channel: send_handle", function(c)
    local f <close>, why, code = io.open(path)
    if not f then return nil, why, code end
    return c:send_handle(f)
  end, function()
    local a, b = assert(ipc.stream_channel_pair())
    ipc.other = b
    return a
  end)
  add("hub", function(h)
    local client, why, code = h:create_client()
    if not client then return nil, why, code end
    client:close()
    return h:disconnect(h:clients()[1])
  end, ipc.multi_stream_channel)
  add("hub: listen, connect", function()
    local h <close> = ipc.multi_stream_channel()
    local ok, why, code = h:listen(path .. ".s")
    if not ok then return nil, why, code end
    return closed(ipc.connect(path .. ".s"))
  end)
  add("process", function()
    local child, why, code = ipc.process(function() os.exit(3, false) end)
    if not child then return nil, why, code end
    local _, how, status, errno = child:wait()
    if how == "exit" then assert(status == 3) child:close() child.channel:close() return true end
    return nil, how, status or errno
  end)
  add("program", function()
    local child, why, code = ipc.process{"cat", stdin = "pipe", stdout = "pipe", stderr = "null"}
    if not child then return nil, why, code end
    local sent, text, errno = child.stdin:send "x"
    local got
    if sent then
      child.stdin:close()
      got, text, errno = child.stdout:receive()
    end
    child:close()
    child.stdin:close()
    child.stdout:close()
    if got then assert(got == "x") return true end
    return nil, text, errno
  end)
  add("sleep", function() ipc.sleep(0.001) return true end)
  add("yield", function() ipc.yield() return true end)
  add("timer", function()
    local t <close> = ipc.timer(0.001)
    return t:wait()
  end)
  add("trap", function()
    local trap <close> = ipc.signal_trap "USR1"
    ipc.signal "USR1":dispatch(ipc.pid())
    return trap:wait() and true
  end)
  add("task", function() return ipc.task(function() ipc.sleep(0.001) return true end):join() end)
  add("fileno", function() return ipc.fileno() and true, select(2, ipc.fileno()) end)
  add("select", function(o)
    local which, why, code = ipc.select({o[1], o[2], o[3], o[4]}, 0.001)
    return which == nil and why == "timeout" or nil, why, code
  end, function()
    local m <const>, key = ipc.mutex(ipc.private), ipc.private
    m:acquire()
    return {ipc.queue(key), ipc.timer(1000), ipc.signal_trap "USR2", {m, "acquire"}}
  end)

  -- In a child: true, or what went wrong.
  local function try(case, n)
    local o = case.before and case.before()
    local files = fill(n)
    local results = table.pack(pcall(case.call, o))
    close_all(files)
    if not results[1] then return ("raises %s"):format(results[2]) end
    local enough = results[2] ~= nil
    if not enough and results[4] ~= EMFILE then return ("%s, %s"):format(results[3], results[4]) end
    if not enough and type(results[3]) ~= "string" then return "has no message" end
    ipc.yield() -- so that the loop has its descriptors
    for _ = 1, 2 do -- now there is room; the first time may make what stays
      local again = table.pack(pcall(case.call, o))
      if not again[2] then return ("later: %s, %s"):format(again[2], again[3]) end
    end
    local before = count()
    local again = table.pack(pcall(case.call, o))
    if not again[2] then return ("at last: %s, %s"):format(again[2], again[3]) end
    local after = count()
    if before ~= after then return ("leaves %d descriptors"):format(before - after) end
    return enough and "enough" or "failed"
  end

  local tried = 0
  for _, case in ipairs(calls) do
    local n, text = 0, nil
    repeat
      local child = assert(ipc.process(function(channel) channel:send(try(case, n)) end))
      local why
      text, why = child.channel:receive(20)
      child:close()
      if text ~= "enough" and text ~= "failed" then
        print(("%s with %d descriptors: %s"):format(case.name, n, text or why))
        break
      end
      n = n + 1
      tried = tried + 1
    until text == "enough" or n > 30
    if n > 30 then print(case.name .. ": never enough") end
  end
  print(tried > 80 and "done" or tried)
]==]

describe("a program without a descriptor left", function()
  after_each(function()
    shm.cleanup()
    sysv.cleanup()
  end)

  for _, home in ipairs(homes) do
    it("is told so, and goes on when there is one, in " .. home.name, function()
      local path = os.tmpname()
      finally(function() os.remove(path) end)
      local arguments = ("local function main(...) %s end main(%q, %s, %q)"):format(PROGRAM, shm.key().name,
        sysv.missing and "nil" or ("%q"):format(sysv.key().path), path)
      local output, status, errors = home.run(arguments, "sh -c 'ulimit -n 40; exec \"$@\"' sh")
      assert.same({"done\n", "exit 0", ""}, {output, status, errors})
    end)

    it("loses no message because its codec cannot be loaded, in " .. home.name, function()
      local output, status, errors = home.run([[
        local function fill()
          local files = {}
          repeat
            local one = io.open "/dev/null"
            files[#files + 1] = one
          until not one
          return files
        end
        local files = fill()
        local q, why, code = ipc.queue(ipc.private)
        print(q, why:match "ulimit %-n", code)
        for _, file in ipairs(files) do file:close() end
        q = assert(ipc.queue(ipc.private))
        files = fill()
        print(q:send(1, {"x"}), q:receive()[1])
        for _, file in ipairs(files) do file:close() end]], "sh -c 'ulimit -n 40; exec \"$@\"' sh")
      assert.same({"nil\tulimit -n\t24\ntrue\tx\n", "exit 0", ""}, {output, status, errors})
    end)
  end
end)
