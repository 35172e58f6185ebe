-- SPDX-License-Identifier: MIT
-- Ctrl-C while the main chunk decoded a message was taken for an error of the message: receive said "cannot decode",
-- and the program went on. A loop that receives much could not be ended.

local homes = require "spec.support.homes"

local PRELUDE <const> = [[
  local signal, pid = ipc.signal("INT"), ipc.pid()
  local function interrupt() signal:dispatch(pid) for _ = 1, 1e9 do end end
  local codec = {encode = tostring, decode = interrupt}
]]

local receivers = {
  ["a queue"] = "local q = ipc.queue(ipc.private, {codec = codec}) q:send(1, 1) print(q:receive())",
  ["a queue in a select"] = "local q = ipc.queue(ipc.private, {codec = codec}) q:send(1, 1) print(ipc.select{q})",
  ["a channel"] = "local a, b = ipc.stream_channel_pair{codec = codec} a:send(1) print(b:receive())",
  ["a loop over messages"] =
    "local a, b = ipc.stream_channel_pair{codec = codec} a:send(1) for m in b:messages() do print(m) end",
  ["a hub"] = [[
    local hub = ipc.multi_stream_channel{codec = codec}
    local client = hub:create_client()
    client:send(1)
    print(hub:receive())]],
  ["shared data"] = "local d = ipc.shared_data(ipc.private, {codec = codec}) d:set('a', 1) print(d:get('a'))",
  ["JSON"] = [[
    local q, list = ipc.queue(ipc.private), {}
    for i = 1, 1000 do list[i] = {i} end
    ipc.process(function() signal:dispatch(pid) end)
    while true do
      q:send(1, list)
      local message, why = q:receive()
      if not message then print(why) end
    end]],
}

describe("an interrupt while a message is decoded", function()
  for _, home in ipairs(homes) do
    for receiver, program in pairs(receivers) do
      it("ends the program: " .. receiver .. ", in " .. home.name, function()
        local output, status, errors = home.run(PRELUDE .. program)
        assert.equal("", output)
        assert.equal(home.name == "lua5.4" and "exit 1" or "exit 130", status, errors)
        assert.matches("interrupted", errors, 1, true)
      end)
    end
  end

  it("ends the main chunk when it is a task that decodes", function()
    local output, status = homes[1].run(PRELUDE .. [[
      local q = ipc.queue(ipc.private, {codec = codec})
      q:send(1, 1)
      print(ipc.task(q.receive, q):join())]])
    assert.equal("", output)
    assert.equal("exit 130", status)
  end)
end)
