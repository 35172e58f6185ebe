/* SPDX-License-Identifier: MIT
 *
 * Options of disk objects, see options.h. Floor 2.
 */
#include "engines/disk/options.h"
#include "base/reason.h"

#include <errno.h>

int il_disk_check_options(unsigned mode, enum il_sync sync)
{
	if (mode & 077)
		return il_because(EINVAL, "mode=%04o: a folder on a disk is for its owner alone", mode);
	return sync == IL_SYNC_SOON ? il_because(ENOTSUP, "sync=\"soon\" is not offered") : 0;
}
