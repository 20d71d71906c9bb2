// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.libc;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;

/**
 * Linker of functions of the C library. Pointers are passed as longs, which have the same calling convention on the
 * three processors in the bundle's manifest. Each thread has a block of memory for errno, strings and structs, so that
 * calls do not allocate. The thread-local value is a plain segment and pins no class of the bundle.
 */
@SuppressWarnings("restricted") // this class links native functions
public final class Libc {
    /** Offset of a C string in a thread's block. */
    public static final long TEXT = 16;
    /** Offset of a struct of at most 256 bytes in a thread's block. */
    public static final long STRUCT = 272;

    private static final int TEXT_BYTES = (int) (STRUCT - TEXT);
    private static final Linker LINKER = Linker.nativeLinker();
    private static final Linker.Option ERRNO_OPTION = Linker.Option.captureCallState("errno");
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> BLOCK =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(STRUCT + 256, 8));

    private Libc() {}

    /** {@return a handle whose first argument is the thread's block} */
    public static MethodHandle link(String function, FunctionDescriptor type) {
        return downcall(function, type, ERRNO_OPTION);
    }

    /**
     * {@return as {@link #link}, of a function with a variable number of arguments}
     *
     * @param fixed number of named arguments in its declaration
     */
    public static MethodHandle linkVariadic(String function, int fixed, FunctionDescriptor type) {
        return downcall(function, type, ERRNO_OPTION, Linker.Option.firstVariadicArg(fixed));
    }

    /**
     * {@return a handle of syscall(2), for a system call that some C library has no function for, such as musl before
     * 1.2.5; its second argument is the number as a long}
     *
     * @param type of the system call, whose result is a long
     */
    public static MethodHandle linkSystemCall(FunctionDescriptor type) {
        return linkVariadic("syscall", 1, type.insertArgumentLayouts(0, JAVA_LONG));
    }

    /** {@return the number of a system call on this processor, for one that is not the same on all} */
    public static long systemCall(long x86, long others) {
        return System.getProperty("os.arch").equals("amd64") ? x86 : others;
    }

    /** {@return a handle without the block, for a function that does not set errno} */
    static MethodHandle linkPlain(String function, FunctionDescriptor type) {
        return downcall(function, type);
    }

    /** {@return as {@link #linkPlain}, for calls of some microseconds, which can delay the garbage collector} */
    static MethodHandle linkCritical(String function, FunctionDescriptor type) {
        return downcall(function, type, Linker.Option.critical(false));
    }

    private static MethodHandle downcall(String function, FunctionDescriptor type, Linker.Option... options) {
        MemorySegment address = LINKER.defaultLookup().findOrThrow(function);
        try {
            return LINKER.downcallHandle(address, type, options);
        } catch (IllegalCallerException e) {
            // Java's own message names the bundle's file, but no remedy.
            throw new IllegalCallerException(
                    "linking " + function
                            + " failed: Java denies native access; start it with --enable-native-access=ALL-UNNAMED",
                    e);
        }
    }

    /** {@return bytes in a page, by getpagesize(3)} */
    public static int pageSize() {
        try {
            return (int)
                    linkPlain("getpagesize", FunctionDescriptor.of(JAVA_INT)).invokeExact();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** {@return this thread's block} */
    public static MemorySegment block() {
        return BLOCK.get();
    }

    /** {@return the errno of the last call} */
    public static int errno(MemorySegment block) {
        return (int) ERRNO.get(block, 0L);
    }

    /** {@return the result of the function, or the negative error number if the result is -1} */
    public static int result(MemorySegment block, int returned) {
        return returned == -1 ? -errno(block) : returned;
    }

    /** Writes a C string into the block; false if it does not fit. */
    public static boolean text(MemorySegment block, String text) {
        // A character takes at most three bytes, so a short text always fits.
        if (text.length() * 3 >= TEXT_BYTES && text.getBytes(StandardCharsets.UTF_8).length >= TEXT_BYTES) {
            return false;
        }
        block.setString(TEXT, text);
        return true;
    }

    /**
     * Handles an exception of a handle. A handle with the right type throws only for lack of stack or memory, before it
     * calls the function. Such an error is rethrown.
     */
    public static AssertionError unexpected(Throwable e) {
        if (e instanceof Error error) {
            throw error;
        }
        return new AssertionError(e);
    }
}
