-- SPDX-License-Identifier: MIT
-- Processes that send and receive through one queue in shared memory, killed at any instruction and started again: no
-- message is torn, there twice, or out of its sender's order; none is lost but by a receiver that died with it.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local SENDERS <const>, RECEIVERS <const> = 3, 3

local function body(sender, n)
  local size = (n * 7919 + sender * 31) % 3000
  return ("%d:%d:"):format(sender, n) .. string.char(97 + n % 26):rep(size)
end

local function send_all(channel, q, sender, n)
  while true do
    n = n + 1
    channel:send(n) -- about to be sent
    assert(q:send(sender, body(sender, n), PATIENCE))
    channel:send(-n) -- accepted
  end
end

local function receive_all(channel, q)
  while true do
    local message, type = q:receive(0, PATIENCE)
    if not message then error(type) end
    local sender, n = message:match("^(%d+):(%d+):")
    local whole = n and message == body(tonumber(sender), tonumber(n))
    if not whole then return channel:send("torn: " .. message:sub(1, 40)) end
    channel:send {tonumber(sender), tonumber(n)}
  end
end

describe("a storm of kills over a queue in shared memory #slow #nosan", function()
  it("tears, repeats and disorders nothing, and loses what a receiver took with it", function()
    local KILLS <const> = tonumber(os.getenv("STORM_KILLS")) or 80
    local key = ipc.shm_key("spec.storm." .. os.time())
    local q <close> = assert(ipc.queue(key, {codec = "raw", capacity = 20000}))
    local sent, accepted, got = {}, {}, {}
    for s = 1, SENDERS do sent[s], accepted[s], got[s] = 0, {}, {} end
    local living, deaths, kills, total = {}, 0, 0, 0

    local function sender(s)
      while kills < KILLS do
        local child <close> = assert(ipc.process(send_all, q, s, sent[s]))
        living[#living + 1] = child
        for n in child.channel:messages() do
          if n > 0 then sent[s] = n else accepted[s][-n] = true end
        end
        child:wait()
      end
    end

    local last = {}
    local function note(r, s, n)
      assert.is_nil(got[s][n], ("%d of %d came twice"):format(n, s))
      assert.is_true(n > (last[r][s] or 0), ("%d of %d after %d"):format(n, s, last[r][s] or 0))
      got[s][n], last[r][s], total = true, n, total + 1
    end

    local function receiver(r)
      while kills < KILLS do
        local child <close> = assert(ipc.process(receive_all, q))
        living[#living + 1] = child
        last[r] = {}
        for message in child.channel:messages() do
          if type(message) == "string" then error(message, 0) end
          note(r, message[1], message[2])
        end
        child:wait()
        deaths = deaths + 1
      end
    end

    ipc.scope(function(scope)
      for s = 1, SENDERS do scope:task(sender, s) end
      for r = 1, RECEIVERS do scope:task(receiver, r) end
      local before, since = 0, ipc.now()
      while kills < KILLS do
        ipc.sleep(math.random() * 0.01)
        if #living > 0 then
          table.remove(living, math.random(#living)):signal("KILL")
          kills = kills + 1
        end
        if total > before then before, since = total, ipc.now() end
        assert.is_true(ipc.now() - since < PATIENCE, "nothing moves")
      end
      for _, child in ipairs(living) do child:signal("KILL") end
    end)
    last[0] = {}
    while true do
      local message = q:receive(0, 0)
      if not message then break end
      local s, n = message:match("^(%d+):(%d+):")
      assert.equal(body(tonumber(s), tonumber(n)), message)
      note(0, tonumber(s), tonumber(n))
    end
    assert.equal(0, q:stat().bytes)
    local missing = 0
    for s = 1, SENDERS do
      for n in pairs(accepted[s]) do if not got[s][n] then missing = missing + 1 end end
    end
    assert.is_true(missing <= deaths, ("%d lost, %d receivers died"):format(missing, deaths))
    assert.is_true(total > KILLS)
    assert.is_true(q:send(1, ("x"):rep(20000), 0)) -- all of it is free
    q:remove()
  end)
end)
