-- SPDX-License-Identifier: MIT
-- The floor below Lua by itself: who waits for a slot and who changes it never miss each other.

describe("the slots of shared memory", function()
  it("have no order of steps in which a change is missed", function()
    local program = os.tmpname()
    local build = ("cc -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=address,undefined -Iruntime -o %s "
      .. "spec/support/slots_test.c runtime/loop/*.c runtime/base/*.c -lm -lpthread 2>&1"):format(program)
    local pipe = assert(io.popen(build .. " && timeout 60 " .. program .. " 2>&1"))
    local output = pipe:read("a")
    pipe:close()
    os.remove(program)
    assert.equal("ok\n", output)
  end)
end)
