// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.dmabuf.device.drm.DrmDevices;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.DeviceProbe.Trial;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Tests of probes with DRM drivers of the kernel: one without a display, one that imports, and one that does not. */
class DisplayConstraintsIT {
    private static final List<String> HEAPS = List.of("memfd", "system", "udmabuf");
    private static final int O_RDWR = 0x2;
    private static final long DRM_IOCTL_SET_MASTER = 0x641eL;
    private static final long DRM_IOCTL_DROP_MASTER = 0x641fL;

    private final BrokerParts broker = new BrokerParts();
    private final DrmDevices devices = new DrmDevices(ProbeContext.of(broker.sources::changed));
    private final List<MemorySource> sources = new ArrayList<>();

    @BeforeEach
    void heaps() {
        add("memfd", MemfdSource.open("memfd"));
        add("system", DmaHeapSource.open("system", "system"));
        add("udmabuf", UdmabufSource.open("udmabuf"));
        broker.sources.add(1, devices, "org.dmabuf.device.drm");
    }

    private void add(String name, MemorySource source) {
        sources.add(source);
        broker.heap(name, source, source.properties());
    }

    @AfterEach
    void close() {
        broker.close();
        sources.forEach(MemorySource::close);
    }

    /** {@return the node of the device with this driver} */
    static String card(String driver) throws IOException {
        Path cards = Path.of("/dev/dri");
        Assumptions.assumeTrue(Files.exists(cards), "skipped: this kernel has no DRM devices");
        try (DirectoryStream<Path> nodes = Files.newDirectoryStream(cards, "card*")) {
            for (Path node : nodes) {
                Path device =
                        Path.of("/sys/class/drm").resolve(node.getFileName()).resolve("device");
                // vgem's device has the name of its module, and no driver.
                Path named = Files.exists(device.resolve("driver")) ? device.resolve("driver") : device;
                if (named.toRealPath().endsWith(driver)) {
                    return node.toString();
                }
            }
        }
        throw new AssertionError("the guest has no device of " + driver);
    }

    private Map<String, String> probe(String card) {
        Map<String, String> outcomes = new TreeMap<>();
        try (Trial trial = devices.begin(card).orElseThrow()) {
            for (String heap : HEAPS) {
                try (DmaBuf buffer =
                        broker.allocate(AllocationRequest.of(614_400).withHeaps(heap))) {
                    outcomes.put(heap, trial.attach(buffer).toString());
                }
            }
        }
        System.out.println("probe of " + card + ": " + outcomes);
        return outcomes;
    }

    private List<String> offered(String card) {
        return broker.planner
                .plan(broker.client, AllocationRequest.of(614_400).forDevices(card))
                .heaps();
    }

    @Test
    void each_dmabuf_is_attached_to_a_driver_that_imports() throws IOException {
        for (String driver : List.of("vgem", "cirrus")) {
            String card = card(driver);
            Map<String, String> outcomes = probe(card);
            assertEquals("attached; the device maps the memory at its first use", outcomes.get("system"));
            assertEquals("attached; the device maps the memory at its first use", outcomes.get("udmabuf"));
            assertEquals("PRIME_FD_TO_HANDLE refused its memory with EINVAL", outcomes.get("memfd"));
            assertEquals(
                    List.of("system", "udmabuf"),
                    offered(card).stream().sorted().toList());
        }
    }

    /** The driver announces imports, because the kernel does so for all drivers. */
    @Test
    void a_driver_that_refuses_each_import_gets_no_heap_after_a_probe() throws IOException {
        String card = card("bochs-drm");
        assertEquals(
                List.of("system", "udmabuf"), offered(card).stream().sorted().toList());
        assertEquals(
                "PRIME_FD_TO_HANDLE refused its memory with EINVAL", probe(card).get("system"));
        HeapRefusedException refusal = assertThrows(HeapRefusedException.class, () -> offered(card));
        assertTrue(refusal.getMessage().contains("PRIME_FD_TO_HANDLE"), refusal.getMessage());
        devices.forget(card);
        assertEquals(2, offered(card).size());
    }

    @Test
    void a_display_server_can_start_during_a_trial_and_a_trial_beside_a_display_server() throws IOException {
        String card = card("cirrus");
        int server;
        try (Trial trial = devices.begin(card).orElseThrow()) {
            assertEquals(Bytes.PAGE, trial.size());
            server = Syscalls.linux().open(card, O_RDWR);
            assertEquals(0, Syscalls.linux().ioctl(server, DRM_IOCTL_DROP_MASTER, 0), "it became the master");
            assertEquals(0, Syscalls.linux().ioctl(server, DRM_IOCTL_SET_MASTER, 0));
        }
        try {
            assertEquals(3, probe(card).size());
            assertEquals(0, Syscalls.linux().ioctl(server, DRM_IOCTL_DROP_MASTER, 0), "it is still the master");
        } finally {
            Syscalls.linux().close(server);
        }
    }
}
