// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 of memory, in the format of sha256sum. */
final class Sha256 {
    /** The digest takes a byte buffer, which has at most 2 GiB. */
    private static final long PIECE = 64L << 20;

    private Sha256() {}

    /**
     * Computes the sum of memory.
     *
     * @return the sum in hexadecimal
     * @throws InterruptedException if the thread was interrupted
     */
    static String of(MemorySegment memory) throws InterruptedException {
        MessageDigest digest = digest();
        for (long offset = 0; offset < memory.byteSize(); offset += PIECE) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            long length = Math.min(PIECE, memory.byteSize() - offset);
            digest.update(memory.asSlice(offset, length).asByteBuffer());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
