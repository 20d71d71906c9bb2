// SPDX-License-Identifier: Apache-2.0
/**
 * The heap contract: what a broker and its clients rely on, as cases that run against any
 * {@link org.dmabuf.heap.spi.HeapExporter}, of this project or of a vendor, under any test framework or none.
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
 * {@link org.dmabuf.heap.tck.FaultySyscalls} serve the tests of one heap beside it.
 */
@Export
@Version("1.1.0")
package org.dmabuf.heap.tck;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
