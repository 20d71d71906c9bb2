// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;

class ConfigurationWatchTest {
    @TempDir
    private Path home;

    private final BlockingQueue<String> calls = new LinkedBlockingQueue<>();
    private volatile boolean failing;
    private ConfigurationWatch watch;

    @AfterEach
    void stop() {
        watch.stop();
    }

    private void watch(Path folder) {
        BundleContext context = (BundleContext) Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {BundleContext.class},
                (_, method, _) -> method.getName().equals("getBundles") ? new Bundle[0] : null);
        watch = new ConfigurationWatch(context, folder, new ConfigurationFolder.Target() {
            @Override
            public void retain(Set<String> names) {
                calls.add("retain " + names);
            }

            @Override
            public boolean owns(String name) {
                return false;
            }

            @Override
            public void apply(String name, Map<String, Object> settings) {
                calls.add("apply " + name);
                if (failing) {
                    throw new OutOfMemoryError("as the test sets it");
                }
            }

            @Override
            public void remove(String name) {
                calls.add("remove " + name);
            }
        });
        watch.start();
    }

    private String next() throws InterruptedException {
        return calls.poll(60, TimeUnit.SECONDS);
    }

    @Test
    void files_that_are_there_are_applied_before_the_start_returns() throws IOException {
        Files.writeString(home.resolve("org.example.acme.cfg"), "size = 1");
        watch(home);
        assertEquals(List.of("retain [org.example.acme.cfg]", "apply org.example.acme.cfg"), List.copyOf(calls));
    }

    @Test
    void configurations_of_vanished_files_are_removed_although_the_first_look_failed() throws Exception {
        Path late = home.resolve("late");
        watch(late);
        assertEquals(List.of(), List.copyOf(calls));
        Files.createDirectory(late);
        assertEquals("retain []", next());
    }

    @Test
    void the_watch_goes_on_after_an_error() throws Exception {
        failing = true;
        Files.writeString(home.resolve("org.example.acme.cfg"), "size = 1");
        watch(home);
        failing = false;
        assertEquals("retain [org.example.acme.cfg]", next());
        assertEquals("apply org.example.acme.cfg", next());
        assertEquals("retain [org.example.acme.cfg]", next());
        assertEquals("apply org.example.acme.cfg", next());
    }
}
