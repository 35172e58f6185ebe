-- SPDX-License-Identifier: MIT
-- Files that look like boards of processes made ipc.explain() wait for ever (a pipe), go round for ever (records that
-- lead to each other) or take all memory (a file of 20 GB).

local ipc = require "ipc"

local RECORD <const>, HEAD <const> = 320, 320

local function record(kind, next)
  return (("<I4 B B I2 I4 I4 i8 i8 i8 I8 i8"):pack(2, kind, 0, 0, next, 7, 0, 1, 0, 99, 0) .. ("\0"):rep(RECORD))
    :sub(1, RECORD)
end

describe("what is named like a board", function()
  local child, path
  before_each(function()
    child = ipc.process(function(channel) channel:receive() end)
    path = ("/dev/shm/ipclua.board.%d.5"):format(child.pid)
  end)
  after_each(function()
    child:close()
    os.remove(path)
  end)

  it("is not waited for: a pipe", function()
    assert(os.execute("mkfifo " .. path))
    assert.is_table(ipc.explain())
  end)

  it("is read once: records that lead to each other", function()
    local file <close> = assert(io.open(path, "wb"))
    local head = ("<c8 I4 I4 I4 I4 i4 I4 I8 I8 i8 I8"):pack("ipcboard", 1, HEAD, RECORD, 0xffffffff, child.pid, 0, 5, 0,
      0, 0)
    file:write((head .. ("\0"):rep(HEAD)):sub(1, HEAD), record(1, 2), record(3, 2))
    file:flush()
    assert.is_table(ipc.explain())
  end)

  it("is read up to the largest board", function()
    assert(os.execute("truncate -s 20G " .. path))
    local before = collectgarbage("count")
    assert.is_table(ipc.explain())
    assert.is_true(collectgarbage("count") - before < 100 * 1024)
  end)
end)
