// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.EventType;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlightRecorderEventsTest {
    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "test:camera");

    @TempDir
    private Path folder;

    private final FlightRecorderEvents journal = new FlightRecorderEvents();

    @AfterEach
    void close() {
        journal.close();
    }

    @Test
    void no_event_is_created_without_a_recording() {
        assertSame(BrokerEvents.Allocation.UNRECORDED, journal.allocating());
    }

    @Test
    void an_allocation_is_recorded_with_its_duration_and_its_caller() throws IOException {
        RecordedEvent event = recorded("Allocate", () -> {
            BrokerEvents.Allocation allocation = journal.allocating();
            allocation.end(CAMERA, "carveout", "frame 7", 4096, 2, "");
        });

        assertEquals("org.example.camera", event.getString("client"));
        assertEquals("carveout", event.getString("heap"));
        assertEquals("frame 7", event.getString("name"));
        assertEquals(4096, event.getLong("size"));
        assertEquals(2, event.getInt("tried"));
        assertEquals("", event.getString("error"));
        assertTrue(event.getDuration().toNanos() > 0);
        assertTrue(event.getStackTrace().getFrames().stream()
                .anyMatch(frame ->
                        frame.getMethod().getType().getName().equals(getClass().getName())));
    }

    @Test
    void a_release_is_recorded() throws IOException {
        RecordedEvent event = recorded("Release", () -> journal.released("system", "frame", 8192, true));

        assertEquals("system", event.getString("heap"));
        assertEquals("frame", event.getString("name"));
        assertEquals(8192, event.getLong("size"));
        assertTrue(event.getBoolean("lingers"));
    }

    @Test
    void a_leak_is_recorded_with_the_place_of_its_allocation() throws IOException {
        RecordedEvent event =
                recorded("Leak", () -> journal.leaked("system", CAMERA, "frame", 4096, "at Camera.start"));

        assertEquals("system", event.getString("heap"));
        assertEquals("org.example.camera", event.getString("client"));
        assertEquals("frame", event.getString("name"));
        assertEquals(4096, event.getLong("size"));
        assertEquals("at Camera.start", event.getString("site"));
    }

    @Test
    void a_change_of_a_heap_is_recorded() throws IOException {
        RecordedEvent event =
                recorded("Heap", () -> journal.changed("acme", "org.example.acme", HeapState.DRAINING, 3));

        assertEquals("acme", event.getString("heap"));
        assertEquals("org.example.acme", event.getString("bundle"));
        assertEquals(HeapState.DRAINING.toString(), event.getString("state"));
        assertEquals(3, event.getLong("buffers"));
    }

    /** The brokers of other tests have journals of their own. */
    @Test
    void the_event_types_are_unregistered_when_the_journal_closes() {
        long with = known();

        journal.close();

        assertEquals(with - 4, known());
    }

    private static long known() {
        return FlightRecorder.getFlightRecorder().getEventTypes().stream()
                .map(EventType::getName)
                .filter(name -> name.startsWith("org.dmabuf.heap."))
                .count();
    }

    @Test
    void after_its_close_nothing_is_recorded_and_nothing_is_thrown() throws IOException {
        Path file = folder.resolve("after.jfr");
        try (Recording recording = new Recording()) {
            recording.start();
            BrokerEvents.Allocation begun = journal.allocating();
            journal.close();
            begun.end(CAMERA, "system", "frame", 4096, 0, "");
            journal.released("system", "frame", 4096, false);
            journal.changed("system", "org.example", HeapState.DEPARTED, 0);
            recording.stop();
            recording.dump(file);
        }
        assertEquals(
                List.of(),
                RecordingFile.readAllEvents(file).stream()
                        .filter(event -> event.getEventType().getName().startsWith("org.dmabuf.heap."))
                        .toList());
    }

    private RecordedEvent recorded(String event, Runnable work) throws IOException {
        Path file = folder.resolve(event + ".jfr");
        try (Recording recording = new Recording()) {
            recording.enable("org.dmabuf.heap." + event).withoutThreshold();
            recording.start();
            work.run();
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertEquals(1, events.size());
        return events.getFirst();
    }
}
