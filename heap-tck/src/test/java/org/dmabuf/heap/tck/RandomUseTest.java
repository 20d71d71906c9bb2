// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import org.dmabuf.heap.linux.PlainSource;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests that use every source without a device at random. */
class RandomUseTest {
    @ParameterizedTest
    @EnumSource(PlainSource.class)
    void random_use_with_faults_returns_every_descriptor_mapping_byte_and_thread(PlainSource source) {
        new RandomUse(source.largest, source).run(source.name());
    }
}
