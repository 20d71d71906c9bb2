// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/** Check of the error number and the message of a refusal. */
final class Sentence {
    private Sentence() {}

    static void assertErrno(Errno expected, HeapException refusal) {
        if (refusal.errno() != expected) {
            throw new AssertionError("refused with " + refusal.errno() + ", expected " + expected, refusal);
        }
    }

    /** @param size the requested size; the message may name the rounded size instead */
    static void assertNames(String heap, long size, HeapException refusal) {
        String text = String.valueOf(refusal.getMessage());
        if (!refusal.heap().equals(Optional.of(heap))) {
            throw new AssertionError(
                    "the refusal names heap '" + refusal.heap().orElse("") + "', expected '" + heap + "': " + text,
                    refusal);
        }
        boolean named = text.contains(Long.toString(size)) || text.contains(Bytes.text(size));
        if (!named) {
            long rounded = Bytes.wholePages(size);
            named = text.contains(Long.toString(rounded)) || text.contains(Bytes.text(rounded));
        }
        if (!named) {
            throw new AssertionError("the refusal does not name the size " + size + ": " + text, refusal);
        }
    }
}
