// SPDX-License-Identifier: Apache-2.0
/** Parts of a heap's OSGi component: settings, choice of a back end, start and registration. */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.component;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
