// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel.selftest;

/** For kernel/test, which sees to it that a run without a test fails. By its name it is no part of the suite. */
class Empty {}
