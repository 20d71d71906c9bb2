// SPDX-License-Identifier: Apache-2.0
/** Account of the machine's remaining memory. Every heap reserves new memory here before it allocates. */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.headroom;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
