// SPDX-License-Identifier: Apache-2.0
/**
 * Linux for heaps: system calls by the Foreign Function and Memory API, sources of memory, and ready-made buffers. The
 * only package of this project that links native functions. A vendor's heap commonly is a source from here with a
 * configuration.
 */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
