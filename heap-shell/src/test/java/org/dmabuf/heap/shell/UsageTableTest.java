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
import java.util.function.Function;
import java.util.stream.Stream;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.UsageRecord;
import org.junit.jupiter.api.Test;

/** Tests of the tables of charges in a terminal. */
class UsageTableTest {
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
    private static final Function<UsageRecord, OptionalLong> LARGE = record -> OptionalLong.of(2 << 20);
    private static final UsageRecord CLIENT =
            UsageRecord.builder().client(CAMERA).build();
    private static final UsageRecord FOREIGN =
            UsageRecord.builder().client(ClientId.of("uid", "1000")).build();
    private static final Origins NO_ORIGINS = new Origins(List.of());
    private static final BufferRecord LIVE = BufferRecord.of("system", CAMERA, 12_582_912)
            .origin("process 7 of camera-app")
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

    private static void assertFits(String text) {
        text.lines().forEach(line -> assertTrue(line.length() <= 80, line));
    }

    @Test
    void charges_of_heaps_are_a_table() {
        String table = UsageTable.ofHeaps(List.of(HEAP), LARGE, false).toString();
        assertEquals("""
                HEAP    BUFFERS   LIVE  LINGERING   PEAK  QUOTA  FAILURES
                system        3  8 KiB      4 KiB  1 MiB  1 GiB  4, most ENOMEM""", table);
    }

    @Test
    void sums_waits_and_failures_by_cause_are_in_the_wide_table() {
        String table = UsageTable.ofHeaps(List.of(HEAP), LARGE, true).toString();
        assertEquals("""
                HEAP    LARGE FOLIOS  BUFFERS   LIVE  LINGERING   PEAK  QUOTA  ALLOCATIONS  ALLOCATED  WAITS\
                  WAITED  LONGEST  FAILURES
                system         2 MiB        3  8 KiB      4 KiB  1 MiB  1 GiB           70      5 MiB      2\
                   1.5 s    1.2 s  1 EIO, 3 ENOMEM""", table);
    }

    @Test
    void charges_of_clients_are_a_table() {
        UsageRecord refused = UsageRecord.builder()
                .client(ClientId.of("uid", "1000"))
                .failures(Map.of(Errno.EACCES, 2L))
                .build();
        String table = UsageTable.ofClients(List.of(CLIENT, refused), NO_ORIGINS, false)
                .toString();
        assertEquals("""
                CLIENT              BUFFERS     LIVE  LINGERING     PEAK  QUOTA  FAILURES
                org.example.camera        0  0 bytes    0 bytes  0 bytes      -  -
                uid:1000                  0  0 bytes    0 bytes  0 bytes      -  2 EACCES""", table);
        UsageRecord onAHeap = UsageRecord.builder()
                .heap("system")
                .client(CAMERA)
                .live(1, 4096)
                .build();
        String onHeaps = UsageTable.ofClientsOnHeaps(List.of(onAHeap), false).toString();
        assertEquals("""
                CLIENT              HEAP    BUFFERS   LIVE  LINGERING     PEAK  QUOTA
                org.example.camera  system        1  4 KiB    0 bytes  0 bytes      -""", onHeaps);
    }

    @Test
    void the_wide_table_of_clients_has_each_origin_of_a_clients_buffers_once() {
        ClientId user = FOREIGN.client().orElseThrow();
        List<BufferRecord> buffers = Stream.of("process 9", "process 7", "process 9", "")
                .map(origin ->
                        BufferRecord.of("system", user, 4096).origin(origin).build())
                .toList();
        List<UsageRecord> records = List.of(CLIENT, FOREIGN);
        String wide = UsageTable.ofClients(records, new Origins(buffers), true).toString();
        assertTrue(wide.lines().anyMatch(line -> line.matches("uid:1000 +process 7, process 9 .*")), wide);
        assertTrue(wide.lines().anyMatch(line -> line.matches("org.example.camera +- .*")), wide);
        assertFalse(UsageTable.ofClients(records, new Origins(buffers), false)
                .toString()
                .contains("process"));
    }

    @Test
    void two_clients_of_one_name_are_shown_with_their_locations_and_one_alone_is_not() {
        UsageRecord other = UsageRecord.builder().client(OTHER).build();
        String both = UsageTable.ofClients(List.of(CLIENT, other, FOREIGN), NO_ORIGINS, true)
                .toString();
        assertTrue(both.contains("\norg.example.camera@file:camera.jar  "), both);
        assertTrue(both.contains("\norg.example.camera@file:other.jar   "), both);
        assertTrue(both.contains("\nuid:1000  "), both);
        String one =
                UsageTable.ofClients(List.of(CLIENT, CLIENT), NO_ORIGINS, false).toString();
        assertFalse(one.contains("@"), one);
        String buffers = new ChargedBuffers(
                        List.of(LIVE, BufferRecord.of("system", OTHER, 1).build()))
                .wide();
        assertTrue(buffers.contains("org.example.camera@file:other.jar"), buffers);
    }

    @Test
    void the_figures_of_a_large_gateway_fit_80_columns() {
        String heap = "h".repeat(60) + ".end";
        ClientId one =
                ClientId.ofBundle("org.example.camera.driver", "file:/opt/gateway/deploy/camera-driver-1.2.3.jar");
        ClientId two = ClientId.ofBundle("org.example.camera.driver", "file:/srv/other/place/camera-driver-1.2.4.jar");
        List<UsageRecord> records = List.of(one, two).stream()
                .map(client -> UsageRecord.builder()
                        .heap(heap)
                        .client(client)
                        .live(9_999_999, 1023L << 30)
                        .lingering(9_999, 1023L << 30)
                        .peak(1023L << 30)
                        .limit(OptionalLong.of(1023L << 30))
                        .allocated(9_999_999, 1023L << 40)
                        .failures(Map.of(Errno.ETIMEDOUT, 9_999_999L, Errno.ENOMEM, 9_999_999L))
                        .build())
                .toList();
        assertFits(UsageTable.ofHeaps(records, LARGE, false).toString());
        String clients = UsageTable.ofClients(records, NO_ORIGINS, false).toString();
        assertFits(clients);
        assertTrue(
                clients.contains("\norg.example.camera.driver@file:/opt/gateway/deploy/camera-driver-1.2.3.jar\n"),
                "a client is in full, for a quota: " + clients);
        assertFits(UsageTable.ofClientsOnHeaps(records, false).toString());
        String dump = new ChargedBuffers(List.of(one, two).stream()
                        .map(client -> BufferRecord.of(heap, client, 1023L << 30)
                                .name(Optional.of("the name of a buffer is long ends"))
                                .inode(OptionalLong.of(99_999_999L))
                                .open(999, 999, 1)
                                .lingering(true)
                                .age(Duration.ofDays(999))
                                .build())
                        .toList())
                .narrow();
        assertFits(dump);
        assertEquals(3, dump.lines().count(), dump);
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
    void a_dump_is_a_line_for_each_buffer() {
        String table = new ChargedBuffers(List.of(LIVE, LINGERING)).narrow();
        assertEquals("""
                HEAP    CLIENT              NAME     SIZE  INODE  REFS  MAPS  STATE       AGE
                system  org.example.camera  frame  12 MiB     77     2     1  exported   59 s
                system  org.example.camera  -       4 KiB      -     0     0  lingering   1 d""", table);
    }

    @Test
    void a_wide_dump_lists_the_references_and_the_allocation_site_of_each_buffer() {
        String table = new ChargedBuffers(List.of(LIVE, LINGERING)).wide();
        assertEquals("""
                HEAP    CLIENT              ORIGIN                   NAME     SIZE  INODE  REFERENCES  MAPPINGS  \
                CPU ACCESSES  STATE       AGE  ALLOCATED AT
                system  org.example.camera  process 7 of camera-app  frame  12 MiB     77           2         1  \
                           1  exported   59 s  org.example.Camera.grab(Camera.java:7)
                system  org.example.camera  -                        -       4 KiB      -           0         0  \
                           0  lingering   1 d  -""", table);
    }
}
