// SPDX-License-Identifier: Apache-2.0
/**
 * Sources of memory, each a complete exporter: the kernel's heaps, udmabuf, and memfds. A vendor's heap commonly
 * combines one of them with a configuration.
 */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.source;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
