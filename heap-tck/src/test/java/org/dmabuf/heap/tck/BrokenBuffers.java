// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Buffers of the broken heaps. Any thread may call them, so that only the intended fault shows. */
final class BrokenBuffers {
    private static final int F_DUPFD_CLOEXEC = 1030;

    private BrokenBuffers() {}

    /** Buffer that counts its mappings, and may show other memory than its own. */
    static class Mapped extends ForwardingBuffer {
        final Thread owner = Thread.currentThread();
        private final Map<Long, MemorySegment> realByShown = new ConcurrentHashMap<>();
        private final AtomicInteger open = new AtomicInteger();
        private volatile boolean everMapped;

        Mapped(HeapBuffer good) {
            super(good);
        }

        final int open() {
            return open.get();
        }

        final boolean everMapped() {
            return everMapped;
        }

        final boolean isOwnThread() {
            return owner == Thread.currentThread();
        }

        MemorySegment show(MemorySegment mapping) {
            return mapping;
        }

        @Override
        public MemorySegment map(Access access) {
            MemorySegment real = super.map(access);
            everMapped = true;
            open.incrementAndGet();
            MemorySegment shown = show(real);
            realByShown.put(shown.address(), real);
            return shown;
        }

        @Override
        public void unmap(MemorySegment mapping) {
            open.decrementAndGet();
            super.unmap(realByShown.remove(mapping.address()));
        }
    }

    /** Buffer that shows other memory than its own. */
    static final class Showing extends Mapped {
        private final UnaryOperator<MemorySegment> shown;

        Showing(HeapBuffer good, UnaryOperator<MemorySegment> shown) {
            super(good);
            this.shown = shown;
        }

        @Override
        MemorySegment show(MemorySegment mapping) {
            return shown.apply(mapping);
        }
    }

    /** Buffer whose size is another one from the second question on, until it is mapped or exported. */
    static final class SizedByUse extends ForwardingBuffer {
        private final AtomicInteger asked = new AtomicInteger();
        private final long other;
        private volatile boolean used;

        SizedByUse(HeapBuffer good, long other) {
            super(good);
            this.other = other;
        }

        @Override
        public long size() {
            return !used && asked.incrementAndGet() > 1 ? other : super.size();
        }

        @Override
        public MemorySegment map(Access access) {
            used = true;
            return super.map(access);
        }

        @Override
        public int descriptor() {
            used = true;
            return super.descriptor();
        }
    }

    /** Buffer that returns a duplicate of its descriptor for some calls, and closes it with its release. */
    static final class Duplicating extends ForwardingBuffer {
        final Thread owner = Thread.currentThread();
        private final AtomicInteger calls = new AtomicInteger();
        private final Queue<Integer> duplicates = new ConcurrentLinkedQueue<>();
        private final Predicate<Duplicating> when;

        Duplicating(HeapBuffer good, Predicate<Duplicating> when) {
            super(good);
            this.when = when;
        }

        int calls() {
            return calls.get();
        }

        @Override
        public int descriptor() {
            int own = super.descriptor();
            calls.incrementAndGet();
            if (!when.test(this)) {
                return own;
            }
            int duplicate = Syscalls.linux().fcntl(own, F_DUPFD_CLOEXEC, 0);
            duplicates.add(duplicate);
            return duplicate;
        }

        @Override
        public void release() {
            super.release();
            duplicates.forEach(Syscalls.linux()::close);
        }
    }

    /** Buffer that refuses a CPU access unless a condition holds. */
    static final class BeginningWhen extends Mapped {
        private final HeapRequest request;
        private final Predicate<BeginningWhen> condition;
        private final AtomicInteger accesses = new AtomicInteger();
        private volatile boolean exported;

        BeginningWhen(HeapBuffer good, HeapRequest request, Predicate<BeginningWhen> condition) {
            super(good);
            this.request = request;
            this.condition = condition;
        }

        int accesses() {
            return accesses.get();
        }

        boolean exported() {
            return exported;
        }

        @Override
        public int descriptor() {
            exported = true;
            return super.descriptor();
        }

        @Override
        public void beginCpuAccess(Access access) {
            if (!condition.test(this)) {
                throw BrokenHeap.refusal(Errno.EBUSY, request);
            }
            super.beginCpuAccess(access);
            accesses.incrementAndGet();
        }

        @Override
        public void endCpuAccess(Access access) {
            accesses.decrementAndGet();
            super.endCpuAccess(access);
        }
    }

    /** Buffer that is never exported itself: its descriptor is that of a copy, made by the first call. */
    static final class ExportingACopy extends ForwardingBuffer {
        private final HeapBuffer copy;
        private boolean exported;

        ExportingACopy(HeapExporter heap, HeapRequest request) {
            this(heap, request, request.size());
        }

        /** @param size bytes of the copy */
        ExportingACopy(HeapExporter heap, HeapRequest request, long size) {
            super(heap.allocate(request.withExport(ExportMode.NONE)));
            this.copy = heap.allocate(request.withSize(size));
        }

        @Override
        public synchronized int descriptor() {
            if (!exported) {
                exported = true;
                BrokenHeaps.write(copy, to -> BrokenHeaps.write(good, to::copyFrom));
            }
            return copy.descriptor();
        }

        @Override
        public void release() {
            super.release();
            copy.release();
        }
    }
}
