-- SPDX-License-Identifier: MIT
-- A handle that could not be sent for want of a descriptor was "cannot wait: Too many open files": nothing named the
-- channel, and no wait was meant. As a case of a select it was true, and an empty message went out in its place.

local homes = require "spec.support.homes"

for _, home in ipairs(homes) do
  it("a send_handle without a descriptor names the channel, in " .. home.name, function()
    local output, status, errors = home.run([[
      local a, b = ipc.stream_channel_pair()
      local file = io.open "/dev/null"
      local files = {}
      for other in function() return io.open "/dev/null" end do files[#files + 1] = other end -- none is garbage
      print(a:send_handle(file))
      print(a:send_handle(file, 0))
      print(ipc.select({send = {a, "send_handle", file}}, 0))
      for _, other in ipairs(files) do other:close() end
      print(a:send_handle(file))
      print(b:receive_handle(20) ~= nil)]], "sh -c 'ulimit -n 40; exec \"$@\"' sh")
    local failure = "nil\tchannel: Too many open files (ulimit -n)\t24\n"
    assert.same({failure .. failure .. "send\t" .. failure .. "true\ntrue\n", "exit 0", ""}, {output, status, errors})
  end)
end
