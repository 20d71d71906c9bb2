// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/** Validator of requests before any system call. A broker is not the only caller of a source. */
public final class RequestValidator {
    private final String heap;
    private final String noReadOnlyExport;
    private final long alignment;

    /**
     * A validator of one heap, which has memory in pages.
     *
     * @param heap named in a refusal
     * @param noReadOnlyExport why there is no export for reading only, empty where there is
     */
    public RequestValidator(String heap, String noReadOnlyExport) {
        this(heap, noReadOnlyExport, Bytes.PAGE);
    }

    /**
     * A validator of one heap, which has memory in pages.
     *
     * @param heap named in a refusal
     * @param noReadOnlyExport why there is no export for reading only, empty where there is
     * @param alignment bytes, the largest that may be asked for
     */
    public RequestValidator(String heap, String noReadOnlyExport, long alignment) {
        this.heap = heap;
        this.noReadOnlyExport = noReadOnlyExport;
        this.alignment = alignment;
    }

    /** {@return whether a buffer of this heap can be exported for reading only} */
    public boolean grantsReadOnlyExport() {
        return noReadOnlyExport.isEmpty();
    }

    /**
     * Checks a request.
     *
     * @param request as it came
     * @return its size in bytes, rounded up to whole pages
     * @throws HeapException {@link Errno#EINVAL} with what is wrong
     */
    public long wholePages(HeapRequest request) {
        if (request == null) {
            throw HeapException.of(Errno.EINVAL, heap, "invalid request = null: expected a HeapRequest");
        }
        if (request.alignment() > alignment) {
            throw invalid(request, "memory is aligned to " + alignment + " bytes and not to " + request.alignment()
                    + "; use a heap whose heap.alignment reaches that far");
        }
        if (request.export() == ExportMode.READ_ONLY && !grantsReadOnlyExport()) {
            throw invalid(request, "there is no export for reading only, because " + noReadOnlyExport
                    + "; use READ_WRITE, or a heap whose heap.export.readonly is true");
        }
        return Bytes.wholePages(request.size());
    }

    private HeapException invalid(HeapRequest request, String why) {
        return HeapException.of(Errno.EINVAL, heap, request.size() + " bytes were refused: " + why);
    }
}
