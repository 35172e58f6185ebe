-- SPDX-License-Identifier: MIT
-- Three machines that share a Redis server, for as long as a storm goes on: network namespaces at the ends of cables.
-- Runs inside a namespace of its own: unshare -rn ipclua spec/support/machines.lua LOG SECONDS. Each worker says in
-- the log what it does, a line per write; machines_worker.lua is what they run. Here they are killed, and cables are
-- pulled.

local ipc = require "ipc"

local HOST <const> = os.getenv("IPCLUA") or "build/ipclua"
local log, seconds = arg[1], tonumber(arg[2])

local function run(...) assert(os.execute((...):format(select(2, ...)))) end

local function namespace(pid)
  local pipe <close> = assert(io.popen("readlink /proc/" .. pid .. "/ns/net"))
  return pipe:read("a")
end

-- The process in whose namespace the machine is; it holds it open.
local function machine(i)
  local child = assert(ipc.process{"unshare", "-n", "sleep", "600"})
  while namespace(child.pid) == namespace("self") do ipc.sleep(0.01) end
  run("ip link add cable%d type veth peer name eth0 netns %d", i, child.pid)
  run("ip addr add 10.99.%d.1/24 dev cable%d && ip link set cable%d up", i, i, i)
  run("nsenter -n -t %d sh -c 'ip addr add 10.99.%d.2/24 dev eth0 && ip link set eth0 up'", child.pid, i)
  return child
end

run("ip link set lo up")
local _ <close> = assert(ipc.process{"redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
  "--logfile", "/dev/null"})
run("timeout 20 sh -c 'until redis-cli ping >/dev/null 2>&1; do sleep 0.02; done'")
local machines, workers = {}, {}

-- Whatever fails here: a process that was left would keep the pipe open that the spec reads to its end.
local _ <close> = setmetatable({}, {__close = function()
  for _, worker in ipairs(workers) do worker.child:signal("KILL") end
  for _, child in ipairs(machines) do child:signal("KILL") end
end})
for i = 1, 2 do machines[i] = machine(i) end

local function start(worker)
  worker.generation = worker.generation + 1
  local name = ("%s%d.%d"):format(worker.role, worker.number, worker.generation)
  local on = machines[worker.machine]
  local address = on and ("10.99.%d.1"):format(worker.machine) or "127.0.0.1"
  local command = on and {"nsenter", "-n", "-t", tostring(on.pid)} or {}
  for _, word in ipairs{HOST, "spec/support/machines_worker.lua", worker.role, "redis://" .. address, log, name} do
    command[#command + 1] = word
  end
  worker.child = assert(ipc.process(command))
end

local roles = {"lock", "lock", "lock", "lock", "send", "send", "give", "take", "take", "take", "receive", "receive"}
for i, role in ipairs(roles) do
  workers[i] = {role = role, number = i, machine = i % 3, generation = 0}
  start(workers[i])
end

-- One without cable for longer than a lease now and then.
local puller = ipc.task(function()
  while true do
    ipc.sleep(0.2 + math.random() * 0.5)
    local i = math.random(2)
    run("ip link set cable%d down", i)
    ipc.sleep(math.random(3) == 1 and 1.5 or 0.2)
    run("ip link set cable%d up", i)
  end
end)

-- The receivers stay alive, and one that takes jobs, so that what was accepted has to arrive.
local till = ipc.now() + seconds
while ipc.now() < till do
  ipc.sleep(math.random() * 0.3)
  local worker = workers[math.random(9)]
  worker.child:signal("KILL")
  worker.child:wait()
  start(worker)
end
puller:cancel()
puller:join()
for i = 1, 2 do run("ip link set cable%d up", i) end

-- One that was started just now may not have its trap yet: then the signal itself ends it.
local function stop(worker)
  worker.child:signal("TERM")
  local ok, how, code = worker.child:wait(60)
  if not ok and not (how == "signal" and code == 15) then
    error(("%s%d does not end: %s %s"):format(worker.role, worker.number, how, code), 0)
  end
end

for _, worker in ipairs(workers) do stop(worker) end -- the receivers are the last
for _, child in ipairs(machines) do child:close() end
print "done"
