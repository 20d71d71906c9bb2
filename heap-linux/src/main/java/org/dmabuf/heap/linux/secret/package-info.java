// SPDX-License-Identifier: Apache-2.0
/** Source of secret memory, which only processes with a mapping can read. */
@Export
@Version("1.0.0")
package org.dmabuf.heap.linux.secret;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
