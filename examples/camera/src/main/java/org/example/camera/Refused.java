// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

/** Refusal whose {@code toString} is only its message, because Gogo prints an exception by {@code toString}. */
final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refused(Exception cause) {
        super(cause.getMessage(), cause);
    }

    @Override
    public String toString() {
        return getMessage();
    }
}
