// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.FutureTask;
import org.dmabuf.heap.broker.release.Reaper;
import org.junit.jupiter.api.Test;

class OpenResourcesTest {
    private final OpenResources resources = new OpenResources();

    private static final class Plain extends OpenResource {
        @Override
        public void end() {
            throw new AssertionError("no caller ends it");
        }

        @Override
        public Reaper reclaim() {
            throw new AssertionError("no caller reclaims it");
        }
    }

    private OpenResource add() {
        OpenResource resource = new Plain();
        resources.add(resource);
        return resource;
    }

    private Set<OpenResource> pollAll() {
        Set<OpenResource> all = new HashSet<>();
        for (OpenResource one = resources.poll(); one != null; one = resources.poll()) {
            assertEquals(true, all.add(one), "each is taken out once");
        }
        return all;
    }

    @Test
    void an_added_resource_is_taken_out_once() {
        Set<OpenResource> added = Set.of(add(), add(), add());
        assertEquals(added, pollAll());
        assertNull(resources.poll());
    }

    @Test
    void a_removed_resource_is_not_found_whatever_its_position() {
        List<OpenResource> added = List.of(add(), add(), add(), add(), add());
        for (int at : new int[] {0, 2, 4}) {
            resources.remove(added.get(at));
        }
        assertEquals(Set.of(added.get(1), added.get(3)), pollAll());
    }

    @Test
    void a_taken_out_resource_can_be_removed_and_added_again() {
        OpenResource one = add();
        OpenResource other = add();
        resources.remove(one);
        resources.remove(one);
        resources.add(one);
        assertEquals(Set.of(one, other), pollAll());
        resources.remove(one);
        resources.add(other);
        assertSame(other, resources.poll());
    }

    @Test
    void resources_of_every_thread_are_found_and_any_thread_can_remove_them() throws Exception {
        Set<OpenResource> added = new HashSet<>();
        for (int i = 0; i < 20; i++) { // more than there are rings
            FutureTask<OpenResource> adding = new FutureTask<>(this::add);
            Thread.ofPlatform().start(adding);
            added.add(adding.get());
        }
        OpenResource one = added.iterator().next();
        added.remove(one);
        resources.remove(one);
        assertEquals(added, pollAll());
    }
}
