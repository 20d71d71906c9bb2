// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

/** Parser of numbers on command lines. */
final class Numbers {
    private Numbers() {}

    /**
     * Reads a whole number.
     *
     * @param what name of the number, for the message
     * @param text decimal digits
     * @param lowest least accepted value
     * @param highest greatest accepted value
     * @return the number
     * @throws IllegalArgumentException with a message for the user of the shell
     */
    static long whole(String what, String text, long lowest, long highest) {
        try {
            long number = Long.parseLong(text);
            if (number >= lowest && number <= highest) {
                return number;
            }
        } catch (NumberFormatException e) {
            // reported below
        }
        throw new IllegalArgumentException(
                "invalid " + what + " = '" + text + "': expected a whole number from " + lowest + " to " + highest);
    }

    /**
     * Reads a mask of heap ids.
     *
     * @param text decimal, or hexadecimal with 0x, up to 64 bits
     * @return the mask
     * @throws IllegalArgumentException with a message for the user of the shell
     */
    static long mask(String text) {
        try {
            return text.startsWith("0x") ? Long.parseUnsignedLong(text.substring(2), 16) : Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "invalid mask = '" + text + "': expected up to 64 bits, such as 0x5 for heap ids 0 and 2", e);
        }
    }
}
