// SPDX-License-Identifier: Apache-2.0
/** Daemon threads that go on after a failed step, and a log that never throws. */
package org.dmabuf.heap.linux.daemon;
