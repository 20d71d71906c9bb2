// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel.selftest;

/** A class without tests for kernel/test, which checks that such a run fails. Its name excludes it from the suite. */
class Empty {}
