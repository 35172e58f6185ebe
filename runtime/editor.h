/* SPDX-License-Identifier: MIT
 *
 * Editing of lines on the terminal, with a history in ~/.ipclua_history. Floor 5.
 */
#ifndef IL_EDITOR_H
#define IL_EDITOR_H

#include <stdbool.h>

/* False where standard input is no terminal or there is no libedit: read plainly. May be called again. */
bool il_editor_open(void);

/* Shows the prompt; the terminal is the editor's until the line is complete, or il_editor_end drops it. */
void il_editor_begin(const char *prompt);
void il_editor_end(void);

/* Standard input is readable. True: the line is complete; the caller frees it; NULL at the end of the input. */
bool il_editor_step(char **line);

/* Adds to the history; does nothing without an editor. */
void il_editor_remember(const char *line);

#endif
