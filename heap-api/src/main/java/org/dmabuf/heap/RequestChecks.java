// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** Checks of argument values, for requests and identities of clients. Each returns the checked value. */
final class RequestChecks {
    /** Bytes of the largest page that the supported processors have (arm64). */
    private static final long LARGEST_PAGE = 65_536;
    /** Bytes of the largest buffer that can be rounded up to pages. */
    private static final long LARGEST_SIZE = Long.MAX_VALUE - LARGEST_PAGE + 1;
    /** DMA_BUF_NAME_LEN of linux/dma-buf.h, less its NUL. */
    private static final int NAME_BYTES = 31;
    /** Most bytes of UTF-8 that one char takes. */
    private static final int LONGEST_CHAR = 3;

    private RequestChecks() {}

    static long size(long bytes) {
        if (bytes <= 0 || bytes > LARGEST_SIZE) {
            throw new IllegalArgumentException(
                    "invalid size = " + bytes + ": expected 1 to " + LARGEST_SIZE + " bytes");
        }
        return bytes;
    }

    static long alignment(long bytes) {
        if (bytes <= 0 || Long.bitCount(bytes) != 1) {
            throw new IllegalArgumentException("invalid alignment = " + bytes + ": expected a power of two in bytes");
        }
        return bytes;
    }

    static String bufferName(String name) {
        Objects.requireNonNull(name, "invalid name = null: expected a text");
        boolean visible = !name.isEmpty() && name.codePoints().noneMatch(Character::isISOControl);
        boolean fits = name.length() * LONGEST_CHAR <= NAME_BYTES
                || name.getBytes(StandardCharsets.UTF_8).length <= NAME_BYTES;
        if (!visible || !fits) {
            throw new IllegalArgumentException("invalid name = '" + printable(name) + "': expected 1 to " + NAME_BYTES
                    + " bytes of UTF-8 without control characters");
        }
        return name;
    }

    /** Replaces control characters, which could move a terminal's cursor, and shortens a text that would fill a log. */
    static String printable(String text) {
        int shown = Math.min(text.length(), 80);
        StringBuilder safe = new StringBuilder(shown + 1);
        text.substring(0, shown).codePoints().forEach(c -> safe.appendCodePoint(Character.isISOControl(c) ? '?' : c));
        return shown == text.length() ? safe.toString() : safe.append('…').toString();
    }
}
