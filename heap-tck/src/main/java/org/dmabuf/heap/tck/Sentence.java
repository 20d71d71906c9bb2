// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/** Looks at what a refusal says. */
final class Sentence {
    private Sentence() {}

    static void assertErrno(Errno expected, HeapException refusal) {
        if (refusal.errno() != expected) {
            throw new AssertionError("refused with " + refusal.errno() + " and not with " + expected, refusal);
        }
    }

    /** @param size as it was asked; naming what it was rounded up to will do */
    static void assertNames(String heap, long size, HeapException refusal) {
        String text = String.valueOf(refusal.getMessage());
        if (!refusal.heap().equals(Optional.of(heap))) {
            throw new AssertionError("the refusal is of heap '" + refusal.heap().orElse("") + "' and not of '" + heap
                    + "': " + text, refusal);
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
