// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.HeapUnderTest.Company;
import org.junit.jupiter.api.Test;

/** Tests that the cases of a bundle's life can fail. Each bundle here breaks one requirement. */
class BrokenBundlesTest {
    private static final String COMES_BACK = "the_heap_goes_with_its_bundle_and_comes_back_as_it_was";
    private static final String USABLE = "a_buffer_is_usable_after_its_bundle_has_stopped";
    private static final String DESCRIPTOR = "a_descriptor_can_be_made_after_the_bundle_has_stopped";
    private static final String CALL = "a_call_during_a_stop_gets_a_buffer_or_a_refusal";
    private static final String CLIENT = "a_client_gets_a_buffer_or_a_refusal_while_the_heap_drains";
    private static final String UPDATE = "a_buffer_is_usable_after_an_update_of_its_bundle";
    private static final String LEAK = "restarts_of_the_bundle_leave_nothing_behind";

    private static List<ContractCase> cases(FakeBundle bundle, Optional<String> notWanted) {
        HeapUnderTest heap = new HeapUnderTest(bundle, bundle.properties(), Duration.ofMillis(10), Company.CLIENTS);
        return DynamicsCases.of(heap, bundle, notWanted, Duration.ofSeconds(5));
    }

    private static void assertFailing(FakeBundle bundle, String... names) {
        Set<String> failing = new TreeSet<>();
        for (ContractCase one : cases(bundle, Optional.empty())) {
            one.failure().ifPresent(how -> failing.add(one.name()));
            assertTrue(bundle.isRunning(), one.name());
        }
        assertEquals(new TreeSet<>(Set.of(names)), failing);
    }

    @Test
    void the_bundle_that_the_others_break_is_a_good_one() {
        assertFailing(new FakeBundle());
    }

    @Test
    void cases_that_were_not_requested_are_skipped_with_the_reason_and_touch_nothing() {
        FakeBundle bundle = new FakeBundle();
        for (ContractCase one : cases(bundle, Optional.of("not requested"))) {
            assertEquals(Optional.of("not requested"), one.skipReason());
        }
        assertEquals(1, bundle.starts());
    }

    @Test
    void a_framework_without_a_broker_has_no_clients_to_check() {
        FakeBundle alone = new FakeBundle() {
            @Override
            public Optional<HeapBroker> broker() {
                return Optional.empty();
            }
        };
        assertEquals(
                List.of(CLIENT + " (skipped: no broker is registered)"),
                cases(alone, Optional.empty()).stream()
                        .filter(one -> one.skipReason().isPresent())
                        .map(ContractCase::toString)
                        .toList());
    }

    @Test
    void a_service_that_stays_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    @Override
                    public boolean serves() {
                        return true;
                    }
                },
                COMES_BACK);
    }

    @Test
    void another_announcement_after_a_restart_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    @Override
                    public Map<String, Object> properties() {
                        Map<String, Object> properties = super.properties();
                        properties.put(HeapProperties.ID, starts());
                        return properties;
                    }
                },
                COMES_BACK);
    }

    @Test
    void a_buffer_that_its_bundle_takes_along_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    @Override
                    public HeapBuffer allocate(HeapRequest request) {
                        return new ForwardingBuffer(super.allocate(request)) {
                            private int mappings;

                            @Override
                            public MemorySegment map(Access access) {
                                // A call during the stop maps twice.
                                if (++mappings > 2 && !isRunning()) {
                                    throw new NoClassDefFoundError("org/example/Mapper");
                                }
                                return super.map(access);
                            }
                        };
                    }
                },
                USABLE);
    }

    @Test
    void a_buffer_that_an_update_takes_along_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    @Override
                    public HeapBuffer allocate(HeapRequest request) {
                        int made = updates();
                        return new ForwardingBuffer(super.allocate(request)) {
                            @Override
                            public void release() {
                                super.release();
                                if (made != updates()) {
                                    throw new NoClassDefFoundError("org/example/Release");
                                }
                            }
                        };
                    }
                },
                UPDATE);
    }

    @Test
    void a_descriptor_that_needs_the_bundle_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    @Override
                    public HeapBuffer allocate(HeapRequest request) {
                        return new ForwardingBuffer(super.allocate(request)) {
                            @Override
                            public int descriptor() {
                                if (!isRunning()) {
                                    throw new IllegalStateException("the bundle has stopped");
                                }
                                return super.descriptor();
                            }
                        };
                    }
                },
                DESCRIPTOR);
    }

    @Test
    void a_late_call_that_fails_without_a_refusal_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    @Override
                    public HeapBuffer allocate(HeapRequest request) {
                        if (!isRunning() && request.client().isEmpty()) {
                            throw new IllegalStateException("the bundle has stopped");
                        }
                        return super.allocate(request);
                    }
                },
                CALL);
    }

    @Test
    void a_heap_that_breaks_the_contract_while_it_drains_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    @Override
                    public HeapBuffer allocate(HeapRequest request) {
                        if (!isRunning() && request.client().isPresent()) {
                            throw new IllegalStateException("the bundle has stopped");
                        }
                        return super.allocate(request);
                    }
                },
                CLIENT);
    }

    @Test
    void a_descriptor_that_each_start_leaves_is_noticed() {
        List<Integer> left = new ArrayList<>();
        assertFailing(
                new FakeBundle() {
                    @Override
                    public synchronized void start() throws Exception {
                        if (!isRunning()) {
                            left.add(Syscalls.linux().memfdCreate("each-start", 1));
                        }
                        super.start();
                    }
                },
                LEAK);
        left.forEach(Syscalls.linux()::close);
    }

    @Test
    void memory_that_each_start_opens_anew_is_not_a_leak() {
        List<Integer> open = new ArrayList<>(List.of(Syscalls.linux().memfdCreate("region", 1)));
        assertFailing(new FakeBundle() {
            @Override
            public synchronized void start() throws Exception {
                if (!isRunning()) {
                    int next = Syscalls.linux().memfdCreate("region", 1);
                    Syscalls.linux().close(open.set(0, next));
                }
                super.start();
            }
        });
        open.forEach(Syscalls.linux()::close);
    }

    @Test
    void a_stop_that_waits_for_buffers_is_noticed() {
        assertFailing(
                new FakeBundle() {
                    private final Set<HeapBuffer> open = new HashSet<>();

                    @Override
                    public HeapBuffer allocate(HeapRequest request) {
                        HeapBuffer buffer = new ForwardingBuffer(super.allocate(request)) {
                            @Override
                            public void release() {
                                super.release();
                                released(this);
                            }
                        };
                        opened(buffer);
                        return buffer;
                    }

                    private synchronized void opened(HeapBuffer buffer) {
                        open.add(buffer);
                    }

                    private synchronized void released(HeapBuffer buffer) {
                        open.remove(buffer);
                        notifyAll();
                    }

                    @Override
                    public synchronized void stop() throws Exception {
                        super.stop();
                        Set<HeapBuffer> before = Set.copyOf(open);
                        while (!Collections.disjoint(open, before)) {
                            wait();
                        }
                    }
                },
                USABLE,
                DESCRIPTOR);
    }
}
