-- SPDX-License-Identifier: MIT
-- What make bench measures, as a list: {what, unit, {who, command[, target: at most this times the peer]}...}; ours is
-- the first. Each command prints one number. `runs`: so often at most.

local here = "scripts/bench/"
local host, stock = ...

local function lua(program, file, extra)
  return ("%s %s%s.lua %s"):format(program, here, file, extra or "")
end

-- on one processor: none that sleeps has to be woken for an answer, and none gains by spinning
local function pinned(command) return "taskset -c 0 " .. command end

-- on one processor that another process wants all the time as well
local function busy(command)
  return ("sh -c 'taskset -c 0 sh -c \"while :; do :; done\" & b=$!; %s; kill $b'"):format(pinned(command))
end

local function served(command) return here .. "with-redis " .. command end

local function sum(a, b)
  return ("sh -c 'echo $(%s) $(%s)' | awk '{print $1 + $2}'"):format(a, b)
end

local function starts(program)
  return ("sh -c 'a=$(date +%%s%%N); for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do %s -e \"\"; done; "
    .. "echo $((($(date +%%s%%N) - a) / 20))'"):format(program)
end

local benches = {
  {"start", "ns", {"ipclua", starts(host)}, {"lua5.4", starts(stock), 1.2}},
  {"pure", "ns", {"ipclua", lua(host, "pure")}, {"lua5.4", lua(stock, "pure"), 1.05}},
  {"generator", "ns", {"ipclua", lua(host, "generator")}, {"lua5.4", lua(stock, "generator"), 1.1}},
  {"switch", "ns", {"ipclua", lua(host, "switch")}, {"cqueues", lua(stock, "switch_cqueues"), 0.4},
    {"bare resume", lua(stock, "switch_bare")}},
  {"task", "ns", {"ipclua", lua(host, "task")}, {"cqueues", lua(stock, "task_cqueues"), 0.7}},
  {"timers", "ns", {"ipclua", lua(host, "timers")}, {"luv", lua(stock, "timers_luv"), 0.5},
    {"cqueues", lua(stock, "timers_cqueues")}},
  {"sleepers", "bytes", {"ipclua", lua(host, "sleepers")}, {"cqueues", lua(stock, "sleepers_cqueues"), 1}},
  {"oneway", "ns", {"ipclua raw", lua(host, "channel", "oneway raw")},
    {"ipclua json", lua(host, "channel", "oneway json")},
    {"ipclua table", lua(host, "channel", "oneway table")}, {"C", "build/bench/socketpair oneway", 1.5},
    {"python", "python3 " .. here .. "pipe.py oneway", 1}, {"luv", lua(stock, "socketpair_luv", "oneway"), 1},
    {"cqueues", lua(stock, "socketpair_cqueues", "oneway"), 1},
    {"cqueues buffer", lua(stock, "socketpair_cqueues", "oneway buffered")},
    {"C pipe", "build/bench/shm pipe_oneway"}, {"zmq", "build/bench/zmq oneway"}, {"nng", "build/bench/nng oneway"}},
  {"oneway gathered", "ns", {"ipclua buffer", lua(host, "channel", "oneway raw buffer 65536")},
    {"ipclua 100 at a time", lua(host, "channel", "oneway raw many 100")}, {"zmq", "build/bench/zmq oneway", 1},
    {"cqueues buffer", lua(stock, "socketpair_cqueues", "oneway buffered"), 1}},
  {"roundtrip", "ns", {"ipclua raw", lua(host, "channel", "roundtrip raw")},
    {"ipclua table", lua(host, "channel", "roundtrip table")}, {"C", "build/bench/socketpair roundtrip", 1.5},
    {"python", "python3 " .. here .. "pipe.py roundtrip", 1}, {"luv", lua(stock, "socketpair_luv", "roundtrip"), 1},
    {"cqueues", lua(stock, "socketpair_cqueues", "roundtrip"), 1}, {"C pipe", "build/bench/shm pipe"},
    {"zmq", "build/bench/zmq roundtrip"}, {"nng", "build/bench/nng roundtrip"}},
  {"pinned roundtrip", "ns", {"ipclua raw", pinned(lua(host, "channel", "roundtrip raw"))},
    {"C", pinned("build/bench/socketpair roundtrip"), 1.5},
    {"python", pinned("python3 " .. here .. "pipe.py roundtrip")},
    {"luv", pinned(lua(stock, "socketpair_luv", "roundtrip"))},
    {"cqueues", pinned(lua(stock, "socketpair_cqueues", "roundtrip"))}},
  {"redis queue one task", "ns", {"ipclua", served(lua(host, "redis_queue", "20000 1"))},
    {"C, same commands", served("build/bench/redis_queue 20000 1"), 1.3},
    {"python list", served("/usr/bin/python3 " .. here .. "redis_queue.py 20000")},
    {"php list", served("php " .. here .. "redis_queue.php 20000"), 1.1},
    {"lua-redis list", served("lua5.1 " .. here .. "redis_queue_lua-redis.lua 20000")}},
  {"redis queue turn", "ns", {"ipclua", served(lua(host, "redis_turn", "5000"))},
    {"php list", served("php " .. here .. "redis_turn.php 5000"), 1.1}},
  {"redis queue 100 tasks", "ns", {"ipclua", served(lua(host, "redis_queue", "100000 100"))},
    {"one task", served(lua(host, "redis_queue", "20000 1")), 0.2},
    {"C, pipelined", served("build/bench/redis_queue 100000 100")}},
  {"redis queue many", "ns", {"100 at a time", served(lua(host, "redis_queue", "100000 1 100"))},
    {"one by one", served(lua(host, "redis_queue", "20000 1")), 0.1}},
  {"redis server pair", "ns", {"ipclua", served(lua(host, "redis_server", "pair"))}, {"10 us", "echo 10000", 1}},
  {"redis server job", "ns", {"10 tasks", served(lua(host, "redis_server", "job 10"))},
    {"php stream", served(lua(host, "redis_server", "stream")), 2},
    {"one task", served(lua(host, "redis_server", "job 1"))}},
  {"redis server herd", "ns", {"16 processes", served(lua(host, "redis_server", "herd 16"))},
    {"one process", served(lua(host, "redis_server", "herd 1")), 2}},
  {"redis server idle", "commands", runs = 1, {"10,000 tasks", served(lua(host, "redis_server", "idle 10000"))},
    {"20", "echo 20", 1}},
  {"queue one", "ns", {"ipclua raw", lua(host, "queue", "one sysv raw")},
    {"C", "build/bench/sysv queue one", 1.5}, {"php", "php " .. here .. "queue.php raw", 1},
    {"python", "/usr/bin/python3 " .. here .. "queue_sysv_ipc.py raw", 1}},
  {"queue json", "ns", {"ipclua json", lua(host, "queue", "one sysv json")},
    {"cjson + C", sum(lua(stock, "cjson"), "build/bench/sysv queue one"), 1.15},
    {"php json", "php " .. here .. "queue.php json"}, {"php serialized", "php " .. here .. "queue.php serialized"},
    {"python json", "/usr/bin/python3 " .. here .. "queue_sysv_ipc.py json", 1}},
  {"queue lua", "ns", {"ipclua lua", lua(host, "queue", "one sysv lua")},
    {"php serialized", "php " .. here .. "queue.php serialized", 1}},
  {"queue pair", "ns", {"ipclua raw", lua(host, "queue", "pair sysv raw")}, {"C", "build/bench/sysv queue pair", 1.5}},
  {"queue many", "ns", {"memory, 100 at a time", lua(host, "queue", "many memory raw")},
    {"one by one", lua(host, "queue", "one memory raw"), 0.35}},
  {"jobs", "ns", {"memory, take and done", lua(host, "queue", "jobs memory raw")},
    {"receive", lua(host, "queue", "one memory raw"), 1.3}},
  {"shm jobs", "ns", {"shm, take and done", lua(host, "queue", "jobs shm raw")},
    {"receive", lua(host, "queue", "one shm raw"), 1.3}},
  {"shm queue many", "ns", {"shm, 100 at a time", lua(host, "queue", "many shm raw")},
    {"one by one", lua(host, "queue", "one shm raw"), 0.35}},
  {"queue roundtrip", "ns", {"ipclua raw", lua(host, "queue", "roundtrip sysv raw")},
    {"C", "build/bench/sysv queue roundtrip"}},
  {"pinned queue roundtrip", "ns", {"ipclua raw", pinned(lua(host, "queue", "roundtrip sysv raw"))},
    {"C", pinned("build/bench/sysv queue roundtrip"), 1.5}},
  {"semaphore", "ns", {"ipclua", lua(host, "semaphore")}, {"C", "build/bench/sysv sem", 1.5},
    {"C without undo", "build/bench/sysv sem_noundo"}},
  {"mutex", "ns", {"ipclua", lua(host, "semaphore", "mutex")}, {"C", "build/bench/sysv sem"}},
  {"memory read", "ns", {"ipclua", lua(host, "memory", "read")},
    {"empty metamethod", lua(host, "memory", "meta_read"), 1.3}, {"a table", lua(host, "memory", "table_read"), 3},
    {"a C call", lua(host, "memory", "call")}, {"C", "build/bench/memory read"}},
  {"memory get", "ns", {"ipclua", lua(host, "memory", "get")}, {"a table", lua(host, "memory", "table_read")},
    {"a C call", lua(host, "memory", "call"), 1.1}},
  {"memory set", "ns", {"ipclua", lua(host, "memory", "set")}, {"a table", lua(host, "memory", "table_write")},
    {"a C call", lua(host, "memory", "call"), 1.2}},
  {"memory get 16", "ns", {"ipclua", lua(host, "memory", "get_many")},
    {"a table", lua(host, "memory", "table_many"), 2}},
  {"memory write", "ns", {"ipclua", lua(host, "memory", "write")},
    {"empty metamethod", lua(host, "memory", "meta_write"), 1.3}, {"a table", lua(host, "memory", "table_write"), 3},
    {"a C call", lua(host, "memory", "call")}, {"C", "build/bench/memory write"}},
  {"memory add", "ns", {"ipclua", lua(host, "memory", "add")}, {"100 ns", "echo 100", 1},
    {"C", "build/bench/memory add"}},
  {"program", "ns", {"ipclua", lua(host, "spawn")}, {"C", "build/bench/spawn", 1.3},
    {"luv", lua(stock, "spawn_luv"), 1}, {"python", "/usr/bin/python3 " .. here .. "spawn.py", 1},
    {"ipclua 100 MB", lua(host, "spawn", "1 100")}, {"ipclua 20 tasks", lua(host, "spawn", "20")}},
  {"fork", "ns", {"ipclua", lua(host, "fork")}, {"C", "build/bench/fork"},
    {"python", "/usr/bin/python3 " .. here .. "fork.py", 1},
    {"ipclua 10,000 tasks", lua(host, "fork", "10000")}},
  {"shm queue pair", "ns", {"ipclua raw", lua(host, "queue", "pair shm")},
    {"boost", "build/bench/boost_queue pair", 1}, {"C System V", "build/bench/sysv queue pair", 0.25},
    {"C ring", "build/bench/shm ring", 2}, {"C pipe", "build/bench/shm pipe_oneway"},
    {"zmq", "build/bench/zmq oneway"}, {"nng", "build/bench/nng oneway"}},
  {"shm queue 64 KiB", "ns", {"ipclua raw", lua(host, "queue", "pair shm raw 65536")},
    {"C ring", "build/bench/shm ring 65536", 1}, {"C memcpy", "build/bench/shm handover 65536", 2},
    {"cached memcpy", "build/bench/shm memcpy 65536"}, {"cold memcpy", "build/bench/shm cold 65536", 2}},
  {"shm roundtrip", "ns", {"ipclua raw", lua(host, "queue", "roundtrip shm")},
    {"C pipe", "build/bench/shm pipe", 0.25}, {"boost", "build/bench/boost_queue roundtrip"},
    {"zmq", "build/bench/zmq roundtrip"}, {"nng", "build/bench/nng roundtrip"}},
  {"pinned shm roundtrip", "ns", {"ipclua raw", pinned(lua(host, "queue", "roundtrip shm"))},
    {"C pipe", pinned("build/bench/shm pipe"), 1.1},
    {"boost", pinned("build/bench/boost_queue roundtrip")}},
  {"busy shm roundtrip", "ns", {"ipclua raw", busy(lua(host, "queue", "roundtrip shm"))},
    {"C pipe", busy("build/bench/shm pipe"), 1.1}},
  {"queue without key", "ns", {"ipclua raw", lua(host, "queue", "tasks memory")}, {"600 ns", "echo 600", 1}},
  {"shm mutex", "ns", {"ipclua", lua(host, "semaphore", "mutex shm")}, {"200 ns", "echo 200", 1},
    {"C robust mutex", "build/bench/shm mutex"}},
  {"shm semaphore", "ns", {"ipclua", lua(host, "semaphore", "semaphore shm")},
    {"C System V", "build/bench/sysv sem", 1}},
}
for _, clients in ipairs {100, 1000} do
  local function ours(what) return pinned(lua(host, "broadcast", clients .. " " .. what)) end
  benches[#benches + 1] = {"broadcast to " .. clients, "ns", {"ipclua raw", ours "raw"}, {"ipclua table", ours "table"},
    {"C", pinned("build/bench/broadcast " .. clients), 1.3}}
end
-- each codec by itself; for the ratio, several tables
for _, table in ipairs{"small", "numbers", "words", "records"} do
  local function codec(name) return ("build/bench/codec %scodec.lua %s %s"):format(here, name, table) end
  benches[#benches + 1] = {"codec " .. table, "ns", {"lua", codec "lua"}, {"json", codec "json", 0.33},
    {"cjson", codec "cjson"}, {"no codec", codec "none"}}
end
for _, what in ipairs{"get", "set", "add"} do
  local function peers(arguments)
    return {"php shm_var", ("php %sshared_data.php %s %s"):format(here, what, arguments), 1},
      {"python manager", ("/usr/bin/python3 %sshared_data.py %s %s"):format(here, what, arguments), 0.1}
  end
  benches[#benches + 1] = {"data " .. what, "ns", {"ipclua " .. (what == "add" and "json" or "raw"),
    lua(host, "shared_data", what .. (what == "add" and " json" or " raw"))}, peers("raw")}
  if what ~= "add" then
    local half, more = what == "get" and "decode" or "encode", what == "get" and 500 or 1500
    for _, codec in ipairs{"json", "lua"} do
      benches[#benches + 1] = {("data %s %s"):format(what, codec), "ns",
        {"ipclua " .. codec, lua(host, "shared_data", what .. " " .. codec)}, {("%s + %d ns"):format(half, more),
          sum(("build/bench/codec %scodec.lua %s small %s"):format(here, codec, half), "echo " .. more), 1}}
    end
    benches[#benches + 1] = {"data " .. what .. " table", "ns",
      {"ipclua json", lua(host, "shared_data", what .. " json")},
      {"ipclua lua", lua(host, "shared_data", what .. " lua")}, peers("table")}
    for _, names in ipairs{100, 10000, 100000} do
      local php, python = peers("raw " .. names)
      benches[#benches + 1] = {("data %s of %d"):format(what, names), "ns",
        {"ipclua raw", lua(host, "shared_data", ("%s raw %d"):format(what, names))}, python,
        names < 100000 and php or nil} -- which takes minutes there
    end
  end
end
benches[#benches + 1] = {"disk set", "ns", {"ipclua", lua(host, "disk", "1")},
  {"sqlite wal full", "/usr/bin/python3 " .. here .. "disk.py", 1}}
benches[#benches + 1] = {"disk set of 100 tasks", "ns", {"ipclua", lua(host, "disk", "100")},
  {"one task", lua(host, "disk", "1"), 0.05}}
benches[#benches + 1] = {"disk send", "ns", {"ipclua", lua(host, "disk_queue", "1")},
  {"sqlite wal full", "/usr/bin/python3 " .. here .. "disk.py", 1}}
benches[#benches + 1] = {"disk send of 100 tasks", "ns", {"ipclua", lua(host, "disk_queue", "100")},
  {"one task", lua(host, "disk_queue", "1"), 0.05}}
benches[#benches + 1] = {"disk send, take, done of 100 tasks", "ns", {"ipclua", lua(host, "disk_queue", "100 take")},
  {"one task", lua(host, "disk_queue", "1 take"), 0.05}}
benches[#benches + 1] = {"disk set soon", "ns", {"ipclua", lua(host, "disk", "1 soon")},
  {"each", lua(host, "disk", "1 each"), 0.05}}
benches[#benches + 1] = {"job of a killed holder", "ns", {"99 in 100", lua(host, "job_death")},
  {"10 ms", "echo 10000000", 1}}
benches[#benches + 1] = {"data wake", "ns", {"ipclua raw", lua(host, "shared_data", "wake raw")}}
benches[#benches + 1] = {"data ttl", "ns", {"ipclua raw", lua(host, "shared_data", "ttl raw")},
  {"without", lua(host, "shared_data", "set raw")}}
benches[#benches + 1] = {"data change", "ns", {"ipclua raw", lua(host, "shared_data", "change raw")},
  {"by two of each", lua(host, "shared_data", "two raw")}}
benches[#benches + 1] = {"data each of 10000", "ns", {"ipclua raw", lua(host, "shared_data", "each raw 10000")},
  {"by pairs", lua(host, "shared_data", "pairs raw 10000"), 0.5}}
for _, what in ipairs{"get", "set", "add"} do
  benches[#benches + 1] = {"redis data " .. what, "ns", {"ipclua", served(lua(host, "redis_data", what))},
    {"C hiredis", served("build/bench/redis_data " .. what)},
    {"lua-redis", served(lua("lua5.1", "redis_data_peer", what))},
    {"php", served(("php %sredis_data.php %s"):format(here, what))},
    {"python", served(("/usr/bin/python3 %sredis_data.py %s"):format(here, what))}}
  benches[#benches + 1] = {"redis data " .. what .. " by 100 tasks", "ns",
    {"ipclua", served(lua(host, "redis_data", what .. " 100"))},
    {"one at a time", served(lua(host, "redis_data", what)), 0.5},
    {"C, 100 on the way", served(("build/bench/redis_data %s 100"):format(what))}}
end
benches[#benches + 1] = {"redis data of 10000", "ns", {"ipclua", served(lua(host, "redis_data", "pairs"))},
  {"by each", served(lua(host, "redis_data", "each"))}}
benches[#benches + 1] = {"redis data ttl", "ns", {"ipclua", served(lua(host, "redis_data", "ttl"))},
  {"without", served(lua(host, "redis_data", "set"))}}
benches[#benches + 1] = {"redis data change", "ns", {"ipclua", served(lua(host, "redis_data", "change"))}}
for _, pending in ipairs{100, 1000, 10000, 100000, 1000000} do
  benches[#benches + 1] = {"one of " .. pending .. " timers", "ns", {"ipclua", lua(host, "pending", pending)}}
end

return benches
