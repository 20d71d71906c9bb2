// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of the effect of a changed configuration on a heap. */
class HeapStartTest {
    private static final String PID = "org.example.acme";

    @TempDir
    private Path home;

    private Path file;
    /** Recorded steps in order: a heap was opened or withdrawn, with its memory. */
    private final List<String> steps = new CopyOnWriteArrayList<>();
    /** Properties of each unavailable heap that is listed. */
    private final List<Map<String, Object>> listed = new CopyOnWriteArrayList<>();

    private volatile RuntimeException refusal;
    private volatile Errno absent;
    /** Runs at each opening of the device. */
    private volatile Runnable onDevice = () -> {};
    /** Runs before each announcement, with the heap's name and id. */
    private volatile Consumer<String> onOpen = _ -> {};
    /** Whether the heap has no memory. */
    private volatile boolean none;

    private final HeapStart start = new HeapStart(
            properties -> {
                listed.add(properties);
                return () -> listed.remove(properties);
            },
            (_, announced) -> {
                String heap = announced.get("heap.name") + " " + announced.get("heap.id");
                if (refusal != null) {
                    throw refusal;
                }
                onOpen.accept(heap);
                if (none) {
                    return HeapRegistration.NOTHING;
                }
                steps.add("open " + heap);
                return () -> steps.add("withdraw " + heap);
            },
            new FactsWatch(1_000_000));

    @BeforeEach
    void aFile() throws IOException {
        file = Files.createDirectories(home.resolve("etc")).resolve(PID + ".cfg");
    }

    @AfterEach
    void nothing_is_left() {
        start.close();
        assertEquals(List.of(), listed);
        assertEquals(
                steps.stream().filter(step -> step.startsWith("open")).count(),
                steps.stream().filter(step -> step.startsWith("withdraw")).count());
    }

    /** {@return the logged messages} */
    private List<String> configure(String... lines) throws IOException {
        Files.writeString(file, String.join("\n", lines) + "\n");
        Map<String, Object> properties = new HashMap<>();
        SettingsFile.read(file).entries().forEach(entry -> properties.put(entry.key(), entry.value()));
        properties.put("felix.fileinstall.filename", file.toUri().toString());
        properties.put("service.pid", PID);
        HeapSettings settings = HeapSettings.of(
                PID, "acme", properties, (String) properties.getOrDefault("heap.name", ""), () -> 5, () -> 0);
        return RecordedLog.of(
                HeapStart.class,
                () -> start.configure(
                        settings,
                        () -> settings.bytes("size", (String) properties.getOrDefault("size", "1M")),
                        _ -> OpenedHeap.none()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "size = much       | size = much | bytes, or a number with K, M, G or T: 256M",
                "size =            | size = ''   | bytes, or a number with K, M, G or T: 256M",
                "heap.id = abc     | heap.id = abc | a whole number from 0 to 63, or -1 for none",
                "heap.id = 64      | heap.id = 64 | a whole number from 0 to 63, or -1 for none",
                "heap.id = -2      | heap.id = -2 | a whole number from 0 to 63, or -1 for none",
                "heap.id = 1.5     | heap.id = 1.5 | a whole number from 0 to 63, or -1 for none",
                "heap.id = 4294967296 | heap.id = 4294967296 | a whole number from 0 to 63, or -1 for none",
                "heap.id =         | heap.id = '' | a whole number from 0 to 63, or -1 for none",
                "heap.id = 1 s     | heap.id = 1 s | a whole number from 0 to 63, or -1 for none",
                "heap.priority = 9999999999 | heap.priority = 9999999999 | a whole number",
                "heap.name = a b   | heap.name = a b"
                        + " | 1 to 64 characters that print, without blanks, '/' and '..'",
            })
    void a_mistake_in_a_live_file_leaves_the_heap_as_it_is_and_is_reported_with_file_and_line(
            String wrong, String shown, String expected) throws IOException {
        assertEquals(List.of(), configure("# mine", "heap.id = 5"));
        assertEquals(
                List.of("heap 'acme' stays as it is: invalid " + shown
                        + " in etc/org.example.acme.cfg, line 3: expected " + expected
                        + "; a correction takes effect at once"),
                configure("# mine", "heap.priority = 1", wrong));
        assertEquals(List.of("open acme 5"), steps);
        assertEquals(List.of(), listed);

        assertEquals(List.of(), configure("heap.id = 7"));
        assertEquals(List.of("open acme 5", "withdraw acme 5", "open acme 7"), steps);
    }

    @Test
    void equal_settings_change_nothing() throws IOException {
        configure("heap.id = 5");
        configure("# a comment", "heap.id=5 ");
        configure("heap.id = abc");
        configure("heap.id = 5");
        assertEquals(List.of("open acme 5"), steps);
    }

    @Test
    void a_mistake_at_the_start_is_listed_and_ends_with_its_correction() throws IOException {
        for (String word : List.of("much", "more")) {
            List<String> logged = configure("size = " + word);
            assertEquals(1, logged.size(), logged::toString);
            assertEquals(1, listed.size(), listed::toString);
            assertEquals(
                    "invalid size = " + word + " in etc/org.example.acme.cfg, line 1: expected bytes, or a number with"
                            + " K, M, G or T: 256M",
                    listed.getFirst().get("heap.reason"));
            assertEquals(file.toString(), listed.getFirst().get("heap.file"));
            assertEquals(false, listed.getFirst().get("heap.retried"));
        }
        configure("size = 2M");
        assertEquals(List.of(), listed);
        assertEquals(List.of("open acme 5"), steps);
    }

    @Test
    void a_heap_that_waits_for_memory_continues_to_wait_after_an_invalid_change() throws IOException {
        onOpen = refusing("acme 5", HeapException.of(Errno.ENOMEM, "acme", "512 MiB do not fit"));
        configure("heap.id = 5");
        configure("heap.id = abc");
        assertEquals(1, listed.size());
        assertEquals(
                "512 MiB do not fit. The new configuration is refused: invalid heap.id = abc in"
                        + " etc/org.example.acme.cfg, line 1: expected a whole number from 0 to 63, or -1 for none",
                listed.getFirst().get("heap.reason"));
        assertEquals(true, listed.getFirst().get("heap.retried"));
        configure("heap.id = 5");
        assertEquals(1, listed.size());
        assertEquals("512 MiB do not fit", listed.getFirst().get("heap.reason"), "after the correction");
        configure("heap.id = 6");
        assertEquals(List.of("open acme 6"), steps);
    }

    private static Consumer<String> refusing(String refused, RuntimeException refusal) {
        return heap -> {
            if (heap.equals(refused)) {
                throw refusal;
            }
        };
    }

    @Test
    void a_heap_that_waits_shows_a_change_that_is_refused_at_the_opening() throws IOException {
        onOpen = heap -> {
            throw heap.equals("acme 5")
                    ? HeapException.of(Errno.ENOMEM, "acme", "512 MiB do not fit")
                    : HeapException.of(Errno.EINVAL, "acme", "too many granules");
        };
        configure("heap.id = 5");
        configure("heap.id = 6");
        assertEquals(1, listed.size());
        assertEquals(
                "512 MiB do not fit. The new configuration is refused: too many granules",
                listed.getFirst().get("heap.reason"));
        assertEquals(true, listed.getFirst().get("heap.retried"));
    }

    @Test
    void a_heap_that_could_not_be_opened_is_tried_again_with_the_next_configuration() throws IOException {
        refusal = HeapException.of(Errno.EINVAL, "acme", "there is no such node");
        configure("heap.id = 5");
        assertEquals("there is no such node", listed.getFirst().get("heap.reason"));
        refusal = null;
        configure("heap.id = 5");
        assertEquals(List.of("open acme 5"), steps);
    }

    @Test
    void a_heap_that_cannot_be_opened_with_a_change_is_reopened_with_the_old_settings() throws IOException {
        start.close();
        HeapStart own = new HeapStart(
                properties -> {
                    listed.add(properties);
                    return () -> listed.remove(properties);
                },
                (_, announced) -> {
                    String heap = announced.get("heap.name") + " " + announced.get("heap.id");
                    if (heap.equals("acme 6")) {
                        throw HeapException.of(Errno.EINVAL, "too many granules");
                    }
                    steps.add("open " + heap);
                    return () -> steps.add("withdraw " + heap);
                },
                new FactsWatch(1_000_000));
        for (int id : new int[] {5, 6, 7}) {
            Map<String, Object> properties = Map.of("service.pid", PID, "heap.id", id);
            own.configure(HeapSettings.of(PID, "acme", properties, "", () -> 5, () -> 0), OpenedHeap::none);
            assertEquals(List.of(), listed);
        }
        own.close();
        assertEquals(
                List.of(
                        "open acme 5",
                        "withdraw acme 5",
                        "open acme 5",
                        "withdraw acme 5",
                        "open acme 7",
                        "withdraw acme 7"),
                steps);
    }

    /** {@return the settings of a heap with the back ends device, which may be absent, and memory} */
    private void configure(int id, String word) {
        HeapSettings settings =
                HeapSettings.of(PID, "acme", Map.of("heap.id", id, "backend", word), "", () -> id, () -> 0);
        BackEnds backEnds = new BackEnds(settings)
                .with("device", () -> {
                    onDevice.run();
                    if (absent != null) {
                        throw HeapException.of(absent, "acme", "the device is not there");
                    }
                    return OpenedHeap.none();
                })
                .with("memory", OpenedHeap::none);
        start.configure(settings, () -> {
            BackEnds.Choice choice = backEnds.choose(word);
            steps.add("choose " + choice.word());
            return choice.openedOrNone();
        });
    }

    private static void until(String what, BooleanSupplier is) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!is.getAsBoolean()) {
            assertTrue(System.nanoTime() - deadline < 0, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"ENOENT", "ENODEV", "ENXIO", "EACCES"})
    void auto_changes_to_a_better_back_end_that_comes_later_and_reports_it(Errno errno) {
        absent = errno;
        List<String> logged = RecordedLog.of(HeapStart.class, () -> {
            configure(5, BackEnds.AUTO);
            absent = null;
            until("the device is used", () -> steps.size() == 5);
        });
        assertEquals(List.of("choose memory", "open acme 5", "withdraw acme 5", "choose device", "open acme 5"), steps);
        assertEquals(
                List.of("heap 'acme': back end device works now; the heap is opened anew, and its buffers stay valid"),
                logged);
    }

    @Test
    void auto_does_not_look_again_for_a_back_end_that_the_kernel_cannot_have() throws InterruptedException {
        absent = Errno.EINVAL;
        configure(5, BackEnds.AUTO);
        absent = null;
        Thread.sleep(100);
        assertEquals(List.of("choose memory", "open acme 5"), steps);
    }

    @Test
    void a_heap_waits_for_the_missing_device_of_its_configured_back_end() {
        absent = Errno.EACCES;
        configure(5, "device");
        assertEquals(true, listed.getFirst().get("heap.retried"));
        absent = null;
        until("it is open", () -> steps.contains("open acme 5"));
    }

    @Test
    void a_serving_heap_is_not_given_up_for_a_missing_device() {
        configure(5, "memory");
        absent = Errno.ENOENT;
        configure(6, "device");
        assertEquals(List.of("choose memory", "open acme 5", "withdraw acme 5", "choose memory", "open acme 5"), steps);
        assertEquals(List.of(), listed);
    }

    @Test
    void a_heap_that_waits_for_a_device_takes_the_next_configuration() {
        absent = Errno.ENOENT;
        configure(5, "device");
        configure(6, "device");
        assertEquals(1, listed.size());
        absent = null;
        until("it is open", () -> steps.contains("open acme 6"));
        assertEquals(List.of("choose device", "open acme 6"), steps);
    }

    @Test
    void a_heap_without_memory_is_given_up_for_a_missing_device() {
        none = true;
        configure(5, "memory");
        none = false;
        absent = Errno.ENOENT;
        configure(5, "device");
        assertEquals("the device is not there", listed.getFirst().get("heap.reason"));
        assertEquals(true, listed.getFirst().get("heap.retried"));
        absent = null;
        until("it is open", () -> steps.contains("open acme 5"));
    }

    @Test
    void a_heap_that_cannot_be_opened_with_a_better_back_end_is_opened_later() {
        for (RuntimeException failure : List.of(
                HeapException.of(Errno.EINVAL, "acme", "too many granules"), new IllegalArgumentException("a bug"))) {
            absent = Errno.ENOENT;
            configure(5, BackEnds.AUTO);
            onOpen = refusing("acme 5", failure);
            absent = null;
            until("it waits", () -> listed.size() == 1);
            assertEquals(true, listed.getFirst().get("heap.retried"));
            onOpen = _ -> {};
            until("it is open", () -> steps.getLast().equals("open acme 5"));
            until("it waits no more", listed::isEmpty);
            configure(6, "memory");
        }
    }

    /** Returns after an attempt to change to the device has begun, which continues with the returned latch. */
    private CountDownLatch changeToTheDevice() {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch more = new CountDownLatch(1);
        absent = Errno.ENOENT;
        configure(5, BackEnds.AUTO);
        onDevice = () -> {
            if (steps.contains("withdraw acme 5")) {
                begun.countDown();
                await(more);
            }
        };
        absent = null;
        await(begun);
        return more;
    }

    private static void await(CountDownLatch moment) {
        try {
            assertTrue(moment.await(60, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void a_close_waits_for_a_change_of_the_back_end_which_then_announces_nothing() throws InterruptedException {
        CountDownLatch more = changeToTheDevice();
        Thread closer = Thread.ofPlatform().start(start::close);
        until("the close waits", () -> closer.getState() == Thread.State.TIMED_WAITING);
        more.countDown();
        closer.join();
        assertEquals(List.of("choose memory", "open acme 5", "withdraw acme 5", "choose device"), steps);
    }

    @Test
    void a_configuration_does_not_wait_for_a_change_of_the_back_end_and_follows_it() {
        CountDownLatch more = changeToTheDevice();
        configure(6, "memory");
        assertEquals(List.of("choose memory", "open acme 5", "withdraw acme 5"), steps);
        more.countDown();
        until("it is configured", () -> steps.getLast().equals("open acme 6"));
    }

    @Test
    void a_configuration_does_not_wait_for_a_look_which_then_changes_nothing() {
        absent = Errno.ENOENT;
        configure(5, BackEnds.AUTO);
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch more = new CountDownLatch(1);
        onDevice = () -> {
            begun.countDown();
            await(more);
        };
        absent = null;
        await(begun);
        configure(6, "memory");
        List<String> configured =
                List.of("choose memory", "open acme 5", "withdraw acme 5", "choose memory", "open acme 6");
        assertEquals(configured, steps);
        more.countDown();
        start.close(); // waits for the look
        assertEquals(configured, steps.subList(0, 5));
        assertEquals("withdraw acme 6", steps.getLast());
        assertEquals(6, steps.size());
    }

    @Test
    void a_listener_of_the_service_may_configure_the_heap() {
        onOpen = heap -> {
            if (heap.equals("acme 5")) {
                configure(6, "memory");
            }
        };
        configure(5, "memory");
        assertEquals(List.of("choose memory", "open acme 5", "withdraw acme 5", "choose memory", "open acme 6"), steps);
    }

    @Test
    void the_log_names_the_serving_heap_and_not_the_new_name() throws IOException {
        configure("heap.name = left");
        List<String> logged = configure("heap.name = right", "size = x");
        assertTrue(logged.getFirst().startsWith("heap 'left' stays as it is: invalid size = x in "), logged::toString);
    }

    @Test
    void a_closed_start_configures_nothing() throws IOException {
        start.close();
        assertEquals(List.of(), configure("heap.id = 5"));
        assertEquals(List.of(), configure("heap.id = x"));
        assertEquals(List.of(), steps);
        assertEquals(List.of(), listed);
    }

    @Test
    void an_exception_in_the_code_that_reads_settings_counts_as_an_invalid_setting() throws IOException {
        configure("heap.id = 5");
        HeapSettings settings = HeapSettings.of(PID, "acme", Map.of(), "acme", () -> 6, () -> 0);
        RecordedLog.of(
                HeapStart.class,
                () -> start.configure(
                        settings,
                        () -> {
                            throw new IllegalStateException("a bug");
                        },
                        _ -> OpenedHeap.none()));
        assertEquals(List.of("open acme 5"), steps);
    }
}
