-- SPDX-License-Identifier: MIT
-- `luarocks make` builds ipc.so, the host ipclua and ipctl with the Makefile and installs all into a tree.
rockspec_format = "3.0"
package = "ipclua"
version = "scm-1"

source = {
  url = "git+file://.", -- luarocks make builds the tree it stands in
}

description = {
  summary = "Everything Linux offers for processes to talk to each other, where every wait is a coroutine's wait",
  license = "MIT",
}

supported_platforms = {"linux"}

-- lua-cjson is needed at run time for JSON payloads, and is not listed: Debian's package provides it to Lua,
-- but luarocks would not see it there and fetch a second one from the network. Elsewhere:
-- luarocks install lua-cjson. LMDB (Debian: liblmdb-dev) is found by the Makefile, which links both products with
-- it; without it there is no shared data on this machine. Of OpenSSL 3 (libssl-dev) it needs the headers, for rediss://;
-- the library is loaded when it is needed.
dependencies = {
  "lua >= 5.4, < 5.5",
}

build = {
  type = "make",
  copy_directories = {}, -- `make install` puts the pages where their links lead somewhere
  build_target = "all",
  install_target = "install",
  build_variables = {
    BUILD = "build/rock", -- with other flags than a checkout's own `make`, which is to find its objects again
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
  install_variables = {
    BUILD = "build/rock",
    LUA = "$(LUA)",
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    PREFIX = "$(PREFIX)",
    BINDIR = "$(BINDIR)",
    LIBDIR = "$(LIBDIR)",
    DOCDIR = "$(PREFIX)/doc",
    TYPESDIR = "$(PREFIX)/types",
  },
}
