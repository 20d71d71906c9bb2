// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/**
 * Hash of a password by PBKDF2 with HMAC-SHA256.
 *
 * @param iterations {@value #LEAST_ITERATIONS} to {@value #MOST_ITERATIONS}
 * @param salt at least 8 bytes
 * @param hash 32 bytes
 */
record PasswordHash(int iterations, byte[] salt, byte[] hash) {
    private static final int LEAST_ITERATIONS = 100_000;
    /** Some seconds for each login. */
    private static final int MOST_ITERATIONS = 9_999_999;

    private static final int BITS = 256;
    private static final Pattern FORM = Pattern.compile("([1-9][0-9]{5,6}):((?:[0-9a-f]{2}){8,64}):([0-9a-f]{64})");

    /**
     * Parses {@code ITERATIONS:SALT:HASH}.
     *
     * @throws IllegalArgumentException with a sentence; it does not quote the text
     */
    static PasswordHash parse(String text) {
        Matcher found = FORM.matcher(text);
        if (!found.matches()) {
            throw new IllegalArgumentException("expected ITERATIONS:SALT:HASH of PBKDF2 with HMAC-SHA256, "
                    + LEAST_ITERATIONS + " to " + MOST_ITERATIONS + " iterations, salt and hash in hexadecimal");
        }
        HexFormat hex = HexFormat.of();
        return new PasswordHash(
                Integer.parseInt(found.group(1)), hex.parseHex(found.group(2)), hex.parseHex(found.group(3)));
    }

    /** {@return whether it is the hash of a password; takes some microseconds for each iteration} */
    boolean isOf(String password) {
        try {
            byte[] other = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
                    .generateSecret(new PBEKeySpec(password.toCharArray(), salt, iterations, BITS))
                    .getEncoded();
            return MessageDigest.isEqual(hash, other);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // every JDK has this algorithm
        }
    }
}
