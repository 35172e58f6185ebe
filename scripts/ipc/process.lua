-- SPDX-License-Identifier: MIT
-- How a child is closed: asked to end, and after a grace time made to.

local _, core = ...

local function close(child)
  if core.ended(child) then return end
  child.channel:close()
  child:signal("TERM")
  core.reap(child, false)
  if core.ended(child) then return end
  child:signal("KILL")
  core.reap(child, true)
end

return {close = close}
