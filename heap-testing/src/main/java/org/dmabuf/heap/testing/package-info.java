// SPDX-License-Identifier: Apache-2.0
/**
 * Broker for the unit tests of clients, in pure Java, for any system, without a framework. Start with
 * {@link org.dmabuf.heap.testing.InMemoryBroker}.
 *
 * <p>The package implements provider interfaces. Its bundle therefore imports {@code org.dmabuf.heap} with a provider's
 * version range, which ends before the next minor version, and is released together with heap-api.
 */
@Export
@Version("1.2.0")
package org.dmabuf.heap.testing;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
