// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/** Validator of requests before any system call. A source needs it, because a broker is not its only caller. */
public final class RequestValidator {
    private final String heap;
    private final String noReadOnlyExport;
    private final long alignment;

    /**
     * Makes a validator for a heap with memory in pages.
     *
     * @param heap named in exceptions
     * @param noReadOnlyExport why the heap has no read-only export, empty if it has
     */
    public RequestValidator(String heap, String noReadOnlyExport) {
        this(heap, noReadOnlyExport, Bytes.PAGE);
    }

    /**
     * Makes a validator for a heap with memory in pages.
     *
     * @param heap named in exceptions
     * @param noReadOnlyExport why the heap has no read-only export, empty if it has
     * @param alignment bytes, the largest alignment that a request may have
     */
    public RequestValidator(String heap, String noReadOnlyExport, long alignment) {
        this.heap = heap;
        this.noReadOnlyExport = noReadOnlyExport;
        this.alignment = alignment;
    }

    /** {@return whether the heap has a read-only export} */
    public boolean grantsReadOnlyExport() {
        return noReadOnlyExport.isEmpty();
    }

    /**
     * Checks a request.
     *
     * @param request the request
     * @return its size in bytes, rounded up to whole pages
     * @throws HeapException {@link Errno#EINVAL} for an invalid request
     */
    public long wholePages(HeapRequest request) {
        if (request == null) {
            throw HeapException.of(Errno.EINVAL, heap, "invalid request = null: expected a HeapRequest");
        }
        if (request.alignment() > alignment) {
            throw invalid(
                    request,
                    "memory is aligned to " + alignment + " bytes, not to " + request.alignment()
                            + "; use a heap with a larger heap.alignment");
        }
        if (request.export() == ExportMode.READ_ONLY && !grantsReadOnlyExport()) {
            throw invalid(
                    request,
                    "the heap has no read-only export, because " + noReadOnlyExport
                            + "; use READ_WRITE, or a heap whose heap.export.readonly is true");
        }
        return Bytes.wholePages(request.size());
    }

    private HeapException invalid(HeapRequest request, String why) {
        return HeapException.of(Errno.EINVAL, heap, request.size() + " bytes were refused: " + why);
    }
}
