-- SPDX-License-Identifier: MIT
-- The floor below Lua by itself: the pool of threads, built with ThreadSanitizer and with AddressSanitizer.

describe("the pool of threads", function()
  for _, sanitizer in ipairs{"thread", "address,undefined"} do
    it("ends every job exactly once under " .. sanitizer, function()
      local program = os.tmpname()
      local build = ("cc -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=%s -Iruntime -o %s spec/support/pool_test.c "
        .. "runtime/loop/*.c runtime/base/*.c -lm -lpthread 2>&1"):format(sanitizer, program)
      local steady = os.execute("setarch -R true 2>/dev/null") and "setarch -R " or ""
      local pipe = assert(io.popen(build .. " && timeout 60 " .. steady .. program .. " 2>&1"))
      local output = pipe:read("a")
      pipe:close()
      os.remove(program)
      assert.equal("ok\n", output)
    end)
  end
end)
