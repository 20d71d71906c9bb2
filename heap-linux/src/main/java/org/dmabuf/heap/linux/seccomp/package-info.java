// SPDX-License-Identifier: Apache-2.0
/** Listeners of seccomp(2), and the memory and descriptors of the processes whose system calls they receive. */
package org.dmabuf.heap.linux.seccomp;
