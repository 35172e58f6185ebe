-- SPDX-License-Identifier: MIT
-- One script on one machine, and on several: network namespaces stand for the machines.

local replay = require "spec.support.lease_log"
local shell = require "spec.support.shell"

local redis = require("spec.support.engines").redis

local host = os.getenv("IPCLUA") or "build/ipclua"

-- In a namespace of its own, with a server, two more are made, each at the end of a cable; a worker in each.
local MACHINES = [[
unshare -rn sh -c '
  ip link set lo up
  redis-server --bind 0.0.0.0 --protected-mode no --port 6379 --save "" --logfile /dev/null >/dev/null 2>&1 & all=$!
  until redis-cli ping >/dev/null 2>&1; do sleep 0.02; done
  for i in 1 2; do
    unshare -n sleep 600 & pid=$!
    all="$all $pid"
    until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
    ip link add cable$i type veth peer name eth0 netns $pid
    ip addr add 10.99.$i.1/24 dev cable$i
    ip link set cable$i up
    nsenter -n -t $pid ip addr add 10.99.$i.2/24 dev eth0
    nsenter -n -t $pid ip link set eth0 up
    nsenter -n -t $pid %s scripts/examples/jobs.lua --key redis://10.99.$i.1/jobs work & workers="$workers $!"
  done
  %s scripts/examples/jobs.lua --key redis://127.0.0.1/jobs give 50
  %s scripts/examples/jobs.lua --key redis://127.0.0.1/jobs stop 2
  wait $workers && echo stopped
  kill $all
' 2>&1]]

describe("the example of jobs", function()
  it("runs on one machine", function()
    assert.equal("1 4 9 16 25 36 49 64\n", shell.output(host .. " scripts/examples/jobs.lua 2>&1"))
  end)

  if redis.missing then return pending(redis.missing) end
  if not os.execute("unshare -rn ip link add cable1 type veth peer name cable2 2>/dev/null") then
    return pending("this machine does not allow network namespaces")
  end

  it("runs on three, by another key", function()
    local squares = {}
    for i = 1, 50 do squares[i] = i * i end
    local said = shell.output("timeout 60 " .. MACHINES:format(host, host, host))
    assert.equal(table.concat(squares, " ") .. "\nstopped\n", said)
  end)
end)

describe("three machines", function()
  if redis.missing then return pending(redis.missing) end
  if not os.execute("unshare -rn ip link add cable1 type veth peer name cable2 2>/dev/null") then
    return pending("this machine does not allow network namespaces")
  end

  it("share a mutex and a queue while processes are killed and cables are pulled #slow #nosan", function()
    local log = os.tmpname()
    finally(function() os.remove(log) end)
    local seconds = os.getenv("MACHINES_SECONDS") or 8
    local command = "timeout 120 unshare -rn %s spec/support/machines.lua %s %s 2>&1"
    assert.equal("done\n", shell.output(command:format(host, log, seconds)))
    local well, _, abandoned = replay(log)
    assert.is_true(well > 0 and abandoned > 0)
    local text = io.open(log):read("a")
    local did, given, tries = {}, {}, 0
    for id in text:gmatch("\ngiven (%S+)") do given[id] = true end
    for id in text:gmatch("\ndid (%S+)") do
      assert.is_false(did[id] and given[id] or false, id .. " was done twice")
      did[id] = true
    end
    for id in text:gmatch("\ntries (%S+)") do
      did[id], tries = true, tries + 1 -- one that was killed may have been done with it
    end
    for id in pairs(given) do assert.is_true(did[id], id .. " was given and not done") end
    assert.is_true(tries > 0 and next(given) ~= nil)
    local received, accepted = {}, 0
    for id in io.open(log):read("a"):gmatch("received (send%S+)") do
      assert.is_nil(received[id], id .. " was received twice")
      received[id] = true
    end
    for id in io.open(log):read("a"):gmatch("accepted (%S+)") do
      assert.is_true(received[id], id .. " was not received")
      accepted = accepted + 1
    end
    assert.is_true(accepted > 0)
  end)
end)
