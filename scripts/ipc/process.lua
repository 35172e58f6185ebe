-- SPDX-License-Identifier: MIT
-- How a child is closed: asked to end, and after a grace time made to.

local _, core = ...

local function close_all(...)
  for i = 1, select("#", ...) do
    local channel = select(i, ...)
    if channel then channel:close() end
  end
end

-- What a program still says on being asked to end must not kill it: its output is closed afterwards.
local function close(child)
  if not core.ended(child) then
    close_all(child.channel, child.stdin)
    child:signal("TERM")
    core.reap(child, false)
  end
  if not core.ended(child) then
    child:signal("KILL")
    core.reap(child, true)
  end
  close_all(child.stdin, child.stdout, child.stderr)
end

return {close = close}
