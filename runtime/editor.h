/* SPDX-License-Identifier: MIT
 *
 * Editing of lines on the terminal, with a history in ~/.ipclua_history. Floor 5.
 */
#ifndef IL_EDITOR_H
#define IL_EDITOR_H

#include <stdbool.h>

/* False where standard input is no terminal or there is no libedit: read plainly. May be called again. */
bool il_editor_open(void);

/* Shows the prompt and reads a line, which the caller frees; NULL at the end of the input. wait(arg) returns when a
 * byte is there; false from it drops the line, and is returned. Meanwhile the terminal is the editor's. */
bool il_editor_line(const char *prompt, bool (*wait)(void *arg), void *arg, char **line);

/* Adds to the history; does nothing without an editor. */
void il_editor_remember(const char *line);

#endif
