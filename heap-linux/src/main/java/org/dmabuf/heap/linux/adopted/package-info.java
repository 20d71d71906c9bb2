// SPDX-License-Identifier: Apache-2.0
/**
 * Adopted memory: memory that another process made and sent. The package is for the broker, which imports it with
 * {@code scope=broker}.
 */
@Export(attribute = {"scope=broker", "mandatory:=scope"})
@Version("1.0.0")
package org.dmabuf.heap.linux.adopted;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
