// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Test that runs the soak for {@code soak.seconds} seconds. */
class SoakIT {
    private static final List<String> MUST_HAVE_HAPPENED = List.of(
            "allocate",
            "map",
            "CPU access",
            "export",
            "duplicate",
            "hand over",
            "publish",
            "look up",
            "forget",
            "use what is shared",
            "leave to a peer",
            "dump",
            "give to a hostile process",
            "adopt from a hostile process",
            "read what was adopted from a hostile process",
            "configure the broker",
            "receive org/dmabuf/heap/ARRIVED",
            "record org.dmabuf.heap.Allocate",
            "install and start a heap",
            "stop a heap",
            "update a heap",
            "refresh a heap",
            "stop a client",
            "update a client",
            "refresh a client",
            "configure the system heap",
            "restart the broker");

    @Test
    void no_resource_is_lost_or_left_after_random_use_with_faults_and_hot_plug() throws Exception {
        String seed = System.getProperty("soak.seed", "");
        Soak soak = new Soak(
                Path.of(System.getProperty("gateway")).toRealPath(),
                Duration.ofSeconds(Long.getLong("soak.seconds")),
                MUST_HAVE_HAPPENED,
                seed.isEmpty() ? System.nanoTime() : Long.parseLong(seed),
                Path.of(System.getProperty("org.slf4j.simpleLogger.logFile")));
        soak.run();
        assertEquals("", String.join("\n", soak.tally().failures()));
        assertTrue(
                soak.tally().did(MUST_HAVE_HAPPENED),
                () -> "not all was done:\n" + soak.tally().table());
    }
}
