// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapRequest;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Benchmark of the creation and release of a fresh buffer, compared with the same system calls from C. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 3,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class MemfdBenchmark {
    /** The size of a buffer in bytes. */
    @Param({"4096", "1048576"})
    public long size;

    private final MemfdSource source = MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine());

    @Benchmark
    @OperationsPerInvocation(Twin.TIMES)
    public void inC() {
        Twin.memfd(size);
    }

    @Benchmark
    @OperationsPerInvocation(Twin.TIMES)
    public void inJava() {
        for (int i = 0; i < Twin.TIMES; i++) {
            source.allocate(HeapRequest.of(size)).release();
        }
    }
}
