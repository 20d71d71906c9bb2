// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Functions of {@code twin.c}, which the commands of {@code bench} compile. They loop in C, so the cost of a call from
 * Java is negligible.
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
    private static final MethodHandle MAKE =
            link("twin_make", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle LIFE =
            link("twin_life", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle DMA_HEAP =
            link("twin_dma_heap", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle FORGET = link("twin_forget", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle FILL = link("twin_fill", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle SUM = link("twin_sum", FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG));
    private static final MethodHandle CPU_TIME = link("twin_cpu_time", FunctionDescriptor.of(JAVA_LONG));

    /** Bytes of this machine's large folio; 0 if the kernel has none. */
    private static final long FOLIO = folio();

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

    /** Makes and closes fresh buffers, in large folios of this machine's size if it has them. */
    public static void make(long size, int times) {
        require(() -> (int) MAKE.invokeExact(times, size, FOLIO));
    }

    /** Makes, maps, fills, unmaps and closes fresh buffers. */
    public static void life(long size, int times) {
        require(() -> (int) LIFE.invokeExact(times, size, FOLIO));
    }

    /**
     * Makes and closes buffers of one of the kernel's heaps.
     *
     * @param node descriptor of the heap's device
     * @param named whether each buffer also gets a name and is asked for its size, as our source does
     */
    public static void dmaHeap(int node, long size, boolean named, int times) {
        require(() -> (int) DMA_HEAP.invokeExact(times, node, size, named ? 1 : 0));
    }

    /** Removes a file from the page cache. */
    public static void forget(int descriptor) {
        require(() -> (int) FORGET.invokeExact(descriptor));
    }

    /** Writes every byte by memset. */
    public static void fill(MemorySegment memory) {
        require(() -> (int) FILL.invokeExact(memory, memory.byteSize()));
    }

    /** Reads every byte of whole words. {@return the sum of the words} */
    public static long sum(MemorySegment memory) {
        try {
            return (long) SUM.invokeExact(memory, memory.byteSize());
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
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

    private static long folio() {
        try {
            return Long.parseLong(Files.readString(Path.of("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"))
                    .strip());
        } catch (IOException e) {
            return 0;
        }
    }

    private static MethodHandle link(String name, FunctionDescriptor type) {
        return Linker.nativeLinker().downcallHandle(LIBRARY.findOrThrow(name), type);
    }
}
