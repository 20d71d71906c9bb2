// SPDX-License-Identifier: Apache-2.0
/**
 * Parts of a bundle that probes devices: the device's entry in sysfs, the kernel's counter of copies, and the memory of
 * outcomes. The ioctls of a class of devices are in the bundle.
 */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.probe;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
