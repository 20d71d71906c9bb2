// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.spi.ProbeOutcome;

/**
 * Counter of the memory into which the kernel copies buffers that a device does not reach (swiotlb). The kernel has one
 * counter for all devices of the machine, and one for each pool that the device tree sets aside. A difference counts as
 * observed only if several attachments in a row give the same one.
 */
public final class BounceCounter {
    private static final int ROUNDS = 3;
    /** Bytes of a slot: 1 << IO_TLB_SHIFT in the kernel's linux/swiotlb.h. */
    private static final long SLOT = 2048;

    private static final String USED = "io_tlb_used";

    private final Path folder;

    /** Attachment of one buffer to a device, which can be repeated. */
    public interface Attachment {
        /**
         * Attaches the buffer and maps it.
         *
         * @return 0 or more, or the negative error number of a refusal
         */
        int attach();

        /** Detaches the buffer, also after a refusal. */
        void detach();
    }

    private BounceCounter(Path folder) {
        this.folder = folder;
    }

    /**
     * Returns the counter of a machine. It needs debugfs, which only root can read; without it copies are not
     * observable.
     *
     * @param root the root of all files, {@code /} but for tests
     * @return a counter
     */
    public static BounceCounter of(Path root) {
        return new BounceCounter(root.resolve("sys/kernel/debug/swiotlb"));
    }

    /**
     * Attaches a buffer, three times if copies are observable, and observes whether the kernel maps a copy.
     *
     * @param operation the call that can refuse, for the outcome
     * @param attachment of the buffer; it is detached when this method returns or throws
     * @return the outcome
     */
    public ProbeOutcome observe(String operation, Attachment attachment) {
        OptionalLong copied = OptionalLong.empty();
        boolean steady = true;
        for (int round = 0; round < ROUNDS; round++) {
            OptionalLong before = slots();
            OptionalLong during;
            try {
                int result = attachment.attach();
                if (result < 0) {
                    return ProbeOutcome.refused(operation, -result);
                }
                during = slots();
            } finally {
                attachment.detach();
            }
            if (before.isEmpty() || during.isEmpty()) {
                return ProbeOutcome.accepted(false);
            }
            OptionalLong difference = OptionalLong.of(during.getAsLong() - before.getAsLong());
            steady &= before.equals(slots()) && (round == 0 || difference.equals(copied));
            copied = difference;
        }
        if (!steady || copied.getAsLong() < 0) {
            return ProbeOutcome.accepted(false); // other devices changed the counter
        }
        return copied.getAsLong() == 0 ? ProbeOutcome.accepted(true) : ProbeOutcome.bounced(copied.getAsLong() * SLOT);
    }

    /** {@return the slots in use, of all pools together; empty if they cannot be read} */
    private OptionalLong slots() {
        try (DirectoryStream<Path> pools = Files.newDirectoryStream(folder, Files::isDirectory)) {
            long slots = slots(folder);
            for (Path pool : pools) {
                slots += slots(pool);
            }
            return OptionalLong.of(slots);
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    private static long slots(Path pool) {
        return Long.parseLong(ProcFile.read(pool.resolve(USED)).orElse("").strip());
    }
}
