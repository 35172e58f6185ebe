-- SPDX-License-Identifier: MIT
-- Where the library of TLS is not there when the program runs, though it was when this was built: an error that says
-- so, of the URLs that need it, and of nothing else.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local ports = require "spec.support.ports"
local redis_process = require "spec.support.redis_process"
local shell = require "spec.support.shell"

local HOST <const>, ENOTSUP <const> = os.getenv("IPCLUA") or "build/ipclua", 95

describe("a program without libssl", function()
  if engines.redis.missing then return pending(engines.redis.missing) end
  if not pcall(ipc.redis_key, "rediss://h/n") then return pending("this ipc was built without OpenSSL") end

  it("says so where TLS is needed, and goes on", function()
    local port = ports(1)
    local server <close> = redis_process("--bind 127.0.0.1 --port " .. port)
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    finally(function() os.execute("rm -rf " .. folder) end)
    for version = 1, 4 do -- the loader finds these first, and they are no libraries
      shell.write(("%s/libssl.so.%d"):format(folder, version), "no library\n")
    end
    local script = shell.write(folder .. "/script.lua", [[
      local ipc = require "ipc"
      for _ = 1, 2 do print(select(2, ipc.queue(arg[1]))) end
      print(select(3, ipc.queue(arg[1])))
      local q = assert(ipc.queue(arg[2]))
      print(q:send(1, "x"))
    ]])
    local lines = {}
    local output = shell.output(("LD_LIBRARY_PATH=%s %s %s rediss://127.0.0.1:%d/n '%s' 2>&1"):format(folder, HOST,
      script, port, server:text("n")))
    for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
    local why = "redis server 127.0.0.1:" .. port .. ": TLS: cannot load libssl.so.%d of OpenSSL: " .. folder
    for i = 1, 2 do assert.matches(why, lines[i]) end
    assert.matches("^" .. ENOTSUP, lines[3])
    assert.equal("true", lines[4])
  end)
end)
