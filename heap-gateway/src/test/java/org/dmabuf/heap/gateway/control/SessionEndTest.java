// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SessionEndTest {
    private final SessionEnd end = new SessionEnd();
    private final List<String> done = new ArrayList<>();

    @Test
    void every_action_runs_once_although_some_fail() {
        end.add(adding("one"));
        end.add(() -> {
            throw new IllegalStateException("on purpose");
        });
        end.add(adding("two"));
        assertEquals(List.of(), done);
        end.run(null);
        end.run(null);
        assertEquals(List.of("one", "two"), done);
    }

    @Test
    void an_action_that_is_added_too_late_runs_at_once() {
        end.run(null);
        end.add(adding("late"));
        assertEquals(List.of("late"), done);
        assertTrue(end.isEmpty());
    }

    private Runnable adding(String text) {
        return () -> done.add(text);
    }
}
