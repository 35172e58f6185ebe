-- SPDX-License-Identifier: MIT
-- One delivery of a signal to the listeners of one handler: newest first; one that returns true ends it; one that
-- fails is reported and does not keep the signal from the others.

local _, core = ...

local traceback = debug.traceback

local function describe(err)
  if err == "cancelled" then return err end
  return traceback(type(err) == "string" and err or tostring(err), 2)
end

local function deliver(listeners, info)
  for i = #listeners, 1, -1 do
    local ok, stop = xpcall(listeners[i], describe, info)
    if not ok then
      if stop == "cancelled" then error(stop, 0) end
      core.report("listener of SIG" .. info.name .. ": " .. stop)
    elseif stop == true then
      return
    end
  end
end

return {deliver = deliver}
