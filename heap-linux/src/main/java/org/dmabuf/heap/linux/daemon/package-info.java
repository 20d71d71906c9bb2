// SPDX-License-Identifier: Apache-2.0
/** Daemon threads that outlive a failed step, and a log that never fails its caller. */
package org.dmabuf.heap.linux.daemon;
