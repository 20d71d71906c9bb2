// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AttributionTest {
    private static final FileId FRAME = new FileId(13, 77);
    private static final DmaBufFacts FACTS = new DmaBufFacts(77, 8192, 5, "system", "frame");
    private static final ProcessFiles.Open OPEN = new ProcessFiles.Open(FRAME, 3, Optional.of(FACTS));
    private static final ProcessFiles.Mapped MAPPED = new ProcessFiles.Mapped(FRAME, true, 4096);

    private static Map<FileId, SharedFile> files(Set<FileId> wanted, ProcessFiles... processes) {
        return new Attribution(wanted, List.of(processes), List.of()).files();
    }

    @Test
    void descriptors_and_mappings_are_attributed_and_the_rest_of_the_count_is_not() {
        SharedFile frame = files(
                        Set.of(),
                        new ProcessFiles(9, "display", List.of(), List.of(MAPPED)),
                        new ProcessFiles(7, "camera", List.of(OPEN), List.of(MAPPED)))
                .get(FRAME);
        assertEquals(
                List.of(
                        "process 7 camera, descriptors [3], mappings 1",
                        "process 9 display, descriptors [], mappings 1"),
                frame.holders().stream().map(Holder::toString).toList());
        assertEquals(2, frame.unattributed());
        assertEquals(4096, frame.holders().getFirst().mappedBytes());
    }

    @Test
    void the_uses_of_one_process_are_summed_and_its_descriptors_are_in_order() {
        ProcessFiles.Open later = new ProcessFiles.Open(FRAME, 2, Optional.of(FACTS));
        SharedFile frame = files(
                        Set.of(),
                        new ProcessFiles(
                                7, "camera", List.of(OPEN, later, OPEN, later), List.of(MAPPED, MAPPED, MAPPED)))
                .get(FRAME);
        Holder camera = frame.holders().getFirst();
        assertEquals(List.of(2, 2, 3, 3), camera.descriptors());
        assertEquals(3, camera.mappings());
        assertEquals(3 * 4096, camera.mappedBytes());
        assertEquals(0, frame.unattributed()); // the kernel counted before the process mapped it again
    }

    @Test
    void a_mapped_dma_buf_is_known_without_any_descriptor_and_has_no_figures() {
        SharedFile frame = files(Set.of(), new ProcessFiles(9, "display", List.of(), List.of(MAPPED)))
                .get(FRAME);
        assertEquals(1, frame.holders().size());
        assertEquals(Optional.empty(), frame.exporter());
        assertEquals(
                Optional.empty(),
                SharedFile.ofDmaBuf(13, 77, 1, 1, "system", "", List.of()).name());
    }

    @Test
    void a_file_that_only_has_the_name_of_a_dma_buf_is_left_out() {
        FileId forged = new FileId(99, 77);
        ProcessFiles hostile =
                new ProcessFiles(9, "hostile", List.of(), List.of(new ProcessFiles.Mapped(forged, true, 4096)));
        assertEquals(
                Set.of(FRAME),
                files(Set.of(), new ProcessFiles(7, "camera", List.of(OPEN), List.of()), hostile)
                        .keySet());
    }

    @Test
    void a_dma_buf_without_a_process_is_known_from_the_kernels_list_only() {
        DmaBufFacts hidden = new DmaBufFacts(78, 4096, 2, "udmabuf", "");
        Map<FileId, SharedFile> files = new Attribution(
                        Set.of(),
                        List.of(new ProcessFiles(7, "camera", List.of(OPEN), List.of())),
                        List.of(FACTS, hidden))
                .files();
        assertEquals(2, files.size());
        SharedFile shown = files.get(new FileId(-1, 78));
        assertEquals(List.of(), shown.holders());
        assertEquals(2, shown.unattributed());
    }

    @Test
    void a_memfd_with_the_inode_of_a_listed_dma_buf_is_another_file() {
        FileId memfd = new FileId(1, 77);
        Map<FileId, SharedFile> files = new Attribution(
                        Set.of(memfd),
                        List.of(new ProcessFiles(
                                7, "camera", List.of(new ProcessFiles.Open(memfd, 3, Optional.empty())), List.of())),
                        List.of(FACTS))
                .files();
        assertEquals(Optional.empty(), files.get(memfd).exporter());
        assertEquals(2, files.size());
    }
}
