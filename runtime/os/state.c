/* SPDX-License-Identifier: MIT
 *
 * The state of the floor, see state.h. Floor 1b.
 */
#include "os/state.h"

void il_os_init(void)
{
	struct il_os *os = il_os();
	if (os->children.next)
		return;
	il_list_init(&os->children);
	il_list_init(&os->watches);
}
