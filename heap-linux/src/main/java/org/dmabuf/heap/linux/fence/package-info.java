// SPDX-License-Identifier: Apache-2.0
/**
 * Waits for devices that use a dma-buf, by the fences that the kernel shows as sync_files. The package is for the
 * broker; an import needs {@code scope=broker}.
 */
@Export(attribute = {"scope=broker", "mandatory:=scope"})
@Version("1.0.0")
package org.dmabuf.heap.linux.fence;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
