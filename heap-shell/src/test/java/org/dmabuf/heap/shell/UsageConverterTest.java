// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.felix.service.command.Converter;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.UsageRecord;
import org.junit.jupiter.api.Test;

/** How what is charged looks in a terminal. */
class UsageConverterTest {
    private final HeapConverter converter = new HeapConverter();

    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "file:camera.jar");
    private static final ClientId OTHER = ClientId.ofBundle("org.example.camera", "file:other.jar");

    private static final UsageRecord HEAP = UsageRecord.builder()
            .heap("system")
            .live(2, 8192)
            .lingering(1, 4096)
            .peak(1 << 20)
            .limit(OptionalLong.of(1 << 30))
            .allocated(70, 5L << 20)
            .waits(2, Duration.ofMillis(1500), Duration.ofNanos(1_200_000_001))
            .failures(Map.of(Errno.ENOMEM, 3L, Errno.EIO, 1L))
            .build();
    private static final UsageRecord CLIENT = UsageRecord.builder().client(CAMERA).build();
    private static final UsageRecord FOREIGN =
            UsageRecord.builder().client(ClientId.of("uid", "1000")).build();
    private static final BufferRecord LIVE = BufferRecord.of("system", CAMERA, 12_582_912)
            .name(Optional.of("frame"))
            .inode(OptionalLong.of(77))
            .open(2, 1, 1)
            .exported(true)
            .age(Duration.ofSeconds(59))
            .site(List.of(new StackTraceElement("org.example.Camera", "grab", "Camera.java", 7)))
            .build();
    private static final BufferRecord LINGERING = BufferRecord.of("system", CAMERA, 4096)
            .exported(true)
            .lingering(true)
            .age(Duration.ofHours(25))
            .build();

    private String printed(Object target, int level) {
        CharSequence text = converter.format(target, level, null);
        return text == null ? null : text.toString();
    }

    @Test
    void what_is_charged_is_a_table_with_sums_waits_and_failures_by_cause() {
        assertEquals(
                """
                HEAP    CLIENT              BUFFERS     LIVE  LINGERING     PEAK  QUOTA  ALLOCATIONS  ALLOCATED  WAITS\
                  WAITED  LONGEST  FAILURES
                system  -                         3    8 KiB      4 KiB    1 MiB  1 GiB           70      5 MiB      2\
                   1.5 s    1.2 s  1 EIO, 3 ENOMEM
                -       org.example.camera        0  0 bytes    0 bytes  0 bytes      -            0    0 bytes      -\
                       -        -  -
                -       uid:1000                  0  0 bytes    0 bytes  0 bytes      -            0    0 bytes      -\
                       -        -  -""",
                printed(List.of(HEAP, CLIENT, FOREIGN), Converter.INSPECT));
    }

    @Test
    void two_clients_of_one_name_are_shown_with_their_locations_and_one_alone_is_not() {
        String both = printed(
                List.of(CLIENT, UsageRecord.builder().client(OTHER).build(), FOREIGN), Converter.INSPECT);
        assertTrue(both.contains("-     org.example.camera@file:camera.jar  "), both);
        assertTrue(both.contains("-     org.example.camera@file:other.jar   "), both);
        assertTrue(both.contains("-     uid:1000  "), both);
        UsageRecord onAHeap = UsageRecord.builder().heap("system").client(CAMERA).build();
        String one = printed(List.of(onAHeap, CLIENT), Converter.INSPECT);
        assertFalse(one.contains("@"), one);
        String buffers = printed(List.of(LIVE, BufferRecord.of("system", OTHER, 1).build()), Converter.INSPECT);
        assertTrue(buffers.contains("org.example.camera@file:other.jar"), buffers);
    }

    @Test
    void what_is_charged_to_one_is_a_name_and_a_size_in_a_line() {
        assertEquals("system: 12 KiB", printed(HEAP, Converter.LINE));
        assertEquals("org.example.camera: 0 bytes", printed(CLIENT, Converter.LINE));
        assertEquals(
                "system of uid:1000: 4 KiB",
                printed(
                        UsageRecord.builder()
                                .heap("system")
                                .client(ClientId.of("uid", "1000"))
                                .live(1, 4096)
                                .build(),
                        Converter.LINE));
    }

    @Test
    void a_wait_is_shown_in_the_unit_that_fits() {
        assertEquals("1 us", Times.wait(Duration.ofNanos(1)));
        assertEquals("9999 us", Times.wait(Duration.ofNanos(9_999_000)));
        assertEquals("10 ms", Times.wait(Duration.ofMillis(10)));
        assertEquals("999 ms", Times.wait(Duration.ofMillis(999)));
        assertEquals("59.9 s", Times.wait(Duration.ofMillis(59_940)));
        assertEquals("1 min", Times.wait(Duration.ofSeconds(60)));
    }

    @Test
    void a_dump_tells_what_is_open_of_each_buffer_and_where_it_came_from() {
        assertEquals(
                """
                HEAP    CLIENT              NAME     SIZE  INODE  REFERENCES  MAPPINGS  CPU ACCESSES  STATE       AGE  \
                ALLOCATED AT
                system  org.example.camera  frame  12 MiB     77           2         1             1  exported   59 s  \
                org.example.Camera.grab(Camera.java:7)
                system  org.example.camera  -       4 KiB      -           0         0             0  lingering   1 d  \
                -""",
                printed(List.of(LIVE, LINGERING), Converter.INSPECT));
        assertEquals("frame", printed(LIVE, Converter.LINE));
    }
}
