// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeviceCommandsTest {
    private static final String BITS = "/sys/devices/pci0000:00/0000:00:1f.6/0000:03:00.0/dma_mask_bits";

    private final InMemoryBroker broker = InMemoryBroker.of(
            InMemoryHeap.of("system", 8L << 20),
            InMemoryHeap.of("cma", 8L << 20)
                    .with(HeapProperties.CONTIGUOUS, true)
                    .with(HeapProperties.DMA_BITS, 30));
    private final Gogo gogo = new Gogo(broker);

    @BeforeEach
    void devices() {
        broker.addDemands(
                Demand.parse("/dev/video0 address=32bit " + BITS),
                Demand.parse("/dev/video0 buffers=4 VIDIOC_G_FMT"),
                Demand.parse("/dev/dri/card0 address=30bit"),
                Demand.parse("/dev/dri/card0 sg=contiguous sg in etc/org.dmabuf.device.constraints-card.cfg"),
                Demand.parse("/dev/dri/card0 size.min=2M"),
                Demand.parse("/dev/old address=0x80000000-0xffffffff board.cfg"));
    }

    @AfterEach
    void close() {
        gogo.close();
        broker.close();
    }

    @Test
    void demands_and_their_places_are_listed_with_the_heaps_and_the_reasons_of_the_others() throws Exception {
        String report = gogo.run("dmaheap:constraints /dev/video0 /dev/dri/card0");
        assertEquals("""
                DEVICE          KIND      VALUE       READ FROM
                /dev/video0     address   32bit       …0/0000:00:1f.6/0000:03:00.0/dma_mask_bits
                /dev/video0     buffers   4           VIDIOC_G_FMT
                /dev/dri/card0  address   30bit
                /dev/dri/card0  sg        contiguous  …tc/org.dmabuf.device.constraints-card.cfg
                /dev/dri/card0  size.min  2M

                together              address=30bit, sg=contiguous, size.min=2M
                size                  2097152 bytes (2 MiB)
                buffers               at least 4
                heaps                 cma

                system: it does not meet the request and all demands""", report);
        assertTrue(gogo.run("dmaheap:constraints --wide /dev/video0").contains(" " + BITS + "\n"));
    }

    @Test
    void a_heap_is_not_proven_for_a_device_that_does_not_state_what_it_takes() throws Exception {
        broker.addDemands(
                Demand.parse("/dev/video2 cpu=cached"),
                Demand.parse("/dev/video3 sg=any etc"),
                Demand.parse("/dev/sda mappable=true"),
                Demand.parse("/dev/video4 address=any"),
                Demand.parse("/dev/video4 sg=any"));
        String printed = gogo.run("dmaheap:constraints /dev/video2 /dev/video3 /dev/sda");
        assertTrue(printed.endsWith("""
                        heaps                 system, cma

                        system: permitted, not proven: /dev/video2 states no address and no sg;
                          /dev/video3 states no address
                        cma: permitted, not proven: /dev/video2 states no address; /dev/video3 states no
                          address"""), printed);
        for (String device : new String[] {"/dev/sda", "/dev/video4"}) {
            assertFalse(gogo.run("dmaheap:constraints " + device).contains("proven"), device);
        }
        String json = gogo.run("dmaheap:constraints --json /dev/video3");
        String reason = "\"reason\":\"\\/dev\\/video3 states no address\"";
        assertTrue(
                json.contains("\"notProven\":[{\"heap\":\"system\"," + reason + "},{\"heap\":\"cma\"," + reason + "}]"),
                json);
    }

    @Test
    void each_line_fits_80_columns() throws Exception {
        for (String line : new String[] {"/dev/video0 /dev/dri/card0", "/dev/old /dev/dri/card0", "/dev/null"}) {
            gogo.run("dmaheap:constraints " + line)
                    .lines()
                    .forEach(printed -> assertTrue(printed.length() <= 80, printed));
        }
    }

    @Test
    void a_contradiction_names_both_devices_and_nothing_is_listed_as_together() throws Exception {
        String printed = gogo.run("dmaheap:constraints /dev/old /dev/dri/card0");
        assertFalse(printed.contains("\ntogether"), printed);
        String text = printed.replaceAll("\\s+", " ");
        assertTrue(
                text.contains("heaps none: plan for a buffer of 1048576 bytes failed: no heap can meet"
                        + " address=0x80000000-0xffffffff of /dev/old (board.cfg) and address=30bit of /dev/dri/card0"),
                text);
    }

    @Test
    void the_size_decides_as_well() throws Exception {
        broker.addDemands(Demand.parse("/dev/sg sg=2x4K"));
        assertTrue(gogo.run("dmaheap:constraints -s 8K /dev/sg").contains("\nheaps                 system, cma"));
        assertTrue(gogo.run("dmaheap:constraints -s 12K /dev/sg").contains("\nheaps                 none: "));
    }

    @Test
    void a_device_of_which_nothing_is_known_is_listed_as_unknown(@TempDir Path folder) throws Exception {
        Path file = Files.createFile(folder.resolve("device"));
        String printed = gogo.run("dmaheap:constraints /dev/video0 " + file);
        assertTrue(printed.contains("unknown"), printed);
        assertTrue(printed.contains("\nheaps                 none: the demands of device"), printed);
        String json = gogo.run("dmaheap:constraints --json /dev/video0 " + file);
        assertTrue(json.contains("\"unknown\":[\"" + file.toString().replace("/", "\\/") + "\"]"), json);
    }

    @Test
    void a_wrong_name_is_refused_with_a_sentence() {
        String sentence = "unknown device '/dev/vdeo0': expected the path of a device file such as /dev/video0, or a"
                + " device that an installed bundle knows";
        assertEquals(sentence, gogo.refusal("dmaheap:constraints /dev/video0 /dev/vdeo0"));
        assertEquals(sentence, gogo.refusal("dmaheap:alloc --for /dev/video0,/dev/vdeo0 4K"));
        assertTrue(gogo.refusal("dmaheap:constraints /dev/video0 /dev/video0").contains("expected each once"));
        assertTrue(gogo.refusal("dmaheap:constraints").startsWith("usage: dmaheap:constraints [options] DEVICE..."));
        assertTrue(gogo.refusal("dmaheap:constraints -s x /dev/video0").startsWith("'x' is not a size"));
    }

    @Test
    void a_source_that_fails_ends_the_command() {
        HeapException failure = HeapException.of(Errno.EIO, "reading the address bits of device /dev/video0 failed");
        HeapBroker failing = (HeapBroker)
                Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {HeapBroker.class}, (_, _, _) -> {
                    throw failure;
                });
        try (Gogo other = new Gogo(failing)) {
            assertEquals(failure.getMessage(), other.refusal("dmaheap:constraints /dev/video0"));
        }
    }

    @Test
    void a_buffer_for_devices_comes_from_a_heap_that_meets_their_demands() throws Exception {
        assertTrue(gogo.run("dmaheap:alloc -n one 4K").contains("system"));
        String made = gogo.run("dmaheap:alloc --json -n two --for /dev/video0,/dev/dri/card0 4K");
        assertTrue(made.startsWith("{\"name\":\"two\",\"size\":2097152,\"content\":2097152,\"heap\":\"cma\""), made);
        String refusal = gogo.refusal("dmaheap:alloc -f /dev/old,/dev/video0 4K");
        assertTrue(refusal.contains("no serving heap meets address="), refusal);
    }

    @Test
    void the_answer_of_a_device_to_each_heap_is_listed() throws Exception {
        broker.addDemands(Demand.parse("/dev/video1 not-heap=system PREPARE_BUF refused its memory"));
        FakeProbe probe = new FakeProbe("/dev/video1", 614_400)
                .answering("system", ProbeOutcome.refused("PREPARE_BUF", Errno.EFAULT.number()));
        assertEquals("""
                device                /dev/video1
                format                640x480 YUYV
                size                  614400 bytes (600 KiB)

                HEAP    RESULT    DETAIL
                system  refused   PREPARE_BUF refused its memory with EFAULT
                cma     accepted  accepted, and the kernel copies nothing

                Each answer is to one buffer, and the device is as it was before. An acceptance
                proves nothing about other buffers of a heap, unless its heap.address.min and
                heap.address.max cover all of them.

                Requests for /dev/video1 exclude these heaps: system. The reasons:
                dmaheap:constraints /dev/video1. To forget the answers: dmaheap:probe --forget
                /dev/video1""", gogo.with(probe).run("dmaheap:probe /dev/video1"));
        probe.requireClosed();
        broker.requireNothingOpen();
        assertEquals("forgotten answers of /dev/video1: 2", gogo.run("dmaheap:probe --forget /dev/video1"));
        assertEquals("forgotten answers of /dev/video1: 0", gogo.run("dmaheap:probe --forget /dev/video1"));
    }

    @Test
    void a_heap_that_gives_no_buffer_has_its_reason_and_the_others_go_on() throws Exception {
        FakeProbe probe = new FakeProbe("/dev/video1", 16L << 20)
                .answering("cma", ProbeOutcome.bounced(614_400))
                .answering("large", ProbeOutcome.accepted(false));
        broker.add(InMemoryHeap.of("large", 64L << 20));
        String printed = gogo.with(probe).run("dmaheap:probe /dev/video1");
        assertTrue(printed.contains("\nsystem  not asked  see below\n"), printed);
        assertTrue(
                printed.contains("\nlarge   accepted   accepted; copies of the kernel are not observable\n"), printed);
        assertTrue(printed.contains("\n\nsystem: "), printed);
        printed.lines().forEach(line -> assertTrue(line.length() <= 80, line));
        assertFalse(gogo.run("dmaheap:probe --heap large /dev/video1").contains("system"));
        String json = gogo.run("dmaheap:probe --json -h large,absent /dev/video1");
        assertTrue(json.contains("\"heap\":\"absent\",\"result\":\"not asked\""), json);
        probe.requireClosed();
        broker.requireNothingOpen();
    }

    @Test
    void a_device_that_cannot_be_asked_ends_the_command_with_a_sentence() {
        assertEquals(
                "the probe of /dev/null failed: no installed bundle can ask this device; for a camera, install"
                        + " device-v4l2",
                gogo.refusal("dmaheap:probe /dev/null"));
        assertTrue(gogo.refusal("dmaheap:probe /dev/vdeo9").startsWith("unknown device '/dev/vdeo9'"));
        HeapException busy = HeapException.of(Errno.EBUSY, "VIDIOC_REQBUFS of /dev/video1 failed: in use");
        FakeProbe probe = new FakeProbe("/dev/video1", 4096).failing(busy);
        assertEquals(busy.getMessage(), gogo.with(probe).refusal("dmaheap:probe /dev/video1"));
        assertTrue(gogo.refusal("dmaheap:probe").startsWith("usage: dmaheap:probe [options] DEVICE"));
    }
}
