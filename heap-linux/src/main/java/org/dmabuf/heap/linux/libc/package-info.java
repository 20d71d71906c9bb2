// SPDX-License-Identifier: Apache-2.0
/** Functions of the C library. No other package of the product links native code. */
package org.dmabuf.heap.linux.libc;
