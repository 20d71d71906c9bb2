// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import org.apache.felix.webconsole.spi.SecurityProvider;

/** Login of the web console's only user, by HTTP's basic authentication. */
final class Login implements SecurityProvider {
    private static final String BASIC = "Basic ";

    private final String user;
    private final PasswordHash password;
    /** Digest of the header that was accepted last, so that a page which polls does not repeat the slow check. */
    private volatile byte[] accepted = {};

    Login(String user, PasswordHash password) {
        this.user = user;
        this.password = password;
    }

    /** {@return the user, or null after the response was sent} */
    @Override
    public Object authenticate(HttpServletRequest request, HttpServletResponse response) {
        // A page of another site that showed the console in a frame could mislead the operator's clicks.
        response.setHeader("Content-Security-Policy", "frame-ancestors 'self'");
        if (isFromAnotherSite(request)) {
            return refuse(response, HttpServletResponse.SC_FORBIDDEN);
        }
        String header = request.getHeader("Authorization");
        if (header != null && isAccepted(header)) {
            return user;
        }
        response.setHeader("WWW-Authenticate", "Basic realm=\"DMA-BUF heaps\", charset=\"UTF-8\"");
        return refuse(response, HttpServletResponse.SC_UNAUTHORIZED);
    }

    /**
     * A browser adds the login to requests of other sites, too. Only the console's own pages may change state. Browsers
     * send {@code Sec-Fetch-Site} only to the loopback interface and over TLS, and {@code Origin} to every address.
     */
    private static boolean isFromAnotherSite(HttpServletRequest request) {
        String site = request.getHeader("Sec-Fetch-Site");
        String origin = request.getHeader("Origin");
        boolean another = site != null
                ? !site.equals("same-origin")
                : origin != null && !origin.endsWith("://" + request.getHeader("Host"));
        boolean reads = request.getMethod().equals("GET") || request.getMethod().equals("HEAD");
        return !reads && another;
    }

    private static Object refuse(HttpServletResponse response, int status) {
        try {
            response.sendError(status);
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private boolean isAccepted(String header) {
        byte[] digest = digest(header);
        return MessageDigest.isEqual(accepted, digest) || isRight(header, digest);
    }

    /** Checks one header at a time, which slows down guessing. A user with an accepted login does not wait for it. */
    private synchronized boolean isRight(String header, byte[] digest) {
        if (MessageDigest.isEqual(accepted, digest)) {
            return true; // another request with this header was checked meanwhile
        }
        if (!header.startsWith(BASIC)) {
            return false;
        }
        String pair;
        try {
            pair = new String(Base64.getDecoder().decode(header.substring(BASIC.length())), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return false;
        }
        int colon = pair.indexOf(':');
        if (colon < 0
                || !password.isOf(pair.substring(colon + 1))
                || !pair.substring(0, colon).equals(user)) {
            return false;
        }
        accepted = digest;
        return true;
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has this algorithm
        }
    }

    /** The user may do all that the console offers. */
    @Override
    public boolean authorize(Object account, String role) {
        return user.equals(account);
    }

    /** Basic authentication has no end; the browser forgets the login when it is closed. */
    @Override
    public void logout(HttpServletRequest request, HttpServletResponse response) {
        response.setHeader("WWW-Authenticate", "Basic realm=\"DMA-BUF heaps\", charset=\"UTF-8\"");
        refuse(response, HttpServletResponse.SC_UNAUTHORIZED);
    }
}
