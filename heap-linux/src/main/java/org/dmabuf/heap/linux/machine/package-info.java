// SPDX-License-Identifier: Apache-2.0
/** What this machine, this process and its cgroup have: memory, huge pages, limits, and pressure. */
package org.dmabuf.heap.linux.machine;
