// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.equinox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.Bundle;

/** Tests of the broker and the system heap on Equinox, with the bundles that docs/other-containers.md lists. */
class EquinoxIT {
    private static final String BROKER = "org.dmabuf.heap.broker";
    private static final String SYSTEM = "org.dmabuf.heap.system";
    private static final List<Path> SLF4J = Container.files("slf4j-2");
    private static final List<Path> OTHERS = Container.files("bundles");

    private final ProcessState before = ProcessState.now();
    private Container container;
    private Bundle camera;
    private Bundle display;

    @BeforeEach
    void start_a_container() throws Exception {
        container = Container.start();
        camera = container.installClient("org.example.camera");
        display = container.installClient("org.example.display");
    }

    @AfterEach
    void nothing_is_left() throws Exception {
        try {
            await(0L, Container.client(display)::charged);
            assertEquals(List.of(), container.idle());
            assertEquals(List.of(), container.errors());
        } finally {
            container.stop();
        }
        before.assertNothingLeft();
    }

    @AfterAll
    static void no_thread_is_left() throws Exception {
        await(
                List.of(),
                () -> Thread.getAllStackTraces().keySet().stream()
                        .map(Thread::getName)
                        .filter(name -> name.startsWith("dmaheap"))
                        .toList());
    }

    @Test
    void it_serves_when_clients_and_heaps_start_before_their_dependencies() throws Exception {
        container.installAndStart(both(OTHERS, SLF4J));
        useABuffer();
    }

    @Test
    void it_serves_when_all_start_in_the_opposite_order() throws Exception {
        container.installAndStart(both(OTHERS, SLF4J).reversed());
        useABuffer();
    }

    @ParameterizedTest
    @ValueSource(strings = {"slf4j-1.7", "slf4j-2"})
    void it_logs_to_either_SLF4J_when_that_starts_first(String slf4j) throws Exception {
        PrintStream errors = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
        try {
            container.installAndStart(both(Container.files(slf4j), OTHERS));
        } finally {
            System.setErr(errors);
        }
        String text = log.toString(StandardCharsets.UTF_8);
        assertTrue(text.contains("heap 'system' of bundle " + SYSTEM + " serves"), text);
    }

    @Test
    void event_admin_may_come_last() throws Exception {
        container.installAndStart(both(SLF4J, OTHERS));
        Bundle eventAdmin = container.install(Container.files("event-admin").getFirst());
        Container.start(eventAdmin);
        await(
                true,
                () -> Stream.of(container.bundle(BROKER).getServicesInUse())
                        .anyMatch(service -> service.getBundle() == eventAdmin));
    }

    @Test
    void a_configuration_takes_effect_and_its_removal_too() throws Exception {
        container.installAndStart(both(SLF4J, OTHERS));
        Client client = Container.client(camera);
        List<String> unconfigured = client.heaps();
        client.configure(SYSTEM, Map.of("heap.name", "frames", "backend", "memfd"));
        await(List.of("frames SERVING memfd"), client::heaps);
        client.configure(SYSTEM, Map.of());
        await(unconfigured, client::heaps);
    }

    @Test
    void a_buffer_outlives_the_bundle_of_its_heap() throws Exception {
        container.installAndStart(both(SLF4J, OTHERS));
        Client client = Container.client(camera);
        client.take("system", "kept");
        Bundle heap = container.bundle(SYSTEM);
        heap.stop();
        heap.uninstall();
        assertEquals("kept", client.readMapped());
        assertEquals("kept", client.readAgain());
        assertTrue(client.isExported());
        client.giveBack();
        await(List.of(), client::heaps);

        Container.start(container.install(Path.of(URI.create(heap.getLocation()))));
        useABuffer();
    }

    @Test
    void resources_of_a_stopped_client_are_taken_back() throws Exception {
        container.installAndStart(both(SLF4J, OTHERS));
        Container.client(camera).take("system", "left");
        assertEquals(1, Container.client(display).charged());
        camera.stop();
        await(0L, Container.client(display)::charged);
        Container.start(camera);
    }

    private void useABuffer() {
        Client client = Container.client(camera);
        client.take("system", "first frame");
        assertEquals("first frame", client.readMapped());
        assertEquals("first frame", client.readAgain());
        assertTrue(client.isExported());
        assertEquals(1, Container.client(display).charged());
        client.giveBack();
    }

    private static List<Path> both(List<Path> first, List<Path> then) {
        return Stream.concat(first.stream(), then.stream()).toList();
    }

    /** Waits for a condition that another thread causes; fails with the last value after a minute. */
    private static <T> void await(T expected, Callable<T> actual) throws Exception {
        T last = null;
        for (int i = 0; i < 6000; i++) {
            last = actual.call();
            if (expected.equals(last)) {
                return;
            }
            Thread.sleep(10);
        }
        fail("expected " + expected + " within a minute, but is " + last);
    }
}
