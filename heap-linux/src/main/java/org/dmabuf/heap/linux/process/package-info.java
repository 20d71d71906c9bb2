// SPDX-License-Identifier: Apache-2.0
/**
 * Descriptors and mappings of all processes, as {@code /proc} shows them. The package is for the bundles that show the
 * holders of memory; an import needs {@code scope=holders}.
 */
@Export(attribute = {"scope=holders", "mandatory:=scope"})
@Version("1.0.0")
package org.dmabuf.heap.linux.process;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
