// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class DmaBufFactsTest {
    private static final String START = "pos:\t0\nflags:\t02000002\nmnt_id:\t14\nino:\t77\n";

    @Test
    void the_figures_of_a_descriptor_are_read() {
        assertEquals(
                Optional.of(new DmaBufFacts(77, 8192, 3, "system", "")),
                DmaBufFacts.ofFdinfo(START + "size:\t8192\ncount:\t3\nexp_name:\tsystem\n"));
        assertEquals(
                Optional.of(new DmaBufFacts(77, 8192, 3, "system", "frame")),
                DmaBufFacts.ofFdinfo(START + "size:\t8192\ncount:\t3\nexp_name:\tsystem\nname:\tframe\n"));
    }

    @Test
    void lines_that_a_holder_forged_in_the_name_are_a_part_of_the_name() {
        String name = "\u00e9\ncount:\t1\nexp_name:\tx\nino:\t1\n";
        String text = START + "size:\t1\ncount:\t3\nexp_name:\tsystem\nname:\t" + name + "\n";
        DmaBufFacts facts = DmaBufFacts.ofFdinfo(text).orElseThrow();
        assertEquals("system, 3, 77", facts.exporter() + ", " + facts.count() + ", " + facts.inode());
        assertEquals(name.replace('\u00e9', '\ufffd'), facts.name());
    }

    @Test
    void a_file_that_is_no_dma_buf_has_no_figures() {
        assertEquals(Optional.empty(), DmaBufFacts.ofFdinfo(START));
        assertEquals(Optional.empty(), DmaBufFacts.ofFdinfo(""));
    }

    @Test
    void a_line_of_the_kernels_list_is_read_and_a_name_cannot_forge_one() {
        String line = "00008192\t02000002\t00080007\t00000003\tsystem\t00000077\tframe";
        assertEquals(Optional.of(new DmaBufFacts(77, 8192, 3, "system", "frame")), DmaBufFacts.ofBufinfo(line));
        assertEquals(
                "",
                DmaBufFacts.ofBufinfo(line.replace("frame", "<none>"))
                        .orElseThrow()
                        .name());
        assertEquals(Optional.empty(), DmaBufFacts.ofBufinfo("\tAttached Devices:"));
        assertEquals(Optional.empty(), DmaBufFacts.ofBufinfo("Total 1 objects, 8192 bytes"));
        String longest = "1\t00000000\t00000000\t1\tx\t1"; // 26 of the 31 bytes that a name can have
        assertEquals(Optional.empty(), DmaBufFacts.ofBufinfo(longest));
    }
}
