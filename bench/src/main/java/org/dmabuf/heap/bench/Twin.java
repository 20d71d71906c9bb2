// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The functions of {@code twin.c}, which {@code bench/run} compiles. They loop in C, so the cost of a call from Java is
 * negligible.
 */
@SuppressWarnings("restricted")
public final class Twin {
    /** The number of operations of one call. */
    public static final int TIMES = 1000;

    private static final SymbolLookup LIBRARY = SymbolLookup.libraryLookup(library(), Arena.global());
    private static final MethodHandle MEMFD = link("twin_memfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle HAND_OVER =
            link("twin_hand_over", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle ZERO =
            link("twin_zero", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle CPU_TIME = link("twin_cpu_time", FunctionDescriptor.of(JAVA_LONG));

    private Twin() {}

    public static void memfd(long size) {
        require(() -> (int) MEMFD.invokeExact(TIMES, size));
    }

    public static void handOver(int descriptor) {
        require(() -> (int) HAND_OVER.invokeExact(TIMES, descriptor));
    }

    public static void zero(MemorySegment memory, int times) {
        require(() -> (int) ZERO.invokeExact(times, memory, memory.byteSize()));
    }

    /** {@return the CPU time of the whole process in nanoseconds, including the kernel's time for it} */
    public static long cpuTime() {
        try {
            return (long) CPU_TIME.invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private interface Call {
        int errno() throws Throwable;
    }

    private static void require(Call call) {
        int errno;
        try {
            errno = call.errno();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
        if (errno != 0) {
            throw new AssertionError("the twin failed with error " + errno);
        }
    }

    private static Path library() {
        String path = System.getProperty("twin");
        if (path == null) {
            throw new IllegalStateException("the C twin is not built: start benchmarks with bench/run, which needs cc");
        }
        return Path.of(path);
    }

    private static MethodHandle link(String name, FunctionDescriptor type) {
        return Linker.nativeLinker().downcallHandle(LIBRARY.findOrThrow(name), type);
    }
}
