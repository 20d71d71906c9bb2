// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/** Table of bundles that break one requirement of a bundle's life. */
final class BrokenBundles {
    private static final String COMES_BACK = "the_heap_goes_with_its_bundle_and_comes_back_as_it_was";
    private static final String USABLE = "a_buffer_is_usable_after_its_bundle_has_stopped";
    private static final String DESCRIPTOR = "a_descriptor_can_be_made_after_the_bundle_has_stopped";
    private static final String CALL = "a_call_during_a_stop_gets_a_buffer_or_a_refusal";
    private static final String CLIENT = "a_client_gets_a_buffer_or_a_refusal_while_the_heap_drains";
    private static final String UPDATE = "a_buffer_is_usable_after_an_update_of_its_bundle";
    private static final String LEAK = "restarts_of_the_bundle_leave_nothing_behind";

    private BrokenBundles() {}

    /**
     * Bundle that breaks one requirement.
     *
     * @param fault the requirement, with the cases that must notice it
     * @param bundle makes the bundle
     */
    record Broken(Fault fault, Supplier<FakeBundle> bundle) {
        @Override
        public String toString() {
            return fault.toString();
        }
    }

    private static Broken broken(String noticedBy, String message, Supplier<FakeBundle> bundle, String... also) {
        return new Broken(new Fault(noticedBy, message, Set.of(also)), bundle);
    }

    /** @param left collects what a bundle leaves open, to be closed after the test */
    static Stream<Broken> all(List<AutoCloseable> left) {
        return Stream.of(
                broken(COMES_BACK, "the heap's service is registered although its bundle has stopped", Staying::new),
                broken(COMES_BACK, "the heap announced ", Renumbered::new),
                broken(USABLE, "java.lang.NoClassDefFoundError: org/example/Mapper", MappingByItself::new),
                broken(USABLE, "the stop of the bundle did not return within 5 s", WaitingForBuffers::new, DESCRIPTOR),
                broken(USABLE, "a mapping from before, of ", Copying::new, UPDATE),
                broken(DESCRIPTOR, "java.lang.IllegalStateException: the bundle has stopped", ExportingByItself::new),
                broken(CALL, "a call ended with java.lang.IllegalStateException", () -> new Failing(false)),
                broken(CALL, "a call did not return within 5 s", Hanging::new),
                broken(CLIENT, "a call ended with ", () -> new Failing(true)),
                broken(UPDATE, "java.lang.NoClassDefFoundError: org/example/Release", ReleasingByItself::new),
                broken(LEAK, "3 more: descriptor of /memfd:each-start", () -> new Leaving(left)),
                broken(LEAK, "3 more: thread 'camera-'", () -> new LeavingThreads(left)));
    }

    private static final class Staying extends FakeBundle {
        @Override
        public boolean serves() {
            return true;
        }
    }

    private static final class Renumbered extends FakeBundle {
        @Override
        public Map<String, Object> properties() {
            Map<String, Object> properties = super.properties();
            properties.put(HeapProperties.ID, starts());
            return properties;
        }
    }

    private static void await() {
        while (!Thread.currentThread().isInterrupted()) {
            LockSupport.park();
        }
    }

    private static final class MappingByItself extends FakeBundle {
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
    }

    /** The second mapping of a buffer shows a copy. */
    private static final class Copying extends FakeBundle {
        @Override
        public HeapBuffer allocate(HeapRequest request) {
            return new BrokenBuffers.Mapped(super.allocate(request)) {
                private int shown;

                @Override
                MemorySegment show(MemorySegment mapping) {
                    return ++shown == 2 ? BrokenHeaps.copy(mapping) : mapping;
                }
            };
        }
    }

    private static final class WaitingForBuffers extends FakeBundle {
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
    }

    private static final class ExportingByItself extends FakeBundle {
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
    }

    /** Fails after its stop, for clients or for the kit. */
    private static final class Failing extends FakeBundle {
        private final boolean clients;

        Failing(boolean clients) {
            this.clients = clients;
        }

        @Override
        public HeapBuffer allocate(HeapRequest request) {
            if (!isRunning() && request.client().isPresent() == clients) {
                throw new IllegalStateException("the bundle has stopped");
            }
            return super.allocate(request);
        }
    }

    /** Calls of the kit hang until the bundle is started again. */
    private static final class Hanging extends FakeBundle {
        @Override
        public HeapBuffer allocate(HeapRequest request) {
            while (!isRunning() && request.client().isEmpty()) {
                LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
            }
            return super.allocate(request);
        }
    }

    private static final class ReleasingByItself extends FakeBundle {
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
    }

    /** Leaves a descriptor at each start. */
    private static final class Leaving extends FakeBundle {
        private final List<AutoCloseable> left;

        Leaving(List<AutoCloseable> left) {
            this.left = left;
        }

        @Override
        public synchronized void start() throws Exception {
            if (!isRunning()) {
                int memfd = Syscalls.linux().memfdCreate("each-start", 1);
                left.add(() -> Syscalls.linux().close(memfd));
            }
            super.start();
        }
    }

    /** Leaves a thread at each start. */
    private static final class LeavingThreads extends FakeBundle {
        private final List<AutoCloseable> left;

        LeavingThreads(List<AutoCloseable> left) {
            this.left = left;
        }

        @Override
        public synchronized void start() throws Exception {
            if (!isRunning()) {
                Thread thread = Thread.ofPlatform().name("camera-" + starts()).start(BrokenBundles::await);
                left.add(() -> {
                    thread.interrupt();
                    thread.join();
                });
            }
            super.start();
        }
    }
}
