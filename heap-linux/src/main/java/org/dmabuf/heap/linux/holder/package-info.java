// SPDX-License-Identifier: Apache-2.0
/**
 * Tracking of exported memory until its last holder is gone. A holder is a descriptor, a mapping, a message in flight
 * or an import into a device. The package is for the broker, which charges such memory; an import needs
 * {@code scope=broker}.
 */
@Export(attribute = {"scope=broker", "mandatory:=scope"})
@Version("1.0.0")
package org.dmabuf.heap.linux.holder;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
