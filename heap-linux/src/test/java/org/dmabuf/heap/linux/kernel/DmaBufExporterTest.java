// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the conclusions from a dma-buf's exporter name. The suite on a real kernel reads such names. */
class DmaBufExporterTest {
    @ParameterizedTest
    @ValueSource(strings = {"udmabuf", "system", "videobuf2_vmalloc", "videobuf2_dma_contig", "videobuf2_dma_sg"})
    void exporters_that_create_all_pages_at_once_are_recognised(String name) {
        assertTrue(new DmaBufExporter(name).makesAllPages());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "drm", "i915", "amdgpu", "no-heap-of-this-machine"})
    void no_other_exporter_is_recognised_as_one(String name) {
        assertFalse(new DmaBufExporter(name).makesAllPages());
    }

    @Test
    void a_descriptor_of_anything_else_has_no_exporter() {
        try (OwnedFd file = OwnedFd.of(Syscalls.linux().open("/dev/null", 0), Syscalls.linux()::close)) {
            assertEquals(DmaBufExporter.UNKNOWN, DmaBufExporter.of(file.fd()));
            assertTrue(DmaBufExporter.UNKNOWN.canBeUdmabuf());
        }
    }
}
