// SPDX-License-Identifier: Apache-2.0
/** Figures of the machine, the process and its cgroup: memory, huge pages, limits, and pressure. */
package org.dmabuf.heap.linux.machine;
