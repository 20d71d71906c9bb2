// SPDX-License-Identifier: Apache-2.0
/** Texts for messages: sizes, escaped foreign text, and suggestions for misspelt names. */
@Export
@Version("1.1.0")
package org.dmabuf.heap.linux.text;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
