// SPDX-License-Identifier: Apache-2.0
/** Sizes, foreign text and misspelt names as messages show them. */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.text;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
