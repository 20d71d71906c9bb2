// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the distributed gateway with device nodes that come later, and in a cgroup of version 2. */
class GatewayEnvironmentIT {
    @TempDir
    Path folder;

    private GatewayProcess gateway;

    @BeforeEach
    void unpack() throws Exception {
        gateway = GatewayProcess.in(folder);
    }

    @AfterEach
    void close() {
        gateway.close();
    }

    @Test
    void nodes_that_come_later_open_a_heap_with_a_forced_back_end_and_become_a_carveout_s_exports() throws Exception {
        Path etc = gateway.home().resolve("etc");
        Files.writeString(etc.resolve("org.dmabuf.heap.system.cfg"), "backend = dma-heap\n");
        Files.writeString(etc.resolve("org.dmabuf.heap.carveout-camera.cfg"), "size = 4M\n");
        List<Path> nodes = List.of(Devices.SYSTEM_HEAP, Devices.UDMABUF);
        for (Path node : nodes) {
            Files.move(node, away(node));
        }
        try {
            gateway.start();
            gateway.await("dmaheap:list", "system .* waiting .*");
            gateway.await("dmaheap:list", "camera +carveout +memfd +no +serving .*");
            gateway.run("dmaheap:alloc -h camera -n early 64K");
        } finally {
            for (Path node : nodes) {
                Files.move(away(node), node);
            }
        }
        gateway.await("dmaheap:list", "system +system +dma-heap +yes +serving .*");
        gateway.await("dmaheap:list", "camera +carveout +udmabuf +yes +serving .*");
        gateway.run("dmaheap:load -h camera -n late " + gateway.home().resolve("README.md"));
        assertEquals(1, GatewayIT.kernelsBuffers("late").size());
        assertEquals(List.of(), GatewayIT.kernelsBuffers("early")); // it stays a memfd
        gateway.run("dmaheap:free early");
        gateway.end();
    }

    private static Path away(Path node) {
        return node.resolveSibling(node.getFileName() + ".away");
    }

    @Test
    void at_pids_max_of_a_cgroup_of_version_2_one_sentence_names_the_limit() throws Exception {
        Path top = Path.of("/sys/fs/cgroup");
        Files.writeString(top.resolve("cgroup.subtree_control"), "+pids", StandardOpenOption.WRITE);
        Path cgroup = Files.createDirectory(top.resolve("dmaheap-test-threads"));
        try {
            Files.writeString(cgroup.resolve("pids.max"), "34", StandardOpenOption.WRITE);
            gateway.start("sh", "-c", "echo $$ >" + cgroup.resolve("cgroup.procs") + " && exec \"$@\"", "sh");
            String log = gateway.failure();
            assertTrue(log.lines().anyMatch(line -> line.matches("starting 32 threads failed: .*pids\\.max.*")), log);
            assertFalse(log.contains("\tat "), log);
        } finally {
            Files.delete(cgroup);
        }
    }
}
