// SPDX-License-Identifier: Apache-2.0
/**
 * Device nodes for bundles that make ioctls of their own, such as those of V4L2 and DRM. These bundles define the
 * layouts of the structs.
 */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.device;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
