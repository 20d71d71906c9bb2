// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.BrokenHeap.Forwarding;

/** Broken heaps that remember earlier calls. Any thread may call them, so that only the intended fault shows. */
final class BrokenExporters {
    private BrokenExporters() {}

    /** Keeps released buffers for the next request of the same size, as a pool does. */
    static final class Recycling extends Forwarding {
        private final Predicate<HeapRequest> which;
        private final boolean zeroing;
        private final Deque<HeapBuffer> pool = new ArrayDeque<>();

        /** @param zeroing whether a buffer is zeroed when it is used again */
        Recycling(HeapExporter good, Predicate<HeapRequest> which, boolean zeroing) {
            super(good);
            this.which = which;
            this.zeroing = zeroing;
        }

        @Override
        HeapBuffer serve(HeapRequest request) {
            HeapBuffer checked = super.serve(request);
            if (!which.test(request)) {
                return checked;
            }
            HeapBuffer pooled = pooled(checked.size());
            if (pooled != null) {
                checked.release();
                if (zeroing) {
                    BrokenHeaps.write(pooled, mapping -> mapping.fill((byte) 0));
                }
            }
            return new ForwardingBuffer(pooled == null ? checked : pooled) {
                @Override
                public void release() {
                    synchronized (pool) {
                        pool.add(good);
                    }
                }
            };
        }

        private HeapBuffer pooled(long size) {
            synchronized (pool) {
                for (HeapBuffer buffer : pool) {
                    if (buffer.size() == size) {
                        pool.remove(buffer);
                        return buffer;
                    }
                }
                return null;
            }
        }

        @Override
        public long trim(long bytes) {
            synchronized (pool) {
                long given = 0;
                while (!pool.isEmpty() && given < bytes) {
                    given += pool.getFirst().size();
                    pool.removeFirst().release();
                }
                return given;
            }
        }
    }

    /** Gives a second client the buffer of the first, if neither is exported. */
    static final class SharingOne extends Forwarding {
        private HeapBuffer shared;
        private int users;

        SharingOne(HeapExporter good) {
            super(good);
        }

        @Override
        HeapBuffer serve(HeapRequest request) {
            if (request.export() != ExportMode.NONE || request.size() != 64 << 10 || request.alignment() > 1) {
                return super.serve(request);
            }
            synchronized (this) {
                if (users++ == 0) {
                    shared = super.serve(request);
                }
                return new ForwardingBuffer(shared) {
                    @Override
                    public void release() {
                        left();
                    }
                };
            }
        }

        private synchronized void left() {
            if (--users == 0) {
                shared.release();
            }
        }
    }

    /** Leaves a descriptor for each refusal after many, until it is trimmed. */
    static final class LeavingDescriptors extends Forwarding {
        private static final int MANY = 50;

        private final List<AutoCloseable> left;
        private final AtomicInteger refusals = new AtomicInteger();

        LeavingDescriptors(HeapExporter good, List<AutoCloseable> left) {
            super(good);
            this.left = left;
        }

        @Override
        HeapBuffer serve(HeapRequest request) {
            try {
                return super.serve(request);
            } catch (HeapException e) {
                if (refusals.incrementAndGet() > MANY) {
                    int memfd = Syscalls.linux().memfdCreate("refused", 1);
                    left.add(() -> Syscalls.linux().close(memfd));
                }
                throw e;
            }
        }

        @Override
        public long trim(long bytes) {
            refusals.set(0);
            return super.trim(bytes);
        }
    }

    /** Refuses all requests after a refusal, until it is trimmed. */
    static final class Sulking extends Forwarding {
        private volatile boolean sulking;

        Sulking(HeapExporter good) {
            super(good);
        }

        @Override
        HeapBuffer serve(HeapRequest request) {
            HeapBuffer buffer;
            try {
                buffer = super.serve(request);
            } catch (HeapException e) {
                sulking = true;
                throw e;
            }
            if (sulking) {
                buffer.release();
                throw BrokenHeap.refusal(Errno.EBUSY, request);
            }
            return buffer;
        }

        @Override
        public long trim(long bytes) {
            sulking = false;
            return super.trim(bytes);
        }
    }

    /** Serves buffers of one size in another way after 1000 of them, until it is trimmed. */
    abstract static class Exhausted extends Forwarding {
        private static final int MOST = 1000;

        private final long size;
        private final AtomicInteger made = new AtomicInteger();

        Exhausted(HeapExporter good, long size) {
            super(good);
            this.size = size;
        }

        abstract HeapBuffer changed(HeapRequest request, HeapBuffer buffer);

        @Override
        HeapBuffer serve(HeapRequest request) {
            HeapBuffer buffer = super.serve(request);
            boolean counts = request.size() == size && request.export() == ExportMode.READ_WRITE;
            return counts && made.incrementAndGet() > MOST ? changed(request, buffer) : buffer;
        }

        @Override
        public long trim(long bytes) {
            made.set(0);
            return super.trim(bytes);
        }
    }

    /** Loses the memory of a buffer that is not the youngest at its release, if there are many. */
    static final class Stack extends Forwarding {
        private static final int MANY = 33;

        private final List<AutoCloseable> left;
        private final Deque<HeapBuffer> live = new ArrayDeque<>();

        Stack(HeapExporter good, List<AutoCloseable> left) {
            super(good);
            this.left = left;
        }

        @Override
        HeapBuffer serve(HeapRequest request) {
            HeapBuffer buffer = new ForwardingBuffer(super.serve(request)) {
                @Override
                public void release() {
                    if (isLost(this)) {
                        left.add(good::release);
                    } else {
                        super.release();
                    }
                }
            };
            synchronized (live) {
                live.add(buffer);
            }
            return buffer;
        }

        private boolean isLost(HeapBuffer buffer) {
            synchronized (live) {
                boolean lost = live.size() > MANY && live.peekLast() != buffer;
                live.remove(buffer);
                return lost;
            }
        }
    }

    /** Serves few threads, until it is trimmed. */
    static final class FewThreads extends Forwarding {
        private static final int MOST = 20;

        private final Set<Thread> served = ConcurrentHashMap.newKeySet();

        FewThreads(HeapExporter good) {
            super(good);
        }

        @Override
        HeapBuffer serve(HeapRequest request) {
            served.add(Thread.currentThread());
            if (served.size() > MOST) {
                throw BrokenHeap.refusal(Errno.ENOMEM, request);
            }
            return super.serve(request);
        }

        @Override
        public long trim(long bytes) {
            served.clear();
            return super.trim(bytes);
        }
    }

    /** Reports its usage only to threads that have allocated. */
    static final class UsageOfItsThreads extends Forwarding {
        private final Set<Thread> served = ConcurrentHashMap.newKeySet();

        UsageOfItsThreads(HeapExporter good) {
            super(good);
        }

        @Override
        HeapBuffer serve(HeapRequest request) {
            served.add(Thread.currentThread());
            return super.serve(request);
        }

        @Override
        public HeapUsage usage() {
            if (!served.contains(Thread.currentThread())) {
                throw new WrongThreadException();
            }
            return super.usage();
        }
    }

    /** Has a capacity. When it is full for the first time, it loses some of it, without a change of its report. */
    static final class Small extends Forwarding {
        private static final long CAPACITY = 1 << 20;

        private final Errno whenFull;
        private final long lost;
        private long used;
        private long available = CAPACITY;

        Small(HeapExporter good, Errno whenFull, long lost) {
            super(good);
            this.whenFull = whenFull;
            this.lost = lost;
        }

        @Override
        synchronized HeapBuffer serve(HeapRequest request) {
            long taken = Bytes.wholePages(request.size());
            HeapBuffer buffer = super.serve(request);
            if (used + taken > available) {
                available = CAPACITY - lost;
                buffer.release();
                throw BrokenHeap.refusal(whenFull, request);
            }
            used += taken;
            return new ForwardingBuffer(buffer) {
                @Override
                public void release() {
                    super.release();
                    free(taken);
                }
            };
        }

        private synchronized void free(long bytes) {
            used -= bytes;
        }

        @Override
        public synchronized HeapUsage usage() {
            long free = CAPACITY - used;
            return HeapUsage.unknown().withCapacity(CAPACITY).withFree(free).withLargestFree(free);
        }
    }
}
