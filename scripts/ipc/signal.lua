-- SPDX-License-Identifier: MIT
-- One delivery of a signal to the listeners of one handler: newest first; one that returns true ends it; one that
-- fails is reported and does not keep the signal from the others.

local ipc, core = ...

local trace, cancelled = core.trace, ipc.cancelled

local function describe(err)
  if err == cancelled then return err end
  return trace(err)
end

local function deliver(listeners, info)
  for i = #listeners, 1, -1 do
    local ok, stop = xpcall(listeners[i], describe, info)
    if not ok and stop == cancelled then
      if core.is_asked() then error(stop, 0) end -- else the listener ended itself, and that is not the others' end
    elseif not ok then
      core.report("listener of SIG" .. info.name .. ": " .. stop)
    elseif stop == true then
      return
    end
  end
end

return {deliver = deliver}
