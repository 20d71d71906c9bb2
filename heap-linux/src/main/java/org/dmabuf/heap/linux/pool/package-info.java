// SPDX-License-Identifier: Apache-2.0
/** Source with pools: prewarmed buffers, made ahead of demand, and recycled memory. */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.pool;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
