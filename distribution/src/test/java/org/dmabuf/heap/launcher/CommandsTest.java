// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;

class CommandsTest {
    private final List<String> ended = new ArrayList<>();
    private final Commands commands = new Commands(() -> ended.add("gateway"));

    @Test
    void exit_ends_the_gateway_with_its_status() {
        commands.exit(new Object[] {"3"});
        assertTrue(commands.exitSaid());
        assertEquals(3, commands.status());
        assertEquals(List.of("gateway"), ended);
    }

    @Test
    void exit_alone_is_status_0() {
        commands.exit(new Object[] {});
        assertTrue(commands.exitSaid());
        assertEquals(0, commands.status());
    }

    @Test
    void invalid_status_prints_a_sentence_and_ends_nothing() {
        for (Object[] words : new Object[][] {{"x"}, {"-1"}, {"256"}, {"99999999999"}, {""}, {"1", "2"}, {null}}) {
            RuntimeException e = assertThrows(RuntimeException.class, () -> commands.exit(words));
            assertTrue(e.toString().startsWith("invalid exit status = "), e.toString());
            assertTrue(e.toString().endsWith(": expected one number, 0 to 255"), e.toString());
        }
        assertFalse(commands.exitSaid());
        assertEquals(List.of(), ended);
    }

    @Test
    void in_the_session_of_a_client_it_ends_the_session() throws InterruptedException {
        Session group = new Session();
        Thread thread = new Thread(new ThreadGroup(group, "a pipe"), () -> commands.exit(new Object[] {4L}));
        thread.start();
        thread.join();
        assertEquals(List.of(4), group.statuses);
        assertFalse(commands.exitSaid());
        assertEquals(List.of(), ended);
    }

    private static final class Session extends ThreadGroup implements IntConsumer {
        private final List<Integer> statuses = new ArrayList<>();

        Session() {
            super("session");
        }

        @Override
        public void accept(int status) {
            statuses.add(status);
        }
    }
}
