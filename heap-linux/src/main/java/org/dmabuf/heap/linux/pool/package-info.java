// SPDX-License-Identifier: Apache-2.0
/** Source with memory kept for speed: buffers made ahead of demand, and memory that is used again. */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.pool;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
