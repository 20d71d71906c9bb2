// SPDX-License-Identifier: Apache-2.0
/** Sources of buffers in one region, which is reserved when the heap starts or emulates contiguous memory. */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.region;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
