// SPDX-License-Identifier: Apache-2.0
/** Checks that the exported packages share. Not exported. */
package org.dmabuf.heap.value;
