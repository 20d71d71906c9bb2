// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BounceCounterTest {
    private static final String COUNTER = "sys/kernel/debug/swiotlb/io_tlb_used";

    @TempDir
    private Path root;

    private int attached;

    /** Device that adds slots to the counter while a buffer is attached, and leaves some behind. */
    private final class Device implements BounceCounter.Attachment {
        private final int result;
        private final int[] added;
        private final int[] left;
        private int round;

        Device(int result, int[] added, int... left) {
            this.result = result;
            this.added = added;
            this.left = left;
        }

        @Override
        public int attach() {
            attached++;
            add(added.length == 0 ? 0 : added[round % added.length]);
            return result;
        }

        @Override
        public void detach() {
            attached--;
            add((added.length == 0 ? 0 : -added[round % added.length]) + (left.length == 0 ? 0 : left[round]));
            round++;
        }

        private void add(int slots) {
            Path file = root.resolve(COUNTER);
            if (Files.exists(file) && slots != 0) {
                write(Integer.toString(read() + slots));
            }
        }
    }

    private int read() {
        try {
            return Integer.parseInt(Files.readString(root.resolve(COUNTER)).strip());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void write(String text) {
        try {
            Files.createDirectories(root.resolve(COUNTER).getParent());
            Files.writeString(root.resolve(COUNTER), text + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private ProbeOutcome observe(Device device) {
        ProbeOutcome outcome = BounceCounter.of(root).observe("PREPARE_BUF", device);
        assertEquals(0, attached);
        return outcome;
    }

    @Test
    void a_counter_that_stays_proves_that_nothing_is_copied() {
        write("5");
        assertEquals(ProbeOutcome.accepted(true), observe(new Device(0, new int[] {0})));
    }

    @Test
    void a_counter_that_grows_by_the_same_number_three_times_proves_a_copy() {
        write("5");
        Device device = new Device(0, new int[] {300});
        assertEquals(ProbeOutcome.bounced(614_400), observe(device));
        assertEquals(3, device.round);
    }

    @Test
    void a_counter_that_other_devices_change_proves_nothing() {
        write("500");
        assertEquals(ProbeOutcome.accepted(false), observe(new Device(0, new int[] {300, 300, 301})));
        assertEquals(ProbeOutcome.accepted(false), observe(new Device(0, new int[] {0}, 0, 0, 7)));
        assertEquals(ProbeOutcome.accepted(false), observe(new Device(0, new int[] {300}, 1, 0, 0)));
        assertEquals(ProbeOutcome.accepted(false), observe(new Device(0, new int[] {-2})));
    }

    @Test
    void without_a_readable_counter_one_attachment_is_enough() {
        Device device = new Device(0, new int[] {0});
        assertEquals(ProbeOutcome.accepted(false), observe(device));
        assertEquals(1, device.round);
        write("many");
        assertEquals(ProbeOutcome.accepted(false), observe(new Device(0, new int[] {})));
    }

    @Test
    void the_pool_of_one_device_counts_too() throws IOException {
        write("5");
        Path pool = Files.createDirectories(root.resolve("sys/kernel/debug/swiotlb/wifi@50000000"));
        Files.writeString(pool.resolve("io_tlb_used"), "0\n");
        ProbeOutcome outcome = BounceCounter.of(root).observe("PREPARE_BUF", new BounceCounter.Attachment() {
            @Override
            public int attach() {
                return used(4);
            }

            @Override
            public void detach() {
                used(0);
            }

            private int used(int slots) {
                try {
                    Files.writeString(pool.resolve("io_tlb_used"), slots + "\n");
                    return 0;
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        });
        assertEquals(ProbeOutcome.bounced(8192), outcome);
    }

    @Test
    void a_refusal_ends_the_observation() {
        write("5");
        Device device = new Device(-Errno.EFAULT.number(), new int[] {0});
        assertEquals(ProbeOutcome.refused("PREPARE_BUF", Errno.EFAULT.number()), observe(device));
        assertEquals(1, device.round);
    }

    @Test
    void a_failure_leaves_nothing_attached() {
        IllegalStateException gone = new IllegalStateException("gone");
        BounceCounter counter = BounceCounter.of(root);
        assertEquals(
                gone,
                assertThrows(
                        IllegalStateException.class,
                        () -> counter.observe("x", new BounceCounter.Attachment() {
                            @Override
                            public int attach() {
                                attached++;
                                throw gone;
                            }

                            @Override
                            public void detach() {
                                attached--;
                            }
                        })));
        assertEquals(0, attached);
    }
}
