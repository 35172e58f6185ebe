# SPDX-License-Identifier: MIT
# disk.lua for Python: SQLite, each row a transaction that is on the disk when it is done. Prints ns per row.
import os
import shutil
import sqlite3
import tempfile
import time

folder = tempfile.mkdtemp(dir="/tmp")
db = sqlite3.connect(os.path.join(folder, "db"), isolation_level=None)
db.execute("pragma journal_mode = wal")
db.execute("pragma synchronous = full")
db.execute("create table data (name text primary key, value blob) without rowid")
value, rows, start = b"x" * 100, 0, time.perf_counter_ns()
while time.perf_counter_ns() - start < 1e9:
    db.execute("insert into data values (?, ?)", ("1.%08d" % rows, value))
    rows += 1
print((time.perf_counter_ns() - start) / rows)
shutil.rmtree(folder)
