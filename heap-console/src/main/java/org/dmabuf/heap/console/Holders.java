// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.process.HolderScan;

/** Holders of the buffers, scanned at most every two seconds and by one thread at a time, for any number of pages. */
final class Holders {
    private static final long FRESH_NANOS = 2_000_000_000L;

    /**
     * A scan.
     *
     * @param scan empty if it failed
     * @param limits sentences about processes that could not be read
     * @param ended in nanoseconds of the system's clock
     */
    record Result(Optional<HolderScan> scan, List<String> limits, long ended) {}

    private final AtomicBoolean scanning = new AtomicBoolean();
    private volatile Result last = new Result(Optional.empty(), List.of(), System.nanoTime() - 2 * FRESH_NANOS);

    /** {@return the last scan, after a new one if it is old and no other thread scans} */
    Result of(List<BufferRecord> buffers) {
        if (System.nanoTime() - last.ended > FRESH_NANOS && scanning.compareAndSet(false, true)) {
            try {
                last = scan(buffers);
            } finally {
                scanning.set(false);
            }
        }
        return last;
    }

    private static Result scan(List<BufferRecord> buffers) {
        try {
            HolderScan scan = HolderScan.of(buffers);
            return new Result(Optional.of(scan), scan.limits(), System.nanoTime());
        } catch (IOException | HeapException e) {
            return new Result(Optional.empty(), List.of(String.valueOf(e.getMessage())), System.nanoTime());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the server stops
            return new Result(Optional.empty(), List.of("the scan was interrupted"), System.nanoTime());
        }
    }
}
