/* SPDX-License-Identifier: MIT
 *
 * The list of classes. Each has a file of bindings/, whose function registers it, and adds its constructors and
 * functions to the table at the top of the stack.
 * Floor 4.
 */
#ifndef IL_CLASSES_H
#define IL_CLASSES_H

#include <lua.h>

void il_task_open(lua_State *L);
void il_board_open(lua_State *L);
void il_timer_open(lua_State *L);
void il_signal_open(lua_State *L);
void il_signal_handler_open(lua_State *L);
void il_signal_trap_open(lua_State *L);
void il_stream_channel_open(lua_State *L);
void il_multi_stream_channel_open(lua_State *L);
void il_process_open(lua_State *L);
void il_key_open(lua_State *L);
void il_guard_open(lua_State *L);
void il_semaphore_open(lua_State *L);
void il_mutex_open(lua_State *L);
void il_file_lock_open(lua_State *L);
void il_queue_open(lua_State *L);
void il_shared_memory_open(lua_State *L);
void il_shared_data_open(lua_State *L);

#endif
