// SPDX-License-Identifier: Apache-2.0
/** Sources that hand out ranges of one region: reserved when the heap starts, or standing for contiguous memory. */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.region;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
