// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleException;
import org.osgi.framework.FrameworkUtil;

/** The observers that are active from time to time: Event Admin with a handler, and Flight Recorder. */
final class Onlookers {
    private static final List<String> EVENTS = List.of("Allocate", "Release", "Leak", "Heap");

    private final Tally tally;
    private final Bundle eventAdmin;
    private Recording recording;

    /**
     * Registers a handler that counts its events.
     *
     * @param eventAdmin the bundle of Event Admin, installed but not started
     */
    Onlookers(Tally tally, GatewayInside gateway, Bundle eventAdmin) {
        this.tally = tally;
        this.eventAdmin = eventAdmin;
        Class<?> handler = load("org.osgi.service.event.EventHandler");
        Class<?> event = load("org.osgi.service.event.Event");
        Class<?>[] types = {handler};
        Object counter = Proxy.newProxyInstance(
                handler.getClassLoader(), types, (self, method, all) -> switch (method.getName()) {
                    case "handleEvent" -> {
                        tally.did("receive " + event.getMethod("getTopic").invoke(all[0]));
                        yield null;
                    }
                    case "hashCode" -> System.identityHashCode(self);
                    case "equals" -> self == all[0];
                    default -> "the soak's handler of events";
                });
        gateway.context()
                .registerService(
                        handler.getName(),
                        counter,
                        FrameworkUtil.asDictionary(Map.of("event.topics", new String[] {"org/dmabuf/heap/*"})));
    }

    private Class<?> load(String name) {
        try {
            return eventAdmin.loadClass(name);
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    /** Starts Event Admin, or stops it. */
    void turnEventAdmin() throws BundleException {
        if (eventAdmin.getState() == Bundle.ACTIVE) {
            eventAdmin.stop();
        } else {
            eventAdmin.start();
        }
    }

    /** Begins a recording, or ends it and counts its events. */
    void turnRecording() throws IOException {
        if (recording == null) {
            recording = new Recording();
            EVENTS.forEach(event -> recording.enable("org.dmabuf.heap." + event));
            recording.start();
            return;
        }
        try (Recording ended = recording) {
            recording = null;
            ended.stop();
            Path file = Files.createTempFile("soak-", ".jfr");
            try {
                ended.dump(file);
                try (RecordingFile events = new RecordingFile(file)) {
                    while (events.hasMoreEvents()) {
                        RecordedEvent event = events.readEvent();
                        tally.did("record " + event.getEventType().getName());
                    }
                }
            } finally {
                Files.delete(file);
            }
        }
    }

    /** Ends all observers. */
    void end() throws BundleException, IOException {
        eventAdmin.stop();
        if (recording != null) {
            turnRecording();
        }
    }
}
