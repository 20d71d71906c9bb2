// SPDX-License-Identifier: Apache-2.0
/** File descriptors with an owner, their duplicates and their mappings. */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.fd;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
