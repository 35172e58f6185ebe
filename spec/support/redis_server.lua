-- SPDX-License-Identifier: MIT
-- A Redis server of a spec's own, which it may cut off, kill, and start again.
--   local server = redis_server.start()     finally(server.stop)
--   server.key("name")   server.cli("flushall")   server.cut()   server.kill()   server.again()

local ipc = require "ipc"

local redis_server = {}

function redis_server.start(...)
  local server, directory, child = {}, os.tmpname(), nil
  local options = table.pack(...)
  os.remove(directory)
  os.execute("mkdir " .. directory)
  server.socket = directory .. "/socket"

  -- What the server answers.
  function server.cli(command)
    local pipe <close> = assert(io.popen(("redis-cli -s %s %s 2>&1"):format(server.socket, command)))
    return (pipe:read("a"):gsub("%s+$", ""))
  end

  -- With what was saved, if it was: server.cli("save").
  function server.again()
    child = assert(ipc.process{"redis-server", "--port", "0", "--unixsocket", server.socket, "--save", "",
      "--dir", directory, "--logfile", "log", table.unpack(options)})
    local ready = "timeout 20 sh -c 'until redis-cli -s %s ping 2>/dev/null | grep -q PONG; do sleep 0.02; done'"
    assert(os.execute(ready:format(server.socket)))
  end

  function server.kill()
    child:signal("KILL")
    child:wait()
  end

  -- Cuts all connections.
  function server.cut()
    server.cli("client kill type normal")
    server.cli("client kill type pubsub")
  end

  -- Nothing that may change anything is answered, until server.cli("client unpause").
  function server.pause()
    assert(server.cli("client pause 100000 write") == "OK")
  end

  -- Waits until so many requests have come while it pauses.
  function server.blocked(count)
    while tonumber(server.cli("info clients"):match("blocked_clients:(%d+)")) < count do ipc.sleep(0.005) end
  end

  function server.key(name, more)
    return assert(ipc.redis_key(("redis+unix://%s?name=%s%s"):format(server.socket, name, more or "")))
  end

  function server.stop()
    server.kill()
    os.execute("rm -rf " .. directory)
  end

  server.again()
  return server
end

return redis_server
