// SPDX-License-Identifier: Apache-2.0
/** Page of the Felix Web Console about heaps, and the login of the console. */
package org.dmabuf.heap.console;
