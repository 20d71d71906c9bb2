// SPDX-License-Identifier: Apache-2.0
/** Account of the memory that the machine has left. Every heap that takes fresh memory reserves it here first. */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.headroom;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
