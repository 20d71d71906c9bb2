// SPDX-License-Identifier: Apache-2.0
/**
 * A broker for the unit tests of clients: pure Java, on any system, without a framework.
 * {@link org.dmabuf.heap.testing.InMemoryBroker} is the start.
 *
 * <p>It implements interfaces that only providers implement. So this bundle imports {@code org.dmabuf.heap} with a
 * provider's range, which ends before the next minor version, and is released together with heap-api.
 */
@Export
@Version("1.0.0")
package org.dmabuf.heap.testing;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
