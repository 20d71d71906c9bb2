// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

/** Numbers as people type them. */
final class Numbers {
    private Numbers() {}

    /**
     * Reads a whole number.
     *
     * @param what is counted, for the sentence
     * @param text decimal
     * @param lowest first value that will do
     * @param highest last value that will do
     * @return the number
     * @throws IllegalArgumentException with a sentence
     */
    static long whole(String what, String text, long lowest, long highest) {
        try {
            long number = Long.parseLong(text);
            if (number >= lowest && number <= highest) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new IllegalArgumentException(
                "'" + text + "' is no " + what + "; give a whole number from " + lowest + " to " + highest);
    }

    /**
     * Reads a mask of heap ids.
     *
     * @param text decimal, or hexadecimal with 0x, up to 64 bits
     * @return the mask
     * @throws IllegalArgumentException with a sentence
     */
    static long mask(String text) {
        try {
            return text.startsWith("0x") ? Long.parseUnsignedLong(text.substring(2), 16) : Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no mask; give up to 64 bits, such as 0x5 for the heaps of id 0 and 2", e);
        }
    }
}
