// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.nio.charset.StandardCharsets;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.kernel.DmaBufName;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/** Validator of requests before any system call. A broker is not the only caller of a source. */
public final class RequestValidator {
    private final String heap;
    private final String noReadOnlyExport;
    private final long alignment;

    /**
     * A validator of one heap, which has memory in pages and no flags.
     *
     * @param heap named in a refusal
     * @param noReadOnlyExport why there is no export for reading only, empty where there is
     */
    public RequestValidator(String heap, String noReadOnlyExport) {
        this(heap, noReadOnlyExport, Bytes.PAGE);
    }

    /**
     * A validator of one heap, which has memory in pages and no flags.
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
        requireSound(heap, request);
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

    /**
     * Checks what holds for a request to any heap.
     *
     * @param heap named in a refusal
     * @param request as it came
     * @throws HeapException {@link Errno#EINVAL} with what is wrong
     */
    public static void requireSound(String heap, HeapRequest request) {
        if (request == null) {
            throw new HeapException(Errno.EINVAL, heap, "heap '" + heap + "' refused a request that is null");
        }
        if (request.size() <= 0 || request.size() > Long.MAX_VALUE - Bytes.PAGE) {
            throw invalid(heap, request, "no buffer has that size; ask for 1 or more");
        }
        long alignment = request.alignment();
        if (alignment < 1 || (alignment & alignment - 1) != 0) {
            throw invalid(
                    heap, request, "an alignment of " + alignment + " bytes is no power of two; ask for 1, 2, 4 or so");
        }
        if (request.exports() == null) {
            throw invalid(heap, request, "exports is null; use READ or READ_WRITE");
        }
        if (request.name() == null || !request.name().isEmpty() && !canBeName(request.name())) {
            throw invalid(
                    heap,
                    request,
                    "the name "
                            + (request.name() == null ? "null" : "'" + request.name().replaceAll("\\p{Cc}", "?") + "'")
                            + " is none; use at most " + DmaBufName.MOST_BYTES
                            + " bytes of UTF-8 without control characters");
        }
    }

    private static boolean canBeName(String name) {
        return name.length() <= DmaBufName.MOST_BYTES
                && name.getBytes(StandardCharsets.UTF_8).length <= DmaBufName.MOST_BYTES
                && name.chars().noneMatch(Character::isISOControl);
    }

    private HeapException invalid(HeapRequest request, String why) {
        return invalid(heap, request, why);
    }

    private static HeapException invalid(String heap, HeapRequest request, String why) {
        return new HeapException(
                Errno.EINVAL, heap, "heap '" + heap + "' refused " + request.size() + " bytes: " + why);
    }
}
