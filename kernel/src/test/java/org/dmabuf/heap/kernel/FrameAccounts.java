// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Accounts of a client's buffers of one name: the kernel's list, its descriptions of descriptors, and the broker's. */
final class FrameAccounts {
    private final GatewayProcess gateway;
    private final String client;
    private final String name;

    FrameAccounts(GatewayProcess gateway, String client, String name) {
        this.gateway = gateway;
        this.client = client;
        this.name = name;
    }

    /** Requires that the kernel, the broker and the descriptors of another process show the same buffers. */
    void requireAgreement(int buffers, long holder) throws Exception {
        List<String> kernels = GatewayIT.kernelsBuffers(name);
        assertEquals(buffers, kernels.size());
        long bytes = kernels.stream().mapToLong(Long::parseLong).sum();
        assertEquals(bytes, charged("live"));
        assertEquals(0, charged("lingering"));
        assertEquals(bytes, held(holder));
    }

    /** {@return the bytes of the different buffers} A mapping of Python has another descriptor of its own. */
    private long held(long process) throws IOException {
        Map<String, Long> sizes = new HashMap<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/" + process + "/fdinfo"))) {
            for (Path descriptor : descriptors) {
                List<String> lines = Files.readAllLines(descriptor);
                if (lines.contains("name:\t" + name)) {
                    sizes.put(field("ino:\t", lines), Long.parseLong(field("size:\t", lines)));
                }
            }
        }
        return sizes.values().stream().mapToLong(Long::longValue).sum();
    }

    private static String field(String start, List<String> lines) {
        return lines.stream()
                .filter(line -> line.startsWith(start))
                .findFirst()
                .orElseThrow()
                .substring(start.length());
    }

    /** @param state live or lingering */
    private long charged(String state) throws IOException {
        String clients = gateway.run("dmaheap:clients --json");
        Matcher charge = Pattern.compile("\"client\":\"" + client + "\".*?\"" + state + "Bytes\":(\\d+)")
                .matcher(clients);
        assertTrue(charge.find(), clients);
        return Long.parseLong(charge.group(1));
    }

    /** Waits until the broker has released all buffers, and requires that the kernel has, too. */
    void requireNothing() throws Exception {
        long end = System.nanoTime() + 60_000_000_000L;
        while (charged("live") + charged("lingering") > 0) {
            assertTrue(System.nanoTime() < end, "buffers are still charged");
            Thread.sleep(100);
        }
        assertEquals(List.of(), GatewayIT.kernelsBuffers(name));
    }
}
