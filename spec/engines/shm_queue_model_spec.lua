-- SPDX-License-Identifier: MIT
-- A queue in shared memory against a list in Lua: whatever is sent and taken, in which order and of which types,
-- also when it is full and its space is in pieces, both have the same messages.

local ipc = require "ipc"

local CAPACITY <const> = 20000
local STEPS <const> = os.getenv "IPC_SANITIZE" and 5000 or 20000

-- The message that receive(wanted) has to take.
local function place_of(model, wanted)
  local best
  for i, message in ipairs(model) do
    local type = message.type
    if wanted == 0 or type == wanted then return i end
    if wanted < 0 and type <= -wanted and not (best and model[best].type <= type) then best = i end
  end
  return best
end

local function send(q, model, n)
  local size = math.random(10) == 1 and math.random(0, 5000) or math.random(0, 200)
  local message = {type = math.random(4), body = ("%d:%s"):format(n, string.char(97 + n % 26):rep(size))}
  if q:send(message.type, message.body, 0) then
    model[#model + 1] = message
    model.bytes = model.bytes + #message.body
  elseif #model < 50 then -- not more than that begin a run of their own where they waste space
    assert.is_true(model.bytes + #message.body > CAPACITY)
  end
end

local function receive(q, model)
  local wanted = math.random(-4, 4)
  local place = place_of(model, wanted)
  local body, type = q:receive(wanted, 0)
  if not place then return assert.is_nil(body) end
  local message = table.remove(model, place)
  model.bytes = model.bytes - #message.body
  assert.are.equal(message.body, body)
  assert.are.equal(message.type, type)
end

describe("a queue in shared memory", function()
  it("has the messages that a list would have", function()
    local q <close> = ipc.queue(ipc.private, {capacity = CAPACITY, codec = "raw"})
    local model = {bytes = 0}
    math.randomseed(11)
    for n = 1, STEPS do
      if math.random(2) == 1 then send(q, model, n) else receive(q, model) end
      if n % 100 == 0 then
        local stat = q:stat()
        assert.are.equal(#model, stat.messages)
        assert.are.equal(model.bytes, stat.bytes)
      end
    end
  end)
end)
