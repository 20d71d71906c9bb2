// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Benchmark of a recycled buffer: taken, zeroed, mapped, released. It is compared with C's memset of one permanent
 * mapping, which is the lower bound. {@link PoolRounds} compares the two with less noise, and also measures prewarmed
 * buffers.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 3,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class PoolBenchmark {
    /** The size of a buffer in bytes. */
    @Param({"65536", "1048576", "16777216"})
    public long size;

    private MemorySource source;
    private HeapBuffer twin;
    private MemorySegment kept;
    private HeapRequest request;

    @Setup
    public void open() {
        Headroom headroom = Headroom.machine();
        MemfdSource memfds = MemfdSource.open("memfd", Syscalls.linux(), headroom);
        source = PooledSource.over(
                memfds, "memfd", Syscalls.linux(), headroom, PoolBudget.none().withRecycled(2 * size));
        request = HeapRequest.of(size).withExport(ExportMode.NONE);
        twin = memfds.allocate(request);
        kept = twin.map(Access.READ_WRITE);
    }

    @TearDown
    public void close() {
        twin.unmap(kept);
        twin.release();
        source.close();
    }

    @Benchmark
    public void inC() {
        Twin.zero(kept, 1);
    }

    @Benchmark
    public long recycled() {
        HeapBuffer buffer = source.allocate(request);
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        long address = mapping.address();
        buffer.unmap(mapping);
        buffer.release();
        return address;
    }
}
