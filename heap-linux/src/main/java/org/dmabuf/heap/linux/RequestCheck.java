// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.HeapRequest;

/** What every source refuses before any system call. */
final class RequestCheck {
    private final String heap;
    private final String noReadOnlyExport;
    private final long alignment;

    /**
     * The checks of one heap, which has memory in pages and no flags.
     *
     * @param heap named in a refusal
     * @param noReadOnlyExport why there is no export for reading only, empty where there is
     */
    RequestCheck(String heap, String noReadOnlyExport) {
        this(heap, noReadOnlyExport, Bytes.PAGE);
    }

    /**
     * The checks of one heap, which has memory in pages and no flags.
     *
     * @param heap named in a refusal
     * @param noReadOnlyExport why there is no export for reading only, empty where there is
     * @param alignment bytes, the largest that may be asked for
     */
    RequestCheck(String heap, String noReadOnlyExport, long alignment) {
        this.heap = heap;
        this.noReadOnlyExport = noReadOnlyExport;
        this.alignment = alignment;
    }

    boolean grantsReadOnlyExport() {
        return noReadOnlyExport.isEmpty();
    }

    /**
     * Checks a request.
     *
     * @param request as it came
     * @return its size in bytes, rounded up to whole pages
     * @throws HeapException {@link Errno#EINVAL} with what is wrong
     */
    long wholePages(HeapRequest request) {
        if (request.size() <= 0 || request.size() > Long.MAX_VALUE - Bytes.PAGE) {
            throw invalid(request, "no buffer has that size; ask for 1 or more");
        }
        if (request.alignment() > alignment) {
            throw invalid(request, "memory is aligned to " + alignment + " bytes and not to " + request.alignment()
                    + "; use a heap whose heap.alignment reaches that far");
        }
        if (request.heapFlags() != 0) {
            throw invalid(
                    request,
                    "heap flags 0x" + Long.toHexString(request.heapFlags()) + " are unknown; none are defined");
        }
        if (request.exports() == Access.WRITE) {
            throw invalid(request, "there is no export for writing only; use READ or READ_WRITE");
        }
        if (request.exportable() && request.exports() == Access.READ && !grantsReadOnlyExport()) {
            throw invalid(request, "there is no export for reading only, because " + noReadOnlyExport
                    + "; use READ_WRITE, or a heap whose heap.export.readonly is true");
        }
        return Bytes.wholePages(request.size());
    }

    private HeapException invalid(HeapRequest request, String why) {
        return new HeapException(
                Errno.EINVAL, heap, "heap '" + heap + "' refused " + request.size() + " bytes: " + why);
    }
}
