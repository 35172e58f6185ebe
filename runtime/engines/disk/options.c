/* SPDX-License-Identifier: MIT
 *
 * Options of disk objects, see options.h. Floor 2.
 */
#include "engines/disk/options.h"
#include "base/reason.h"

#include <errno.h>

int il_disk_check_options(unsigned mode)
{
	if (mode & 077)
		return il_because(EINVAL, "mode=%04o: a folder on a disk is for its owner alone", mode);
	return 0;
}
