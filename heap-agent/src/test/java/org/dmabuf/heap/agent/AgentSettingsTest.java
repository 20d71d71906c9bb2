// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of the reading of {@code agent.properties}. */
class AgentSettingsTest {
    private static final String LEAST = "run.socket = /run/a\nnode./dev/ion = ion\n";

    @TempDir
    Path folder;

    private AgentSettings load(String text) throws Exception {
        return AgentSettings.load(Files.writeString(folder.resolve("agent.properties"), text), UserDatabase.local());
    }

    @Test
    void the_shipped_file_is_valid() throws Exception {
        AgentSettings settings = AgentSettings.load(
                Path.of("../distribution/src/main/gateway/etc/agent.properties"), UserDatabase.local());
        assertEquals(Optional.of(Path.of("/run/dmaheap-agent/run.socket")), settings.runSocket());
        assertEquals(Optional.of(Path.of("/run/dmaheap-agent/oci.socket")), settings.ociSocket());
        assertEquals(
                new Node("/dev/dma_heap/system", Abi.DMA_HEAP, "system", false),
                settings.nodes().get("/dev/dma_heap/system"));
    }

    @Test
    void every_setting_is_read() throws Exception {
        AgentSettings settings = load("""
                gateway.socket = /g
                gateway.wait = 7
                gateway.timeout = 8
                run.socket = /r
                run.group = *
                oci.socket = /o
                oci.runtime.uid = 1000
                limit.listeners = 10
                limit.client.listeners = 11
                limit.calls = 12
                node./dev/dma_heap/memory@42000000,x = dma-heap memory@42000000,x
                node./dev/cma0 = simple cma emulated
                """);
        assertEquals(
                new AgentSettings(
                        Path.of("/g"),
                        Duration.ofSeconds(7),
                        Duration.ofSeconds(8),
                        Optional.of(Path.of("/r")),
                        true,
                        OptionalInt.empty(),
                        Optional.of(Path.of("/o")),
                        1000,
                        10,
                        11,
                        12,
                        Map.of(
                                "/dev/dma_heap/memory@42000000,x",
                                new Node("/dev/dma_heap/memory@42000000,x", Abi.DMA_HEAP, "memory@42000000,x", false),
                                "/dev/cma0",
                                new Node("/dev/cma0", Abi.SIMPLE, "cma", true))),
                settings);
    }

    @Test
    void an_invalid_value_is_refused_with_its_name_its_file_and_what_is_expected() {
        assertRefused("invalid gateway.wait = x in ", LEAST + "gateway.wait = x");
        assertRefused("invalid gateway.wait = -1 in ", LEAST + "gateway.wait = -1");
        assertRefused("invalid gateway.socket = g in ", LEAST + "gateway.socket = g");
        assertRefused("invalid gateway.socket =  in ", LEAST + "gateway.socket =");
        assertRefused("invalid run.group = no such in ", LEAST + "run.group = no such");
        assertRefused("invalid limit.calls = 0 in ", LEAST + "limit.calls = 0");
        assertRefused("invalid oci.runtime.uid = such no in ", LEAST + "oci.runtime.uid = such no");
        assertRefused("invalid node./dev/x = ion system in ", LEAST + "node./dev/x = ion system");
        assertRefused("invalid node./dev/x = dma-heap in ", LEAST + "node./dev/x = dma-heap");
        assertRefused("invalid node./dev/x = simple cma emulate in ", LEAST + "node./dev/x = simple cma emulate");
        assertRefused("invalid node./dev/x = ion emulated x in ", LEAST + "node./dev/x = ion emulated x");
        assertRefused("invalid node./dev/x = dmaheap system in ", LEAST + "node./dev/x = dmaheap system");
        assertRefused("invalid setting 'node.dev/x' in ", LEAST + "node.dev/x = ion");
        assertRefused("invalid setting 'node./dev/../x' in ", LEAST + "node./dev/../x = ion");
        assertRefused("unknown setting 'run.sockets' in ", LEAST + "run.sockets = /x");
        assertRefused("no node in ", "run.socket = /x");
        assertRefused("invalid run.socket =  in ", "node./dev/ion = ion");
        assertRefused("reading ", LEAST + "limit.calls = \\u00x");
    }

    @Test
    void a_group_is_a_name_or_a_number() throws Exception {
        assertEquals(OptionalInt.of(0), load(LEAST + "run.group = root").runGroup());
        assertEquals(OptionalInt.of(7), load(LEAST + "run.group = 7").runGroup());
        assertEquals(OptionalInt.empty(), load(LEAST).runGroup());
    }

    private void assertRefused(String begin, String text) {
        InvalidSetting refused = assertThrows(InvalidSetting.class, () -> load(text));
        assertTrue(refused.getMessage().startsWith(begin), refused.getMessage());
        assertTrue(refused.getMessage().contains("agent.properties"), refused.getMessage());
    }
}
