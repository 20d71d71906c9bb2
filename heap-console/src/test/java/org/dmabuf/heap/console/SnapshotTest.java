// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.process.Holder;
import org.dmabuf.heap.linux.process.SharedFile;
import org.junit.jupiter.api.Test;
import org.osgi.service.event.Event;

/** Tests of the names that the page's script reads. */
class SnapshotTest {
    private static final ClientId CLIENT = ClientId.of("uid", "1000");

    private static BufferRecord.Builder buffer() {
        return BufferRecord.of("camera", CLIENT, 8192)
                .name(Optional.of("frame"))
                .age(Duration.ofMillis(7900));
    }

    @Test
    void a_heap_has_its_state_its_memory_and_its_charges() {
        UsageRecord charged = UsageRecord.builder()
                .heap("camera")
                .live(1, 100)
                .lingering(1, 20)
                .peak(150)
                .limit(OptionalLong.of(500))
                .failures(Map.of(Errno.ENOMEM, 3L, Errno.EACCES, 4L))
                .build();
        HeapInfo heap = HeapInfo.of("camera", HeapState.HANGING)
                .reason(Optional.of("it hangs"))
                .usage(HeapUsage.unknown().withCapacity(1000).withFree(880), Duration.ZERO)
                .charged(charged)
                .build();
        assertEquals(
                Map.of(
                        "name",
                        "camera",
                        "state",
                        "hanging",
                        "reason",
                        "it hangs",
                        "capacity",
                        1000L,
                        "free",
                        880L,
                        "live",
                        100L,
                        "lingering",
                        20L,
                        "peak",
                        150L,
                        "limit",
                        500L,
                        "failures",
                        7L),
                Snapshot.of(heap));
    }

    @Test
    void a_client_has_its_name_and_an_unknown_value_is_left_out() {
        assertEquals(
                Map.of("client", "uid:1000", "live", 0L, "lingering", 0L, "peak", 0L, "failures", 0L),
                Snapshot.of(UsageRecord.builder().client(CLIENT).build()));
    }

    @Test
    void a_buffer_has_its_holders_and_the_rest_of_the_kernels_count() {
        SharedFile file = SharedFile.ofDmaBuf(
                13, 77, 8192, 5, "system", "", List.of(new Holder(7, "display", List.of(3, 4), 1, 8192)));
        assertEquals(
                Map.of(
                        "name",
                        "frame",
                        "heap",
                        "camera",
                        "client",
                        "uid:1000",
                        "size",
                        8192L,
                        "state",
                        "exported",
                        "age",
                        7L,
                        "unattributed",
                        2L,
                        "holders",
                        List.of(Map.of("pid", 7, "process", "display", "descriptors", 2, "mappings", 1))),
                Snapshot.of(buffer().exported(true).build(), Optional.of(file)));
    }

    @Test
    void a_buffer_lingers_is_exported_or_is_live() {
        assertEquals(
                "lingering",
                Snapshot.of(buffer().exported(true).lingering(true).build(), Optional.empty())
                        .get("state"));
        Map<String, Object> live = Snapshot.of(buffer().build(), Optional.empty());
        assertEquals("live", live.get("state"));
        assertEquals(List.of(), live.get("holders"));
        assertEquals(0L, live.get("unattributed"));
    }

    @Test
    void foreign_texts_are_printable_at_every_depth_and_numbers_stay() {
        assertEquals(
                Map.of("holders", List.of(Map.of("process", "a\\u202eb\\ud800\\u000a", "pid", 7))),
                Snapshot.printable(Map.of("holders", List.of(Map.of("process", "a\u202eb\ud800\n", "pid", 7)))));
    }

    @Test
    void the_last_twenty_refusals_are_kept_and_the_latest_is_the_first() {
        LastRefusals refusals = new LastRefusals();
        IntStream.range(0, 25)
                .forEach(i -> refusals.handleEvent(new Event(
                        "x", Map.of("heap.name", "camera", "dmabuf.client", CLIENT, "heap.reason", "refusal " + i))));
        List<Map<String, Object>> last = refusals.list();
        assertEquals(20, last.size());
        assertEquals("refusal 24", last.getFirst().get("sentence"));
        assertEquals("refusal 5", last.getLast().get("sentence"));
        assertTrue((long) last.getFirst().get("time") > 0);
        assertEquals("camera", last.getFirst().get("heap"));
        assertEquals("uid:1000", last.getFirst().get("client"));
    }
}
