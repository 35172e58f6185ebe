-- SPDX-License-Identifier: MIT
-- One direction of a pair of connected channels. Now and then a message is so large that sending has to wait.

local ipc = require "ipc"
local Messages = require "spec.model.messages"

local SIZES <const> = {0, 10, 10, 100, 1000, 1000, 60000}
local PATIENCE <const> = 20

local Channel = Messages.class()

function Channel:send(_, message, timeout) return self.from:send(message.text, timeout) end
function Channel:receive(_, _, timeout) return self.to:receive(timeout) end
function Channel:send_choice(_, message) return {self.from, "send", message.text} end
function Channel:receive_choice() return {self.to, "receive"} end

-- How much the system takes is its own affair.
function Channel:has_room() return self:count(0) == 0 end

function Channel:send_of(op) return self:send_case(nil, 1, SIZES[op[4] % #SIZES + 1]) end
function Channel:receive_of() return self:receive_case(nil, 0) end

-- The other direction is finished when both are closed.
function Channel:finish(flow)
  assert(self.from:shutdown())
  self:drain(flow, function() return self.to:receive(PATIENCE) end)
  self.to:shutdown()
end

-- Both directions.
function Channel.pair(world, name)
  local a, b = assert(ipc.stream_channel_pair{codec = "raw"})
  local function direction(from, to, arrow)
    local self = setmetatable({world = world, name = name .. arrow, from = from, to = to}, Channel)
    self:clear()
    return self
  end
  return direction(a, b, ">"), direction(b, a, "<")
end

return Channel
