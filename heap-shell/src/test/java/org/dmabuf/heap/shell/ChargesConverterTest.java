// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.felix.service.command.Converter;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.Errno;
import org.junit.jupiter.api.Test;

/** How what is charged looks in a terminal. */
class ChargesConverterTest {
    private final HeapConverter converter = new HeapConverter();

    private record Sums(
            String heap,
            String client,
            long liveBuffers,
            long liveBytes,
            long lingeringBuffers,
            long lingeringBytes,
            long peakBytes,
            OptionalLong limit,
            Map<Errno, Long> failures)
            implements UsageRecord {}

    private record Charged(
            String heap,
            String client,
            String name,
            long size,
            OptionalLong inode,
            int references,
            int mappings,
            int brackets,
            boolean exported,
            boolean lingering,
            Duration age,
            List<StackTraceElement> site)
            implements BufferRecord {}

    private static final Sums HEAP = new Sums(
            "system", "", 2, 8192, 1, 4096, 1 << 20, OptionalLong.of(1 << 30), Map.of(Errno.ENOMEM, 3L, Errno.EIO, 1L));
    private static final Sums CLIENT =
            new Sums("", "org.example.camera", 0, 0, 0, 0, 0, OptionalLong.empty(), Map.of());
    private static final Charged LIVE = new Charged(
            "system",
            "org.example.camera",
            "frame",
            12_582_912,
            OptionalLong.of(77),
            2,
            1,
            1,
            true,
            false,
            Duration.ofSeconds(59),
            List.of(new StackTraceElement("org.example.Camera", "grab", "Camera.java", 7)));
    private static final Charged LINGERING = new Charged(
            "system",
            "org.example.camera",
            "",
            4096,
            OptionalLong.empty(),
            0,
            0,
            0,
            true,
            true,
            Duration.ofHours(25),
            List.of());

    private String printed(Object target, int level) {
        CharSequence text = converter.format(target, level, null);
        return text == null ? null : text.toString();
    }

    @Test
    void what_is_charged_is_a_table_with_failures_by_cause() {
        assertEquals(
                """
                HEAP    BUNDLE              BUFFERS     LIVE  LINGERING     PEAK  QUOTA  FAILURES
                system  -                         3    8 KiB      4 KiB    1 MiB  1 GiB  1 EIO, 3 ENOMEM
                -       org.example.camera        0  0 bytes    0 bytes  0 bytes      -  -""",
                printed(List.of(HEAP, CLIENT), Converter.INSPECT));
    }

    @Test
    void what_is_charged_to_one_is_a_name_and_a_size_in_a_line() {
        assertEquals("system: 12 KiB", printed(HEAP, Converter.LINE));
        assertEquals("org.example.camera: 0 bytes", printed(CLIENT, Converter.LINE));
    }

    @Test
    void a_dump_tells_who_holds_each_buffer_and_where_it_came_from() {
        assertEquals(
                """
                HEAP    BUNDLE              NAME     SIZE  INODE  REFERENCES  MAPPINGS  BRACKETS  STATE       AGE  \
                ALLOCATED AT
                system  org.example.camera  frame  12 MiB     77           2         1         1  exported   59 s  \
                org.example.Camera.grab(Camera.java:7)
                system  org.example.camera  -       4 KiB      -           0         0         0  lingering   1 d  -""",
                printed(List.of(LIVE, LINGERING), Converter.INSPECT));
        assertEquals("frame", printed(LIVE, Converter.LINE));
    }
}
