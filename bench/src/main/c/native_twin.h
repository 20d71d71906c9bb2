// SPDX-License-Identifier: Apache-2.0
#ifndef NATIVE_TWIN_H
#define NATIVE_TWIN_H

#include <stdbool.h>

// Starts an agent and a gateway in C, which end with this process, and installs the filter. From then on every ioctl
// of an allocation is that of a node.
void twin_start(int (*make)(void));

// Allocates over a socket of that gateway. Returns a descriptor.
int twin_allocate(void);

#endif
