// SPDX-License-Identifier: Apache-2.0
/** Parts of a heap's OSGi component: its settings, its back ends, its start and its registration. */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.component;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
