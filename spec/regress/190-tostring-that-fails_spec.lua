-- SPDX-License-Identifier: MIT
-- A child whose error is an object with a __tostring that fails showed that failure, and its traceback had the frames
-- of both: the error of the error was in its place. A listener did the same. They say now what a task does.

local homes = require "spec.support.homes"

local WAYS <const> = {
  task = "ipc.task(fails) ipc.yield()",
  process = "ipc.process(fails):wait()",
  listener = "ipc.signal('USR1'):handle(fails) ipc.signal('USR1'):dispatch(ipc.pid()) ipc.yield()",
}

for _, home in ipairs(homes) do
  describe("an error object whose __tostring fails, in " .. home.name, function()
    for what, code in pairs(WAYS) do
      it("is shown by its type, with one traceback, by a " .. what, function()
        local _, _, errors = home.run([[
          local object = setmetatable({}, {__tostring = function() error "no text" end})
          local function fails() error(object) end
          ]] .. code)
        assert.matches("^ipc: .*%(error object is a table value%)\nstack traceback:\n", errors)
        assert.not_matches("no text", errors)
        assert.equal(1, select(2, errors:gsub("in function 'error'", "")))
      end)
    end
  end)
end
