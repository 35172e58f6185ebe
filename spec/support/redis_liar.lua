-- SPDX-License-Identifier: MIT
-- What stands in front of a redis_process and does not tell the truth (peers/redis_liar.py has its orders):
--   local liar <close> = redis_liar(server)
--   server:key("name", liar.path)  liar:ask("mute")

local peer = require "spec.support.peer"

local liar = {}
liar.__index = liar

function liar:ask(order) return self.peer:ask(order) end

function liar:close()
  if not self.peer then return end
  self.peer:close()
  self.peer = nil
end

liar.__close = liar.close

return function(server)
  local path = os.tmpname()
  os.remove(path)
  return setmetatable({path = path, peer = peer.start("redis_liar.py", path, server.folder .. "/socket")}, liar)
end
