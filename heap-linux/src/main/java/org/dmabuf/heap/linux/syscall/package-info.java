// SPDX-License-Identifier: Apache-2.0
/** System calls with the kernel's own results, behind an interface that a test can replace. */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.syscall;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
