// SPDX-License-Identifier: Apache-2.0
/** Unix sockets that pass descriptors between processes, and the checks of the peers. */
@Export
@Version("1.3.0")
package org.dmabuf.heap.linux.socket;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
