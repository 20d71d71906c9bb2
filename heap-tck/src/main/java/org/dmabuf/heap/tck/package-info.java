// SPDX-License-Identifier: Apache-2.0
/**
 * Test kit of the heap contract: the behaviour on which brokers and clients rely. Its cases run against any
 * {@link org.dmabuf.heap.spi.HeapExporter}, of this project or of a vendor, with or without a test framework.
 *
 * <pre>{@code
 * @TestFactory
 * Stream<DynamicTest> contract() {
 *     return HeapContract.of(exporter, properties).cases().stream()
 *             .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
 *                 Assumptions.assumeTrue(c.skipReason().isEmpty(), () -> c.skipReason().get());
 *                 c.run();
 *             }));
 * }
 * }</pre>
 *
 * <p>{@link org.dmabuf.heap.tck.Announced}, {@link org.dmabuf.heap.tck.ProcessState} and
 * {@link org.dmabuf.heap.tck.FaultySyscalls} are helpers for a heap's own tests.
 */
@Export
@Version("1.2.0")
package org.dmabuf.heap.tck;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
