/* SPDX-License-Identifier: MIT
 *
 * Prints the key of a file and a project.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>

int main(int argc, char **argv)
{
	return argc != 3 || printf("%d", ftok(argv[1], atoi(argv[2]))) < 0;
}
