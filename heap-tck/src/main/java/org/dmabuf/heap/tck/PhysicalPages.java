// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Physical addresses of the pages of a mapping, from {@code /proc/self/pagemap}. The kernel shows them to a process
 * with CAP_SYS_ADMIN, and not for a mapping of a device, as that of most dma-bufs is.
 */
final class PhysicalPages {
    private static final String PAGEMAP = "/proc/self/pagemap";
    /** Bits of an entry with the number of the page frame. */
    private static final long FRAME = (1L << 55) - 1;

    private final long[] addresses;

    private PhysicalPages(long[] addresses) {
        this.addresses = addresses;
    }

    /** Reads the addresses of a writable mapping; 0 stands for an address that the kernel hides. */
    static PhysicalPages of(MemorySegment mapping) throws IOException {
        int pages = Math.toIntExact(mapping.byteSize() / Bytes.PAGE);
        for (int page = 0; page < pages; page++) {
            mapping.set(ValueLayout.JAVA_BYTE, page * Bytes.PAGE, (byte) 1); // gives the page table an entry
        }
        ByteBuffer entries = ByteBuffer.allocate(pages * Long.BYTES).order(ByteOrder.nativeOrder());
        try (RandomAccessFile pagemap = new RandomAccessFile(PAGEMAP, "r")) { // an interrupt does not close it
            pagemap.seek(mapping.address() / Bytes.PAGE * Long.BYTES);
            pagemap.readFully(entries.array());
        }
        long[] addresses = new long[pages];
        entries.asLongBuffer().get(addresses);
        return new PhysicalPages(Arrays.stream(addresses)
                .map(entry -> (entry & FRAME) * Bytes.PAGE)
                .toArray());
    }

    /** Returns why the addresses of a heap's memory cannot be checked. */
    static Optional<String> unlessVisible(HeapUnderTest heap) {
        return heap.unlessMappable().or(() -> {
            try (HeldBuffer buffer = heap.allocate(HeapRequest.of(1))) {
                return Arrays.stream(of(buffer.map(Access.READ_WRITE)).addresses)
                                .allMatch(address -> address != 0)
                        ? Optional.empty()
                        : hidden("the process lacks CAP_SYS_ADMIN, or the memory is that of a device");
            } catch (IOException | RuntimeException | Error e) {
                return hidden(e.toString()); // another case reports a fault of the heap
            }
        });
    }

    private static Optional<String> hidden(String cause) {
        return Optional.of("the kernel hides the physical addresses: " + cause);
    }

    long[] addresses() {
        return addresses.clone();
    }

    /** Returns the first offset, other than a multiple of the run, at which the addresses do not continue. */
    OptionalLong breakWithin(long run) {
        for (int page = 1; page < addresses.length; page++) {
            long offset = page * Bytes.PAGE;
            if (offset % run != 0 && addresses[page] != addresses[page - 1] + Bytes.PAGE) {
                return OptionalLong.of(offset);
            }
        }
        return OptionalLong.empty();
    }
}
