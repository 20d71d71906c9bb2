// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
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
import org.openjdk.jmh.annotations.Warmup;

/**
 * Benchmark of a fresh buffer's life: it is made, mapped, filled and released, with large folios, without them, and as
 * private memory of an arena.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(
        value = 2,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class LargeFolioBenchmark {
    private static final int MADV_COLLAPSE = 25;

    /** The size of a buffer in bytes. */
    @Param({"2097152", "12441600", "16777216", "67108864"})
    public long size;

    private MemfdSource large;
    private MemfdSource small;

    @Setup
    public void open() {
        large = MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());
        small = MemfdSource.open("memfd", withoutCollapse(), Headroom.machine());
    }

    private static Syscalls withoutCollapse() {
        return (Syscalls) Proxy.newProxyInstance(
                LargeFolioBenchmark.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, method, arguments) -> {
                    if (method.getName().equals("madvise") && (int) arguments[2] == MADV_COLLAPSE) {
                        return -Errno.EINVAL.number();
                    }
                    try {
                        return method.invoke(Syscalls.linux(), arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private void live(MemfdSource source) {
        HeapBuffer buffer = source.allocate(HeapRequest.of(size));
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.fill((byte) 1);
        buffer.unmap(mapping);
        buffer.release();
    }

    @Benchmark
    public void inLargeFolios() {
        live(large);
    }

    @Benchmark
    public void onSmallPages() {
        live(small);
    }

    @Benchmark
    public void inArena() {
        try (Arena arena = Arena.ofConfined()) {
            arena.allocate(size).fill((byte) 1);
        }
    }
}
