// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoginTest {
    /** PBKDF2 of "secret" with 100000 iterations and the salt 0001020304050607, computed by Python's hashlib. */
    private static final String HASH =
            "100000:0001020304050607:42cab55c46e1a54abfd1df0319f958c81285d2a4dfd3e4f2dd8f9645d2d711de";

    private static final String END = ":42cab55c46e1a54abfd1df0319f958c81285d2a4dfd3e4f2dd8f9645d2d711de";
    private static final String TOO_FEW = "99999:0001020304050607" + END;
    private static final String TOO_SHORT_A_SALT = "100000:00010203040506" + END;

    private static final String TOO_MANY = "10000000:0001020304050607" + END;

    private final Login login = new Login("operator", PasswordHash.parse(HASH));
    private final Map<String, String> headers = new HashMap<>();
    private final Map<String, String> sent = new HashMap<>();
    private final List<Integer> statuses = new ArrayList<>();
    private String method = "GET";

    private final HttpServletRequest request = (HttpServletRequest) Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {HttpServletRequest.class},
            (_, called, arguments) -> switch (called.getName()) {
                case "getHeader" -> headers.get(arguments[0]);
                case "getMethod" -> method;
                default -> throw new AssertionError(called);
            });
    private final HttpServletResponse response = (HttpServletResponse) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {HttpServletResponse.class}, (_, called, arguments) -> {
                if (called.getName().equals("sendError")) {
                    statuses.add((int) arguments[0]);
                } else if (called.getName().equals("setHeader")) {
                    sent.put((String) arguments[0], (String) arguments[1]);
                }
                return null;
            });

    private Object login(String pair) {
        headers.put(
                "Authorization", "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8)));
        return login.authenticate(request, response);
    }

    @Test
    void the_right_user_and_password_are_accepted_again_and_again() {
        assertEquals("operator", login("operator:secret"));
        assertEquals("operator", login("operator:secret"));
        assertEquals(List.of(), statuses);
        assertTrue(login.authorize("operator", "any"));
        assertFalse(login.authorize(null, "any"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"operator:Secret", "admin:secret", "operator", "secret", "operator:", ":secret"})
    void another_pair_is_refused_also_after_a_right_one(String pair) {
        login("operator:secret");
        assertNull(login(pair));
        assertEquals(List.of(HttpServletResponse.SC_UNAUTHORIZED), statuses);
    }

    @Test
    void a_request_without_a_login_is_asked_for_one() {
        assertNull(login.authenticate(request, response));
        assertEquals(List.of(HttpServletResponse.SC_UNAUTHORIZED), statuses);
        assertEquals("Basic realm=\"DMA-BUF heaps\", charset=\"UTF-8\"", sent.get("WWW-Authenticate"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Basic", "Basic *", "Bearer b3BlcmF0b3I6c2VjcmV0", ""})
    void another_header_is_refused(String header) {
        headers.put("Authorization", header);
        assertNull(login.authenticate(request, response));
        assertEquals(List.of(HttpServletResponse.SC_UNAUTHORIZED), statuses);
    }

    @Test
    void a_page_of_another_site_cannot_change_state() {
        method = "POST";
        headers.put("Sec-Fetch-Site", "same-site");
        assertNull(login("operator:secret"));
        headers.put("Sec-Fetch-Site", "same-origin");
        assertEquals("operator", login("operator:secret"));
        assertEquals(List.of(HttpServletResponse.SC_FORBIDDEN), statuses);
    }

    @Test
    void a_link_on_another_site_leads_to_the_page() {
        headers.put("Sec-Fetch-Site", "cross-site");
        assertEquals("operator", login("operator:secret"));
        method = "HEAD";
        assertEquals("operator", login("operator:secret"));
    }

    @Test
    void without_the_browsers_word_the_origin_of_the_page_decides() {
        method = "POST";
        headers.put("Host", "board-7:8080");
        for (String another : List.of("http://evil.example", "http://evil-board-7:8080", "http://board-7", "null")) {
            headers.put("Origin", another);
            assertNull(login("operator:secret"), another);
        }
        assertEquals(Collections.nCopies(4, HttpServletResponse.SC_FORBIDDEN), statuses);
        headers.put("Origin", "http://board-7:8080");
        assertEquals("operator", login("operator:secret"));
    }

    @Test
    void no_page_can_be_shown_inside_a_page_of_another_site() {
        login("operator:secret");
        assertEquals("frame-ancestors 'self'", sent.get("Content-Security-Policy"));
    }

    @Test
    void a_user_with_an_accepted_login_does_not_wait_for_a_check_of_another() throws Exception {
        login("operator:secret");
        synchronized (login) { // as during a check
            assertEquals(
                    "operator",
                    CompletableFuture.supplyAsync(() -> login.authenticate(request, response))
                            .get(20, TimeUnit.SECONDS));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "secret", "{sha-256}abc", TOO_FEW, TOO_MANY, TOO_SHORT_A_SALT, HASH + "0"})
    void another_form_of_the_hash_is_refused_without_quoting_it(String text) {
        String message = assertThrows(IllegalArgumentException.class, () -> PasswordHash.parse(text))
                .getMessage();
        assertTrue(message.startsWith("expected ITERATIONS:SALT:HASH of PBKDF2"), message);
    }
}
