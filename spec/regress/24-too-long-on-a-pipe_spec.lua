-- SPDX-License-Identifier: MIT
-- A line that was too long was said to close the channel. A socket it did close; of a pipe the descriptor stayed
-- open, and a program that went on printing waited for ever for a reader.

local ipc = require "ipc"

local EMSGSIZE <const>, PATIENCE <const> = 90, 20

describe("a line that is too long, on a pipe", function()
  it("closes the pipe, so that a process that writes there ends", function()
    local yes <close> = assert(ipc.process {"sh", "-c", "yes | tr -d '\\n'", stdout = "pipe", max_message = 100})
    local message, why, errno = yes.stdout:receive(PATIENCE)
    assert.same({nil, EMSGSIZE}, {message, errno})
    assert.matches("over this channel's limit of 100 bytes %(max_message%), the channel is closed", why)
    assert.same({nil, "closed"}, {yes.stdout:receive(0)})
    assert.matches("closed", tostring(yes.stdout))
    assert.error_matches(function() yes.stdout:fileno() end, "no descriptor any more")
    assert.is_string((select(2, yes:wait(PATIENCE)))) -- SIGPIPE, or an exit code for it
    assert.not_equal("timeout", (select(2, yes:wait(0))))
  end)
end)
