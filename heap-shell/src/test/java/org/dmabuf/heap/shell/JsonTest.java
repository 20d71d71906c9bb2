// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.process.Holder;
import org.dmabuf.heap.linux.process.SharedFile;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.Test;

/** Tests that the JSON of the commands has the names that the README lists as stable. */
class JsonTest {
    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "file:camera.jar");

    private static final UsageRecord USAGE = UsageRecord.builder()
            .heap("system")
            .client(CAMERA)
            .limit(OptionalLong.of(1))
            .failures(Map.of(Errno.ENOMEM, 3L))
            .build();
    private static final HeapInfo HEAP = HeapInfo.of("system", HeapState.HANGING)
            .reason(Optional.of("its release hangs"))
            .plainRefusal(Optional.of("it serves only requests that permit emulation"))
            .properties(Map.of(
                    "heap.emulates", new String[] {"contiguous"}, "heap.id", 0, "heap.peers", new int[] {7}, "x", "y"))
            .bundle("org.dmabuf.heap.system")
            .usage(
                    HeapUsage.unknown()
                            .withCapacity(8)
                            .withFree(7)
                            .withLargestFree(6)
                            .withQuarantined(1)
                            .withInLargeFolios(2)
                            .withFragmentation(0.5)
                            .withPool(new PoolUsage("recycled", 8192, 3, 1)),
                    Duration.ofSeconds(1))
            .charged(USAGE)
            .build();
    private static final BufferRecord BUFFER = BufferRecord.of("system", CAMERA, 12_582_912)
            .origin("process 7 of camera-app")
            .name(Optional.of("frame"))
            .inode(OptionalLong.of(77))
            .fileSystem(OptionalLong.of(13))
            .age(Duration.ofSeconds(59))
            .site(List.of(new StackTraceElement("org.example.Camera", "grab", "Camera.java", 7)))
            .build();
    private static final RegionMap REGION = new RegionMap() {
        @Override
        public long size() {
            return 4096;
        }

        @Override
        public void forEachStretch(Visitor visitor) {
            HeapRequest request = HeapRequest.of(AllocationRequest.of(4096).withName("frame"), Optional.of(CAMERA));
            visitor.stretch(Stretch.of(0, 4096, State.QUARANTINED, request));
        }
    };

    @Test
    void the_names_of_a_heap_are_those_of_the_readme() throws IOException {
        assertEquals(documented("list, info"), names(Json.of(HEAP)));
    }

    @Test
    void the_names_of_a_charge_are_those_of_the_readme() throws IOException {
        Set<String> names = new TreeSet<>(names(Json.of(USAGE, OptionalLong.of(1))));
        names.addAll(names(Json.of(USAGE, List.of("process 7"))));
        assertEquals(documented("usage, clients"), names);
    }

    @Test
    void the_names_of_a_buffer_are_those_of_the_readme() throws IOException {
        assertEquals(documented("dump"), names(Json.of(BUFFER)));
    }

    @Test
    void the_names_of_a_report_on_holders_are_those_of_the_readme() throws IOException {
        SharedFile file = SharedFile.ofDmaBuf(
                13, 77, 4096, 3, "system", "frame", List.of(new Holder(7, "camera", List.of(3), 1, 4096)));
        HeldMemory frame = new HeldMemory(Optional.of(BUFFER), Optional.of(file));
        HeldMemory other = new HeldMemory(Optional.empty(), Optional.of(file));
        HolderReport report = new HolderReport(List.of(frame), List.of(other), List.of("a sentence"));
        assertEquals(documented("holders"), names(report.toMap()));
    }

    @Test
    void the_names_of_a_region_are_those_of_the_readme() throws IOException {
        assertEquals(documented("map"), names(Json.of("system", REGION)));
    }

    @Test
    void the_names_of_a_report_on_devices_are_those_of_the_readme() throws IOException {
        try (InMemoryBroker broker = InMemoryBroker.of(
                InMemoryHeap.of("cma", 4096).with(HeapProperties.CONTIGUOUS, true), InMemoryHeap.of("system", 4096))) {
            broker.addDemands(
                    Demand.parse("/dev/one sg=contiguous a file"),
                    Demand.parse("/dev/one buffers=2"),
                    Demand.parse("/dev/two sg=contiguous"),
                    Demand.parse("/dev/two bank=2"));
            Set<String> names = new TreeSet<>();
            for (String[] devices : new String[][] {{"/dev/one"}, {"/dev/one", "/dev/two"}, {"/dev/absent"}}) {
                names.addAll(names(DeviceReport.of(broker, devices, 8192).toMap()));
            }
            assertEquals(documented("constraints"), names);
        }
    }

    @Test
    void the_names_of_a_probe_are_those_of_the_readme() throws IOException {
        try (InMemoryBroker broker = InMemoryBroker.of(
                InMemoryHeap.of("one", 4096), InMemoryHeap.of("two", 4096), InMemoryHeap.of("three", 4096))) {
            broker.addDemands(Demand.parse("/dev/video0 not-heap=one"));
            FakeProbe probe = new FakeProbe("/dev/video0", 4096)
                    .answering("one", ProbeOutcome.refused("PREPARE_BUF", 14))
                    .answering("two", ProbeOutcome.bounced(4096));
            Set<String> names = new TreeSet<>();
            for (String heap : List.of("one", "two", "three", "absent")) {
                Optional<ProbeReport> report = ProbeReport.of(broker, probe, "/dev/video0", List.of(heap));
                names.addAll(names(report.orElseThrow().toMap()));
            }
            assertEquals(documented("probe"), names);
        }
    }

    @Test
    void the_names_of_a_verification_are_those_of_the_readme() throws IOException {
        Verification verification = new Verification(HEAP);
        verification.run(FakeCheck.failing("one", "it leaks"));
        assertEquals(documented("verify"), names(verification.toMap()));
    }

    @Test
    void each_state_of_a_heap_is_in_the_readme() throws IOException {
        String section = section("list, info");
        for (HeapState state : HeapState.values()) {
            String word =
                    String.valueOf(Json.of(HeapInfo.of("x", state).build()).get("state"));
            assertEquals(state.name().toLowerCase(), word);
            assertFalse(section.indexOf("`" + word + "`") < 0, word);
        }
    }

    @Test
    void values_are_those_of_the_readme() {
        Map<String, Object> heap = Json.of(HEAP);
        assertEquals("hanging", heap.get("state"));
        assertEquals(1_000_000_000L, heap.get("usageAge"));
        assertEquals(
                Map.of("heap.emulates", List.of("contiguous"), "heap.id", 0, "heap.peers", List.of(7)),
                heap.get("properties"));
        assertEquals(59_000_000_000L, Json.of(BUFFER).get("age"));
        assertEquals("file:camera.jar", Json.of(BUFFER).get("location"));
    }

    @Test
    void adopted_memory_is_listed_after_the_heaps_with_charges_only() {
        UsageRecord adopted =
                UsageRecord.builder().heap("adopted").live(1, 4096).build();
        List<Map<String, Object>> all = Json.of(List.of(HEAP), Optional.of(adopted));
        assertEquals(
                List.of("system", "adopted"),
                all.stream().map(one -> one.get("name")).toList());
        assertEquals(Set.of("name", "charged"), all.getLast().keySet());
    }

    @Test
    void a_buffer_of_the_shell_has_the_names_that_are_documented() throws IOException {
        Set<String> names = new TreeSet<>(documented("alloc, load, buffers, share, send, receive"));
        names.removeIf(name -> name.startsWith("peer.") || name.startsWith("sha256"));
        BufferInfo buffer = new BufferInfo("frame", 8192, 5000, "system", "memfd", false, OptionalLong.of(7));
        assertEquals(names, names(buffer.toMap()));
    }

    @Test
    void control_characters_are_escaped_and_a_reader_restores_them() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", "a\u001b\u202e\u00ad\\u0041\"\n");
        assertEquals("{\"name\":\"a\\u001B\\u202E\\u00ad\\\\u0041\\\"\\n\"}", Output.text(map));
    }

    /** Returns the paths of all names: [] marks the objects of an array, * a name outside of the format. */
    private static Set<String> names(Map<String, Object> object) {
        Set<String> names = new TreeSet<>();
        collect("", object, names);
        return names;
    }

    private static void collect(String path, Map<?, ?> object, Set<String> names) {
        object.forEach((key, value) -> {
            String name = path + key;
            if (name.equals("charged") || name.equals("failures") || name.equals("together")) {
                names.add(name + ".*");
            } else if (name.equals("properties")) {
                names.add(name + ".heap.*");
            } else if (name.equals("foreign")) {
                names.add(name + "[].*");
            } else if (value instanceof Map<?, ?> map) {
                collect(name + ".", map, names);
            } else if (value instanceof List<?> list && list.getFirst() instanceof Map<?, ?> map) {
                collect(name + "[].", map, names);
            } else {
                names.add(name);
            }
        });
    }

    private static Set<String> documented(String heading) throws IOException {
        Set<String> names = new TreeSet<>();
        Matcher row = Pattern.compile("(?m)^\\| `([^`]+)` \\|").matcher(section(heading));
        while (row.find()) {
            names.add(row.group(1));
        }
        return names;
    }

    private static String section(String heading) throws IOException {
        String readme = Files.readString(Path.of("README.md"));
        int begin = readme.indexOf("\n### " + heading + "\n");
        assertFalse(begin < 0, "README.md has no section '" + heading + "'");
        String rest = readme.substring(begin + 1);
        int end = rest.indexOf("\n#");
        return end < 0 ? rest : rest.substring(0, end);
    }
}
