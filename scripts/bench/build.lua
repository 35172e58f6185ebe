-- SPDX-License-Identifier: MIT
-- Compiles the programs in C and C++ that a benchmark's commands run, into build/bench, and leaves the others alone.
-- What cannot be compiled is said, and then is absent in the figures.

local here <const> = "scripts/bench/"

-- The command behind which the output's name is put.
local function recipes(build)
  local c = "cc -std=c11 -O2 -D_GNU_SOURCE "
  local function plain(name, libraries) return c .. here .. name .. ".c " .. (libraries or "") end
  return {
    sysv = plain "sysv", shm = plain "shm", memory = plain "memory", socketpair = plain "socketpair",
    broadcast = plain "broadcast", spawn = plain "spawn", fork = plain "fork",
    redis_data = plain("redis_data", "-lhiredis"),
    redis_queue = plain("redis_queue", "-lhiredis -I" .. build), zmq = plain("zmq", "-lzmq"),
    nng = plain("nng", "-lnng"), boost_queue = "c++ -O2 " .. here .. "boost_queue.cpp -lrt -lpthread",
    codec = c .. ("-Iruntime -Ibindings -Ibindings/codec -I/usr/include/lua5.4 spec/support/codec_host.c "
      .. "%s/runtime/lua_heap.o $(find bindings runtime/*/ -name '*.c' | sed 's|\\(.*\\)c$|%s/\\1o|' "
      .. "| xargs ls 2>/dev/null) -Wl,-E -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive "
      .. "$(cat %s/.libs)"):gsub("%%s", build),
  }
end

-- Compiles what the commands, a list, mention as build/bench/NAME. `build` is the folder of ipclua.
return function(build, commands)
  os.execute("mkdir -p build/bench")
  local known, done = recipes(build), {}
  for _, command in ipairs(commands) do
    for name in command:gmatch("build/bench/([%w_]+)") do
      if not done[name] then
        done[name] = true
        local made = os.execute(("%s -o build/bench/%s 2>build/bench/%s.log"):format(known[name], name, name))
        if not made then
          os.remove("build/bench/" .. name)
          print(("%s cannot be compiled: build/bench/%s.log"):format(name, name))
        end
      end
    end
  end
end
