// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Benchmark of a hand-over: one thread sends a descriptor over a connected pair of sockets, receives it and closes the
 * received descriptor. It is compared with the same calls from C.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 3,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class HandOverBenchmark {
    private static final Duration LONG = Duration.ofSeconds(30);

    private Path folder;
    private FdListener listener;
    private FdSocket sender;
    private FdSocket receiver;
    private OwnedFd memfd;

    @Setup
    public void connect() throws IOException {
        folder = Files.createTempDirectory("bench");
        listener = FdListener.bind(folder.resolve("s"));
        receiver = FdSocket.connect(listener.path(), LONG);
        sender = listener.accept(LONG, peer -> true);
        memfd = OwnedFd.of(Syscalls.linux().memfdCreate("bench", Memfd.MFD_CLOEXEC), Syscalls.linux()::close);
    }

    @TearDown
    public void disconnect() throws IOException {
        memfd.close();
        sender.close();
        receiver.close();
        listener.close();
        Files.delete(folder);
    }

    @Benchmark
    @OperationsPerInvocation(Twin.TIMES)
    public void inC() {
        Twin.handOver(memfd.fd());
    }

    @Benchmark
    @OperationsPerInvocation(Twin.TIMES)
    public void inJava() {
        for (int i = 0; i < Twin.TIMES; i++) {
            sender.send(memfd, "dmaheap 1 4096 frame");
            receiver.receive().close();
        }
    }
}
